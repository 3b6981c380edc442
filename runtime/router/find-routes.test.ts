import { seededRandom } from '@pipevine/transports';
import { expect, test } from 'vitest';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { findRoutes } from './find-routes.ts';

function id(number: number): PeerId {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, number);
  return peerIdFromBytes(bytes);
}

const NONE: ReadonlySet<PeerId> = new Set();
const limits = { maxHops: 4, maxRoutes: 4, maxExplored: 256, excluded: NONE, costOf: () => 0 };

/** Relays on the shortest way, by a breadth-first search; Infinity when there is none within `maxHops`. */
function shortest(
  starts: readonly PeerId[],
  ends: readonly PeerId[],
  linked: (relay: PeerId) => readonly PeerId[],
  maxHops: number,
): number {
  let edge = [...starts];
  const seen = new Set(edge);
  for (let hops = 1; hops <= maxHops; hops++) {
    if (edge.some((relay) => ends.includes(relay))) return hops;
    edge = edge.flatMap(linked).filter((relay) => !seen.has(relay) && seen.add(relay));
  }
  return Infinity;
}

test('a way is found exactly when there is one, is the shortest, and has nobody twice', () => {
  const lengths = new Map<number, number>();
  for (let seed = 0; seed < 1_000; seed++) {
    const random = seededRandom(`graph ${seed}`);
    const below = (count: number): number => Math.floor(random.fraction() * count);
    const relays = Array.from({ length: 2 + below(12) }, (_, i) => id(i));
    const names = new Map<PeerId, PeerId[]>(relays.map((relay) => [relay, []]));
    for (const [i, relay] of relays.entries()) {
      for (const other of relays.slice(i + 1)) {
        if (below(6) > 0) continue;
        names.get(relay)?.push(other);
        names.get(other)?.push(relay);
      }
    }
    // What a hostile relay says of itself.
    names.get(id(0))?.push(id(0), id(99), id(100));
    const some = (): PeerId[] => relays.filter(() => below(6) === 0);
    const [starts, ends, target] = [some(), some(), id(99)];
    const neighboursOf = (relay: PeerId): readonly PeerId[] => names.get(relay) ?? [];
    const excluded = new Set([id(100)]);
    const routes = findRoutes({ ...limits, starts, ends, target, neighboursOf, excluded });
    const least = shortest(starts, ends, neighboursOf, limits.maxHops);
    expect(routes[0]?.length ?? Infinity, `seed ${seed}`).toBe(least);
    lengths.set(least, (lengths.get(least) ?? 0) + 1);
    expect(new Set(routes.map((route) => route.join())).size).toBe(routes.length);
    for (const route of routes) {
      expect(new Set([...route, target, id(100)]).size).toBe(route.length + 2);
      expect(route.length).toBeLessThanOrEqual(limits.maxHops);
      expect(starts).toContain(route[0]);
      expect(ends).toContain(route.at(-1));
      for (const [i, relay] of route.entries()) {
        const next = route[i + 1];
        if (next !== undefined) expect(neighboursOf(relay)).toContain(next);
      }
    }
  }
  for (const length of [1, 2, 3, 4, Infinity]) expect(lengths.get(length) ?? 0).toBeGreaterThan(10);
});

test('one that names the other is enough, wherever the way is cut', () => {
  const [a, b, c, target] = [id(1), id(2), id(3), id(9)];
  for (const names of [
    new Map([
      [a, [b]],
      [c, [b]],
    ]),
    new Map([
      [b, [a]],
      [c, [b]],
    ]),
    new Map([
      [a, [b]],
      [b, [c]],
    ]),
  ]) {
    const neighboursOf = (relay: PeerId): readonly PeerId[] => names.get(relay) ?? [];
    expect(findRoutes({ ...limits, starts: [a], ends: [c], target, neighboursOf })).toEqual([[a, b, c]]);
  }
});

test('a hop that must not be taken is not, and a dear one only when there is no other', () => {
  const [a, b, c, d, target] = [id(1), id(2), id(3), id(4), id(9)];
  const names = new Map([
    [a, [b, c, d]],
    [b, [d]],
    [c, [d]],
  ]);
  const neighboursOf = (relay: PeerId): readonly PeerId[] => names.get(relay) ?? [];
  const find = (costOf: (near: PeerId, far: PeerId) => number) =>
    findRoutes({ ...limits, starts: [a], ends: [d], target, neighboursOf, costOf });
  expect(find(() => 0)[0]).toEqual([a, d]);
  expect(find(() => 0)).toContainEqual([a, b, d]);
  const isDirect = (near: PeerId, far: PeerId): boolean => near === a && far === d;
  expect(find((near, far) => (isDirect(near, far) ? 1_500 : 0))[0]).toEqual([a, b, d]);
  const resting = find((near, far) => (isDirect(near, far) || far === b ? Infinity : 0));
  expect(resting).toEqual([[a, c, d]]);
  expect(find((_, far) => (far === target ? Infinity : 0))).toEqual([]);
});

test('whoever names thousands costs no more than is explored', () => {
  let asked = 0;
  const neighboursOf = (relay: PeerId): readonly PeerId[] => {
    asked++;
    return Array.from({ length: 8 }, (_, i) => id(Number(relay.length) * asked * 8 + i));
  };
  expect(findRoutes({ ...limits, starts: [id(1)], ends: [id(2)], target: id(9), neighboursOf })).toEqual([]);
  expect(asked).toBeLessThanOrEqual(limits.maxExplored);
});
