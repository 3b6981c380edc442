import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AdvertisementInit } from '../advertisement/advertisement.ts';
import { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { encodeDelegationBody } from '../advertisement/delegation-body.ts';
import { encodePeerBody } from '../advertisement/peer-body.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupIdToBytes } from '../id/group-id.ts';
import { type Identity, identityFromSeed } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import { type FakeResolver, FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import { AdvertisedRoutes } from './advertised-routes.ts';
import { DiscoveryService } from './discovery-service.ts';
import { PublisherCheck } from './publisher-check.ts';

let clock: VirtualClock;
let overlay: FakeResolvers;
const revoked = new Set<PeerId>();

interface Node {
  readonly peer: FakeResolver;
  readonly store: AdvertisementStore;
  readonly discovery: DiscoveryService;
  readonly check: PublisherCheck;
}

/** What `FakeResolvers` calls a credential is one here. */
function verify(subject: PeerId, encoded: Uint8Array) {
  const peer = overlay.peers.get(subject);
  const text = new TextDecoder().decode(encoded);
  if (peer === undefined || new TextDecoder().decode(peer.credential.encoded) !== text) {
    throw new PipevineError('forged', 'Not a credential of this peer.');
  }
  if (revoked.has(subject)) throw new PipevineError('revoked', 'The membership was revoked.');
  return peer.credential;
}

function node(name: string, roles: readonly string[] = ['member'], capabilities: readonly string[] = []): Node {
  const peer = overlay.peer(name, { roles, capabilities });
  const { group } = overlay;
  const random = seededRandom(name);
  const store = new AdvertisementStore({ storage: new MemoryStorage({ clock }), clock, crypto: nodeCrypto, random });
  const routes = new AdvertisedRoutes({ store, clock, groups: () => [group], otherAddresses: () => [] });
  const hostOf = routes.hostOf.bind(routes);
  const { identity, localPeer } = peer;
  const check = new PublisherCheck({ group, localPeer, access: { verify }, store, hostOf, clock });
  const discovery = new DiscoveryService({ identity, store, clock, random, hostOf });
  discovery.openGroup(group, { resolver: peer, publishers: check });
  return { peer, store, discovery, check };
}

const publish = (at: Node, init: Omit<AdvertisementInit, 'group'>, identity?: Identity) =>
  clock.run(at.discovery.publish({ ...init, group: overlay.group }, identity));

function publishPeer(at: Node, credential = at.peer.credential.encoded) {
  const body = encodePeerBody({ addresses: [], roles: [], profile: '', staticKey: new Uint8Array(32), credential });
  return publish(at, { kind: 'peer', body });
}

async function find(at: Node, kind: 'thing' | 'name' = 'thing'): Promise<string[]> {
  const names: string[] = [];
  const search = async () => {
    for await (const { name } of at.discovery.find({ kind, group: overlay.group })) names.push(name);
  };
  await clock.run(search());
  return names.sort();
}

const unproven = (at: Node) => at.discovery.status()['advertisements unproven']?.dropped;

beforeEach(() => {
  clock = new VirtualClock();
  overlay = new FakeResolvers(clock);
  revoked.clear();
});

describe('what is heard from its publisher', () => {
  it.each([
    ['member', ['lamp']],
    ['guest', []],
  ])('counts when a %s may publish it', async (role, expected) => {
    const [a, b] = [node('a'), node('b', [role])];
    await publish(b, { kind: 'thing', name: 'lamp' });
    overlay.link(a.peer, b.peer);
    expect(await find(a)).toEqual(expected);
    expect(a.peer.distrusted).toEqual([]);
  });

  it('needs a claim for a name, or the right to administer', async () => {
    const nodes = [
      node('b'),
      node('c', ['member'], ['name:kitchen*']),
      node('d', ['member'], ['name:cellar*']),
      node('e', ['administrator']),
    ];
    const a = node('a');
    for (const one of nodes) {
      await publish(one, { kind: 'name', name: `kitchen ${one.peer.name}` });
      overlay.link(a.peer, one.peer);
    }
    expect(await find(a, 'name')).toEqual(['kitchen c', 'kitchen e']);
    expect(unproven(a)).toBe(2);
  });

  it('counts for a hosted peer when its host may host, the host proven by its link', async () => {
    const virtual = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(8));
    for (const [role, expected] of [
      ['gateway', ['sensor']],
      ['member', []],
    ] as const) {
      const [a, b] = [node(`a ${role}`), node(`b ${role}`, [role])];
      const body = encodeDelegationBody({ delegate: b.peer.localPeer, notAfterMs: clock.wallMs() + 60_000 });
      await publish(b, { kind: 'delegation', body }, virtual);
      await publish(b, { kind: 'thing', name: 'sensor' }, virtual);
      overlay.link(a.peer, b.peer);
      expect(await find(a)).toEqual(expected);
    }
  });
});

describe('what is heard from another', () => {
  /** b heard of what c published; then c was gone. */
  async function viaB(c: Node): Promise<{ a: Node; b: Node }> {
    const [a, b] = [node('a'), node('b')];
    overlay.link(b.peer, c.peer);
    await clock.run(b.discovery.knownPeers(b.peer.neighbours()[0] ?? fail(), overlay.group));
    await find(b);
    overlay.unlink(b.peer, c.peer);
    overlay.link(a.peer, b.peer);
    return { a, b };
  }

  it('counts when the answer proves that its publisher is a member who may publish', async () => {
    const c = node('c');
    await publishPeer(c);
    await publish(c, { kind: 'thing', name: 'lamp' });
    const { a } = await viaB(c);
    expect(await find(a)).toEqual(['lamp']);
    expect(unproven(a)).toBe(0);
  });

  it('is dropped and counted without proof, and the neighbour still trusted', async () => {
    const c = node('c');
    await publish(c, { kind: 'thing', name: 'lamp' });
    const { a, b } = await viaB(c);
    await publish(b, { kind: 'thing', name: 'door' });
    expect(await find(a)).toEqual(['door']);
    expect(unproven(a)).toBe(1);
    expect(a.peer.distrusted).toEqual([]);
  });

  it('is dropped when the credential shown is that of another', async () => {
    const c = node('c');
    await publishPeer(c, node('d').peer.credential.encoded);
    await publish(c, { kind: 'thing', name: 'lamp' });
    const { a } = await viaB(c);
    expect(await find(a)).toEqual([]);
    // The peer advertisement, and the thing.
    expect(unproven(a)).toBe(2);
  });

  it('counts for a hosted peer by its delegation and its host', async () => {
    const c = node('c', ['gateway']);
    const virtual = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(8));
    await publishPeer(c);
    const body = encodeDelegationBody({ delegate: c.peer.localPeer, notAfterMs: clock.wallMs() + 60_000 });
    await publish(c, { kind: 'delegation', body }, virtual);
    await publish(c, { kind: 'thing', name: 'sensor' }, virtual);
    const { a } = await viaB(c);
    expect(await find(a)).toEqual(['sensor']);
    expect(unproven(a)).toBe(0);
  });

  it('counts when the proofs come after what they prove, within one push', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c', ['gateway'])];
    const virtual = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(8));
    const peer = await publishPeer(c);
    const body = encodeDelegationBody({ delegate: c.peer.localPeer, notAfterMs: clock.wallMs() + 60_000 });
    const delegation = await publish(c, { kind: 'delegation', body }, virtual);
    const thing = await publish(c, { kind: 'thing', name: 'sensor' }, virtual);
    overlay.link(a.peer, b.peer);
    const [neighbour] = a.peer.neighbours();
    const pushed = [thing, delegation, peer].map(({ encoded }) => encoded);
    expect(a.discovery.receive(overlay.group, pushed.slice(0, 2), neighbour ?? fail())).toEqual({
      taken: 0,
      unproven: 2,
      replayed: 0,
    });
    expect(a.discovery.receive(overlay.group, pushed, neighbour ?? fail())).toEqual({
      taken: 3,
      unproven: 0,
      replayed: 0,
    });
  });

  it('counts without any proof when the authority published it', async () => {
    const [a, b] = [node('a'), node('b')];
    const authority = identityFromSeed(nodeCrypto, seededRandom('fake group').bytes(32));
    expect(authority.signing.publicKey).toEqual(groupIdToBytes(overlay.group));
    await publish(b, { kind: 'thing', name: 'notice' }, authority);
    overlay.link(a.peer, b.peer);
    expect(await find(a)).toEqual(['notice']);
  });

  it('lets a withdrawal take back what is held, whoever brings it', async () => {
    const c = node('c');
    await publishPeer(c);
    await publish(c, { kind: 'thing', name: 'lamp' });
    const { a } = await viaB(c);
    await find(a);
    revoked.add(c.peer.localPeer);
    const gone = await clock.run(c.store.withdraw(c.peer.identity, { kind: 'thing', group: overlay.group }));
    const [neighbour] = a.peer.neighbours();
    a.discovery.receive(overlay.group, [gone?.encoded ?? fail()], neighbour ?? fail());
    expect(a.discovery.local({ kind: 'thing', group: overlay.group })).toEqual([]);
  });
});

