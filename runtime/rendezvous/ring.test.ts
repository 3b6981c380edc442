import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { groupIdFromBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { REPLICAS } from './rendezvous-defaults.ts';
import { affinity, Ring } from './ring.ts';

const group = groupIdFromBytes(seededRandom('group').bytes(32));
const peers = Array.from({ length: 40 }, (_, i) => peerIdFromBytes(seededRandom(`peer ${i}`).bytes(32)));
const ringOf = (count: number) => new Ring(nodeCrypto, group, peers.slice(0, count));
const points = Array.from({ length: 200 }, (_, i) => Math.floor(seededRandom(i).fraction() * 2 ** 48));

describe('the ring of rendezvous', () => {
  it('gives every point its replicas, all different', () => {
    for (let count = 1; count <= 40; count++) {
      const ring = ringOf(count);
      for (const point of [0, 2 ** 48 - 1, ...points]) {
        const holders = ring.holders(point);
        expect(holders).toHaveLength(Math.min(REPLICAS, count));
        expect(new Set(holders).size).toBe(holders.length);
      }
    }
  });

  it('has a cover set with a holder of every point, from wherever it begins, also when some cannot be asked', () => {
    for (let count = 1; count <= 40; count++) {
      const ring = ringOf(count);
      const from = peers[count >> 1] as PeerId; // There are 40.
      const cover = ring.coverSet(from, () => true);
      expect(cover[0]).toBe(from);
      expect(cover).toHaveLength(Math.ceil(count / REPLICAS));
      for (const point of points) expect(ring.holders(point).some((holder) => cover.includes(holder))).toBe(true);
      const isThere = (peer: PeerId) => peer === from || peers.indexOf(peer) % 4 !== 0;
      const fewer = ring.coverSet(from, isThere);
      expect(fewer.every(isThere)).toBe(true);
      for (const point of points) {
        const holders = ring.holders(point).filter(isThere);
        expect(holders.length === 0 || holders.some((holder) => fewer.includes(holder))).toBe(true);
      }
    }
  });

  it('is the same for all, whatever the order in which members became known', () => {
    const members = peers.slice(0, 10);
    expect(new Ring(nodeCrypto, group, [...members].reverse()).members).toEqual(ringOf(10).members);
    expect(new Ring(nodeCrypto, group, [...members, ...members]).members).toEqual(ringOf(10).members);
  });

  it('moves only the shares next to a member that comes or goes', () => {
    const before = ringOf(20);
    const after = ringOf(21);
    const changed = before.members.filter((member) => !before.sameShare(member, after));
    expect(changed).toHaveLength(REPLICAS);
    for (const member of before.members) {
      const held = (ring: Ring) => points.filter((point) => ring.holders(point).includes(member));
      if (!changed.includes(member)) expect(held(after)).toEqual(held(before));
    }
    expect(ringOf(3).sameShare(peers[0] as PeerId, ringOf(2))).toBe(true); // All hold everything.
    expect(ringOf(3).sameShare(peers[0] as PeerId, ringOf(4))).toBe(false);
  });

  it('spreads points over the members, and peers over rendezvous', () => {
    const ring = ringOf(10);
    const first = new Map<PeerId, number>();
    for (const member of peers) {
      const best = [...ring.members].sort(
        (a, b) => affinity(nodeCrypto, member, a) - affinity(nodeCrypto, member, b),
      )[0] as PeerId; // There are 10.
      first.set(best, (first.get(best) ?? 0) + 1);
    }
    expect(first.size).toBeGreaterThan(7);
    const slots = Array.from({ length: 300 }, (_, i) =>
      ring.pointOf({ group, kind: 'thing', publisher: peers[0] as PeerId, key: `${i}` }),
    );
    expect(new Set(slots).size).toBe(300);
    expect(new Set(slots.map((slot) => ring.holders(slot)[0])).size).toBeGreaterThan(7);
  });
});
