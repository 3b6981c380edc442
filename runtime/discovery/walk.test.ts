import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { SearchScope } from '../rendezvous/search-scope.ts';
import { type FakeResolver, FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import { DiscoveryService } from './discovery-service.ts';

let clock: VirtualClock;
let overlay: FakeResolvers;

interface Node {
  readonly peer: FakeResolver;
  readonly store: AdvertisementStore;
  readonly discovery: DiscoveryService;
}

type Ask = readonly [peer: () => PeerId, walk: boolean];

/** Asks those of `first`, then those of `second`, as far as they are neighbours; a client's walk never walks on. */
function scopeOf(peer: FakeResolver, first: readonly Ask[], second: readonly Ask[]): SearchScope {
  const targets = (asks: readonly Ask[]) =>
    asks.flatMap(([id, walk]) => {
      const neighbour = peer.neighbour(id());
      return neighbour === undefined ? [] : [{ neighbour, walk }];
    });
  return {
    plan: () => ({ first: targets(first), second: targets(second) }),
    settled: () => peer.settled(),
    watched: () => targets(first),
    subscribe: () => ({ unsubscribe: () => undefined }),
  };
}

function node(name: string, first?: readonly Ask[], second: readonly Ask[] = [], roles = ['member']): Node {
  const peer = overlay.peer(name, { roles });
  const random = seededRandom(name);
  const store = new AdvertisementStore({ storage: new MemoryStorage({ clock }), clock, crypto: nodeCrypto, random });
  const { identity } = peer;
  const discovery = new DiscoveryService({ identity, store, clock, random, hostOf: () => undefined });
  const scope = first && scopeOf(peer, first, second);
  discovery.openGroup(overlay.group, { resolver: peer, publishers: { accept: () => true }, ...(scope && { scope }) });
  return { peer, store, discovery };
}

const publish = (at: Node, name: string) =>
  clock.run(at.discovery.publish({ kind: 'thing', group: overlay.group, key: name, name }));
const asked = (at: Node) => at.peer.requests.get('discovery') ?? 0;

async function find(at: Node, more: { name?: string; limit?: number; key?: string; publisher?: PeerId } = {}) {
  const names: string[] = [];
  const search = async () => {
    for await (const { name } of at.discovery.find({ kind: 'thing', group: overlay.group, ...more })) names.push(name);
  };
  await clock.run(search());
  return names.sort();
}

/** An edge, its rendezvous, and two others that only the rendezvous knows. */
function walkers() {
  const edge = node('edge', [[() => near.peer.localPeer, true]]);
  const near: Node = node('near', [[() => far.peer.localPeer, false]], [[() => spare.peer.localPeer, false]]);
  const far = node('far');
  const spare = node('spare');
  overlay.link(edge.peer, near.peer);
  overlay.link(near.peer, far.peer);
  overlay.link(near.peer, spare.peer);
  return { edge, near, far, spare };
}

beforeEach(() => {
  clock = new VirtualClock();
  overlay = new FakeResolvers(clock);
});

describe('a walk', () => {
  it('brings what other rendezvous hold, and each result once', async () => {
    const { edge, near, far, spare } = walkers();
    await publish(near, 'lamp');
    await publish(far, 'door');
    expect(await find(edge)).toEqual(['door', 'lamp']);
    expect(asked(spare)).toBe(0);
    expect(await find(edge)).toEqual(['door', 'lamp']);
  });

  it('asks the second round only when the first found nothing', async () => {
    const { edge, spare } = walkers();
    await publish(spare, 'bell');
    expect(await find(edge)).toEqual(['bell']);
  });

  it('is not made for who did not ask for it', async () => {
    const { near, far } = walkers();
    const other = node('other');
    overlay.link(other.peer, near.peer);
    await publish(far, 'door');
    expect(await find(other)).toEqual([]);
    expect(asked(far)).toBe(0);
  });

  it('stays within the limit and stops asking when it is reached', async () => {
    const { edge, near, far } = walkers();
    for (const name of ['1', '2', '3']) await publish(near, name);
    for (const name of ['4', '5', '6']) await publish(far, name);
    expect(await find(edge, { limit: 2 })).toHaveLength(2);
    expect(asked(far)).toBe(0);
    expect(await find(edge, { limit: 4 })).toHaveLength(4);
  });

  it('gives what is there when the others stay silent, before the asker gives up', async () => {
    const { edge, near, far } = walkers();
    await publish(near, 'lamp');
    far.discovery.closeGroup(overlay.group);
    far.peer.handle('discovery', () =>
      (async function* () {
        await new Promise(() => undefined);
        yield new Uint8Array(0);
      })(),
    );
    const before = clock.monotonicMs();
    expect(await find(edge)).toEqual(['lamp']);
    expect(clock.monotonicMs() - before).toBeLessThan(2_000);
  });

  it('follows what other rendezvous hold for as long as somebody watches', async () => {
    const { edge, far } = walkers();
    const changes: string[] = [];
    const abort = new AbortController();
    const follow = async () => {
      const query = { kind: 'thing', group: overlay.group } as const;
      for await (const { change, advertisement } of edge.discovery.watch(query, { signal: abort.signal })) {
        changes.push(`${change} ${advertisement.name}`);
      }
    };
    const done = follow();
    await clock.runFor(1_000);
    await publish(far, 'door');
    await clock.runFor(1_000);
    await clock.run(far.discovery.withdraw({ kind: 'thing', group: overlay.group, key: 'door' }));
    await clock.runFor(1_000);
    expect(changes).toEqual(['added door', 'removed door']);
    expect(far.discovery.status()['discovery queries']?.used).toBe(1);
    abort.abort();
    await clock.run(done);
    await clock.runFor(1_000);
    expect(far.discovery.status()['discovery queries']?.used).toBe(0);
  });
});

describe('one advertisement looked for', () => {
  it('is there as soon as its publisher has answered, though others stay silent', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    await publish(b, 'lamp');
    c.discovery.closeGroup(overlay.group);
    c.peer.handle('discovery', () =>
      (async function* () {
        await new Promise(() => undefined);
        yield new Uint8Array(0);
      })(),
    );
    overlay.link(a.peer, b.peer);
    overlay.link(a.peer, c.peer);
    const before = clock.monotonicMs();
    expect(await find(a, { publisher: b.peer.localPeer, key: 'lamp' })).toEqual(['lamp']);
    expect(clock.monotonicMs() - before).toBeLessThan(100);
  });
});

