import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Advertisement } from '../advertisement/advertisement.ts';
import { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { encodeDelegationBody } from '../advertisement/delegation-body.ts';
import type { GroupId } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import type { SearchScope } from '../rendezvous/search-scope.ts';
import { type FakeResolver, FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import { AdvertisedRoutes } from './advertised-routes.ts';
import type { AdvertisementChange } from './discovery.ts';
import { encodeItem } from './discovery-codec.ts';
import { DiscoveryService } from './discovery-service.ts';

let clock: VirtualClock;
let overlay: FakeResolvers;
let group: GroupId;

interface Node {
  readonly peer: FakeResolver;
  readonly store: AdvertisementStore;
  readonly discovery: DiscoveryService;
}

function node(
  name: string,
  init: { readonly roles?: readonly string[]; readonly scope?: (peer: FakeResolver) => SearchScope } = {},
): Node {
  const peer = overlay.peer(name, init.roles && { roles: init.roles });
  const random = seededRandom(name);
  const store = new AdvertisementStore({ storage: new MemoryStorage({ clock }), clock, crypto: nodeCrypto, random });
  const routes = new AdvertisedRoutes({ store, clock, groups: () => [group], otherAddresses: () => [] });
  const { identity } = peer;
  const discovery = new DiscoveryService({ identity, store, clock, random, hostOf: routes.hostOf.bind(routes) });
  const scope = init.scope?.(peer);
  discovery.openGroup(group, { resolver: peer, publishers: { accept: () => true }, ...(scope && { scope }) });
  return { peer, store, discovery };
}

/** In place of the discovery of a node: answers each query with these items. */
function answering(at: Node, items: () => AsyncIterable<Uint8Array>): void {
  at.discovery.closeGroup(group);
  at.peer.handle('discovery', items);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const names = (found: readonly Advertisement[]) => found.map(({ name }) => name).sort();
const publish = (at: Node, name: string) => clock.run(at.discovery.publish({ kind: 'thing', group, key: name, name }));
const find = (at: Node) => clock.run(all(at.discovery.find({ kind: 'thing', group })));

beforeEach(() => {
  clock = new VirtualClock();
  overlay = new FakeResolvers(clock);
  ({ group } = overlay);
});

describe('finding advertisements', () => {
  it('finds what each neighbour publishes, and each thing once', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    await publish(b, 'lamp');
    await publish(c, 'door');
    overlay.link(a.peer, b.peer);
    overlay.link(a.peer, c.peer);
    expect(names(await find(a))).toEqual(['door', 'lamp']);
    expect(names(await find(a))).toEqual(['door', 'lamp']);
  });

  it('gives the newest version even when an older one is cached', async () => {
    const [a, b] = [node('a'), node('b')];
    await publish(b, 'lamp');
    overlay.link(a.peer, b.peer);
    await find(a);
    await clock.run(b.discovery.publish({ kind: 'thing', group, key: 'lamp', name: 'big lamp' }));
    expect(names(await find(a))).toEqual(['big lamp']);
  });

  it('finds what is cached when no neighbour is there, without waiting', async () => {
    const [a, b] = [node('a'), node('b')];
    await publish(b, 'lamp');
    overlay.link(a.peer, b.peer);
    await find(a);
    overlay.unlink(a.peer, b.peer);
    const before = clock.monotonicMs();
    expect(names(await find(a))).toEqual(['lamp']);
    expect(clock.monotonicMs()).toBe(before);
  });

  it('ends at the deadline when a neighbour stays silent', async () => {
    const [a, b] = [node('a'), node('b')];
    await publish(a, 'own');
    overlay.link(a.peer, b.peer);
    await clock.runFor(10);
    answering(b, () =>
      (async function* () {
        await new Promise(() => undefined);
        yield new Uint8Array(0);
      })(),
    );
    const before = clock.monotonicMs();
    expect(names(await find(a))).toEqual(['own']);
    expect(clock.monotonicMs() - before).toBe(2_000);
  });

  it('stays within the limit', async () => {
    const [a, b] = [node('a'), node('b')];
    for (const name of ['1', '2', '3', '4']) await publish(b, name);
    overlay.link(a.peer, b.peer);
    expect(await clock.run(all(a.discovery.find({ kind: 'thing', group, limit: 2 })))).toHaveLength(2);
  });

  it('drops a thing that its publisher withdrew while there was no link', async () => {
    const [a, b] = [node('a'), node('b')];
    await publish(b, 'lamp');
    await publish(b, 'door');
    overlay.link(a.peer, b.peer);
    await find(a);
    overlay.unlink(a.peer, b.peer);
    await clock.run(b.discovery.withdraw({ kind: 'thing', group, key: 'lamp' }));
    overlay.link(a.peer, b.peer);
    expect(names(await find(a))).toEqual(['door']);
  });

  it('keeps a thing of another publisher that this neighbour does not know', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    await publish(c, 'lamp');
    overlay.link(a.peer, c.peer);
    await find(a);
    overlay.unlink(a.peer, c.peer);
    overlay.link(a.peer, b.peer);
    expect(names(await find(a))).toEqual(['lamp']);
  });

  it('learns who speaks for a hosted publisher along with what it publishes', async () => {
    const [a, b] = [node('a'), node('b')];
    const virtual = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(8));
    const body = encodeDelegationBody({ delegate: b.peer.localPeer, notAfterMs: clock.wallMs() + 60_000 });
    await clock.run(b.discovery.publish({ kind: 'delegation', group, body }, virtual));
    await clock.run(b.discovery.publish({ kind: 'thing', group, name: 'sensor' }, virtual));
    overlay.link(a.peer, b.peer);
    expect(names(await find(a))).toEqual(['sensor']);
    const routes = new AdvertisedRoutes({ store: a.store, clock, groups: () => [group], otherAddresses: () => [] });
    expect(routes.hostOf(virtual.id)).toBe(b.peer.localPeer);
    await clock.runFor(61_000);
    expect(routes.hostOf(virtual.id)).toBeUndefined();
  });
});