describe('a membership that ends', () => {
  it('takes away what the member had published, and only that; the same version comes again with a new credential', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    for (const one of [b, c]) {
      await publishPeer(one);
      await publish(one, { kind: 'thing', name: `lamp of ${one.peer.name}` });
      overlay.link(a.peer, one.peer);
      await clock.run(a.discovery.knownPeers(a.peer.neighbour(one.peer.localPeer) ?? fail(), overlay.group));
    }
    expect(await find(a)).toEqual(['lamp of b', 'lamp of c']);
    overlay.unlink(a.peer, b.peer);
    revoked.add(b.peer.localPeer);
    await clock.run(a.check.recheck());
    expect(await find(a)).toEqual(['lamp of c']);
    revoked.clear();
    overlay.link(a.peer, b.peer);
    expect(await find(a)).toEqual(['lamp of b', 'lamp of c']);
  });

  it('is noticed within a quarter of an hour when it runs out, without anybody saying so', async () => {
    const [a, b] = [node('a'), node('b')];
    await publishPeer(b);
    await publish(b, { kind: 'thing', name: 'lamp' });
    overlay.link(a.peer, b.peer);
    await clock.run(a.discovery.knownPeers(a.peer.neighbours()[0] ?? fail(), overlay.group));
    await find(a);
    overlay.unlink(a.peer, b.peer);
    revoked.add(b.peer.localPeer);
    await clock.runFor(16 * 60_000);
    expect(a.discovery.local({ kind: 'thing', group: overlay.group })).toEqual([]);
    expect(a.discovery.local({ kind: 'peer', group: overlay.group })).toEqual([]);
  });

  it('leaves turns of the loop to others when there are many publishers', async () => {
    const a = node('a');
    const b = node('b', ['gateway']);
    await publishPeer(b);
    const notAfterMs = clock.wallMs() + 3_600_000;
    overlay.link(a.peer, b.peer);
    for (let i = 0; i < 200; i++) {
      const virtual = identityFromSeed(nodeCrypto, Uint8Array.from([i, ...new Uint8Array(31)]));
      await publish(
        b,
        { kind: 'delegation', body: encodeDelegationBody({ delegate: b.peer.localPeer, notAfterMs }) },
        virtual,
      );
      await publish(b, { kind: 'thing', name: `${i}` }, virtual);
    }
    await clock.run(a.discovery.knownPeers(a.peer.neighbours()[0] ?? fail(), overlay.group));
    expect(await find(a)).toHaveLength(200);
    revoked.add(b.peer.localPeer);
    const left: number[] = [];
    const look = () => {
      left.push(a.discovery.local({ kind: 'thing', group: overlay.group }).length);
      if (left.at(-1) !== 0) clock.endOfTurn(look);
    };
    const done = a.check.recheck();
    look();
    await clock.run(done);
    expect(new Set(left).size).toBeGreaterThan(4);
    expect(left.at(-1)).toBe(0);
  });
});

function fail(): never {
  throw new Error('Expected to be there.');
}