describe('a search that came to nothing', () => {
  it('is not sent again before a pause that doubles up to 15 s', async () => {
    const [a, b] = [node('a'), node('b')];
    overlay.link(a.peer, b.peer);
    const sentAt: number[] = [];
    for (let ms = 0; ms < 120_000; ms += 100) {
      const before = asked(b);
      await find(a, { name: 'none' });
      if (asked(b) > before) sentAt.push(clock.monotonicMs());
      await clock.runFor(100);
    }
    const pauses = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0));
    expect(pauses[0]).toBeGreaterThanOrEqual(250);
    expect(pauses[0]).toBeLessThan(700);
    expect(Math.max(...pauses)).toBeLessThan(15_200);
    expect(sentAt.length).toBeLessThan(20);
    expect(pauses.at(-1)).toBeGreaterThan(7_000);
  });

  it('is sent at once when something is known meanwhile, or somebody else can be asked', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    overlay.link(a.peer, b.peer);
    await find(a);
    await find(a);
    expect(asked(b)).toBe(1);
    overlay.link(a.peer, c.peer);
    await publish(c, 'lamp');
    expect(await find(a)).toEqual(['lamp']);
    await publish(b, 'door');
    expect(await find(a)).toEqual(['door', 'lamp']);
  });
});

describe('the peers that a neighbour knows', () => {
  it('are told to who asks, as many as it wants', async () => {
    const [a, b] = [node('a'), node('b')];
    for (const other of [b, node('c'), node('d')]) {
      const { encoded } = await clock.run(other.discovery.publish({ kind: 'peer', group: overlay.group }));
      if (other !== b) b.store.receive(encoded);
    }
    overlay.link(a.peer, b.peer);
    const [neighbour] = a.peer.neighbours();
    if (neighbour === undefined) throw new Error('No neighbour.');
    expect(await clock.run(a.discovery.knownPeers(neighbour, overlay.group))).toHaveLength(3);
    expect(await clock.run(a.discovery.knownPeers(neighbour, overlay.group, 2))).toHaveLength(2);
  });

  it('are streamed to a follower only as far as they are the neighbour itself', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    overlay.link(a.peer, b.peer);
    const unfollow = a.discovery.followNeighbours('peer', overlay.group);
    for (const other of [b, c]) {
      const { encoded } = await clock.run(other.discovery.publish({ kind: 'peer', group: overlay.group }));
      if (other === c) b.store.receive(encoded);
    }
    await clock.runFor(1_000);
    const known = a.discovery.local({ kind: 'peer', group: overlay.group }).map(({ publisher }) => publisher);
    expect(known).toEqual([b.peer.localPeer]);
    unfollow();
  });

  it('are streamed by neighbours that come later or come back, until the follower has had enough', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    const unfollow = a.discovery.followNeighbours('peer', overlay.group);
    const advertise = async (other: typeof b, name: string) => {
      await clock.run(other.discovery.publish({ kind: 'peer', group: overlay.group, name }));
      await clock.runFor(1_000);
    };
    const known = () => a.discovery.local({ kind: 'peer', group: overlay.group }).map(({ name }) => name);
    overlay.link(a.peer, b.peer);
    overlay.link(a.peer, c.peer);
    await advertise(b, 'b');
    await advertise(c, 'c');
    expect(known().sort()).toEqual(['b', 'c']);
    overlay.unlink(a.peer, b.peer);
    await advertise(b, 'b away');
    expect(known()).toContain('b');
    overlay.link(a.peer, b.peer);
    await clock.runFor(1_000);
    expect(known()).toContain('b away');
    await advertise(b, 'b back');
    expect(known()).toContain('b back');
    unfollow();
    await advertise(b, 'b alone');
    expect(known()).toContain('b back');
  });
});