describe('a neighbour that cannot be trusted', () => {
  it('is counted and left alone for a minute when it sends a forged advertisement, and nobody believes it', async () => {
    const [a, b] = [node('a'), node('b')];
    const genuine = await clock.run(b.discovery.publish({ kind: 'thing', group, name: 'lamp' }));
    const forged = genuine.encoded.slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    let asked = 0;
    answering(b, () =>
      (async function* () {
        asked++;
        yield encodeItem({ type: 'advertisements', encoded: [forged] });
        yield encodeItem({ type: 'end', complete: true });
      })(),
    );
    overlay.link(a.peer, b.peer);
    expect(await find(a)).toEqual([]);
    expect(a.discovery.status()['advertisements forged']?.dropped).toBe(1);
    await clock.runFor(50_000);
    expect(await find(a)).toEqual([]);
    expect(asked).toBe(1);
  });

  it('cannot bring back an old version', async () => {
    const [a, b] = [node('a'), node('b')];
    const old = await clock.run(b.discovery.publish({ kind: 'thing', group, name: 'old' }));
    await clock.run(b.discovery.publish({ kind: 'thing', group, name: 'new' }));
    overlay.link(a.peer, b.peer);
    await find(a);
    answering(b, () =>
      (async function* () {
        yield encodeItem({ type: 'advertisements', encoded: [old.encoded] });
      })(),
    );
    expect(names(await find(a))).toEqual(['new']);
    expect(a.discovery.status()['advertisements replayed']?.dropped).toBe(1);
  });

  it('is not believed to have found what was not asked for', async () => {
    const [a, b] = [node('a'), node('b')];
    const other = await clock.run(b.discovery.publish({ kind: 'pipe', group, name: 'lamp' }));
    answering(b, () =>
      (async function* () {
        yield encodeItem({ type: 'advertisements', encoded: [other.encoded] });
      })(),
    );
    overlay.link(a.peer, b.peer);
    expect(await find(a)).toEqual([]);
  });
});

describe('watching', () => {
  function watch(at: Node): { changes: string[]; abort: AbortController; done: Promise<void> } {
    const changes: string[] = [];
    const abort = new AbortController();
    const follow = async () => {
      for await (const { change, advertisement } of at.discovery.watch(
        { kind: 'thing', group },
        { signal: abort.signal },
      ) as AsyncIterable<AdvertisementChange>) {
        changes.push(`${change} ${advertisement.name}`);
      }
    };
    return { changes, abort, done: follow() };
  }

  it('tells what is there, then each change at a neighbour within a second', async () => {
    const [a, b] = [node('a'), node('b')];
    await publish(b, 'lamp');
    overlay.link(a.peer, b.peer);
    const { changes, abort, done } = watch(a);
    await clock.runFor(1_000);
    await clock.run(b.discovery.publish({ kind: 'thing', group, key: 'lamp', name: 'big lamp' }));
    await publish(b, 'door');
    await clock.runFor(1_000);
    await clock.run(b.discovery.withdraw({ kind: 'thing', group, key: 'lamp' }));
    await clock.runFor(1_000);
    expect(changes).toEqual(['added lamp', 'updated big lamp', 'added door', 'removed big lamp']);
    abort.abort();
    await clock.run(done);
  });

  it('goes on by itself when a neighbour comes back, and tells what changed meanwhile', async () => {
    const [a, b] = [node('a'), node('b')];
    await publish(b, 'lamp');
    await publish(b, 'door');
    overlay.link(a.peer, b.peer);
    const { changes, abort, done } = watch(a);
    await clock.runFor(1_000);
    overlay.unlink(a.peer, b.peer);
    await clock.run(b.discovery.withdraw({ kind: 'thing', group, key: 'door' }));
    await publish(b, 'bell');
    await clock.runFor(90_000);
    overlay.link(a.peer, b.peer);
    await clock.runFor(1_000);
    expect(changes.sort()).toEqual(['added bell', 'added door', 'added lamp', 'removed door']);
    abort.abort();
    await clock.run(done);
  });

  it('asks each neighbour once for equal watches, and no more when the last has ended', async () => {
    const [a, b] = [node('a'), node('b')];
    overlay.link(a.peer, b.peer);
    await clock.runFor(10);
    const before = b.peer.requests.get('discovery') ?? 0;
    const [first, second] = [watch(a), watch(a)];
    await clock.runFor(100);
    expect((b.peer.requests.get('discovery') ?? 0) - before).toBe(1);
    first.abort.abort();
    second.abort.abort();
    await clock.run(Promise.all([first.done, second.done]));
    await clock.runFor(100);
    expect(b.discovery.status()['discovery queries']?.used).toBe(0);
  });

  it('ends when the group is left', async () => {
    const a = node('a');
    const { done } = watch(a);
    await clock.runFor(10);
    a.discovery.closeGroup(group);
    await clock.run(done, 1_000);
  });
});