describe('a hostile asker', () => {
  it('who may not discover is told which capability is missing', async () => {
    const [a, b] = [node('a', undefined, [], ['relay']), node('b')];
    await publish(b, 'lamp');
    overlay.link(a.peer, b.peer);
    expect(await find(a)).toEqual([]);
    const [neighbour] = a.peer.neighbours();
    if (neighbour === undefined) throw new Error('No neighbour.');
    await expect(clock.run(a.discovery.knownPeers(neighbour, overlay.group))).rejects.toMatchObject({
      code: 'refused',
    });
  });

  it('who makes searches costly is put off, and the next one served', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    const published = Array.from({ length: 3_000 }, (_, i) =>
      b.discovery.publish({ kind: 'thing', group: overlay.group, key: `${i}`, name: `thing ${i}` }),
    );
    await clock.run(Promise.all(published));
    overlay.link(a.peer, b.peer);
    overlay.link(c.peer, b.peer);
    const before = b.store.visited;
    for (let i = 0; i < 1_000; i++) await find(a, { name: `*${'a*'.repeat(100)}${i}` });
    expect(b.store.visited - before).toBeLessThan(1_600_000);
    expect(b.discovery.status()['discovery queries']?.dropped).toBeGreaterThan(400);
    expect(await find(c, { name: 'thing 17' })).toEqual(['thing 17']);
  });
});
