import { MemoryStorage, nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import type { Advertisement } from '../advertisement/advertisement.ts';
import { encodeDelegationBody } from '../advertisement/delegation-body.ts';
import { identityFromSeed } from '../id/identity.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { encodeAdvertisements, encodeCancel, encodeLeaseRequest, encodePeerview } from './rendezvous-codec.ts';
import { MAX_PEERVIEW } from './rendezvous-defaults.ts';
import { RendezvousWorld, type WorldPeer } from './testing/rendezvous-world.ts';

const leasedAt = (peer: WorldPeer) => peer.rendezvous.status().lease?.rendezvous;
const isLeased = (peer: WorldPeer) => leasedAt(peer) !== undefined;

function gateways(world: RendezvousWorld, count: number): WorldPeer[] {
  const made = Array.from({ length: count }, (_, i) =>
    world.peer(`gateway ${i}`, { roles: ['gateway'], mode: 'always' }),
  );
  for (const [i, gateway] of made.entries()) for (const other of made.slice(0, i)) world.link(gateway, other);
  return made;
}

/** Edges, each linked to one of the gateways in turn, and each publishing one thing. */
async function edges(world: RendezvousWorld, count: number, at: readonly WorldPeer[]): Promise<WorldPeer[]> {
  const made: WorldPeer[] = [];
  for (let i = 0; i < count; i++) {
    const edge = world.peer(`edge ${i}`);
    const gateway = at[i % at.length];
    if (gateway !== undefined) world.link(edge, gateway);
    await world.publish(edge, `thing ${i}`);
    made.push(edge);
  }
  return made;
}

const thing = (i: number) => ({ kind: 'thing', name: `thing ${i}` }) as const;

describe('a group with three rendezvous and thirty edges', () => {
  async function group() {
    const world = new RendezvousWorld();
    const servers = gateways(world, 3);
    const clients = await edges(world, 30, servers);
    await world.clock.runFor(5_000);
    return { world, servers, clients };
  }

  it('leases everybody, sees itself whole, and finds everything from everywhere', async () => {
    const { world, servers, clients } = await group();
    expect(clients.every(isLeased)).toBe(true);
    for (const server of servers) {
      expect(server.rendezvous.status()).toMatchObject({ serving: true, clients: 10, lease: undefined });
      expect(server.rendezvous.status().peerview).toHaveLength(3);
      // Three replicas of three rendezvous: each holds all.
      expect(server.store.search({ group: world.network.group, kind: 'thing' })).toHaveLength(30);
    }
    for (const client of clients.slice(0, 5)) {
      for (let i = 0; i < 30; i++) expect(world.find(client, thing(i))).toBe('first');
    }
    // Its own rendezvous alone has to be asked.
    world.messages = 0;
    world.find(clients[0] as WorldPeer, thing(7)); // There are 30.
    expect(world.messages).toBe(1);
  });

  it('has all leases back within 5 s and loses nothing when one rendezvous is killed', async () => {
    const { world, servers, clients } = await group();
    const [victim, ...left] = servers as [WorldPeer, ...WorldPeer[]]; // There are three.
    const orphans = clients.filter((client) => leasedAt(client) === victim.resolver.localPeer);
    expect(orphans.length).toBeGreaterThan(0);
    world.kill(victim);
    expect(orphans.some(isLeased)).toBe(false);
    for (let i = 0; i < 30; i++) expect(left.some((one) => world.find(one, thing(i)) !== undefined)).toBe(true);
    const startMs = world.clock.monotonicMs();
    await world.clock.runUntil(() => clients.every(isLeased), 5_000);
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(5_000);
    // Both that are left get some of them.
    expect(new Set(orphans.map(leasedAt)).size).toBe(2);
    await world.clock.runFor(10_000);
    for (const server of left) expect(server.rendezvous.status().peerview).toHaveLength(2);
    for (const client of clients) for (let i = 0; i < 30; i += 7) expect(world.find(client, thing(i))).toBe('first');
  });

  it('has all leases back within 2 s of the end of a partition of five minutes', async () => {
    const { world, clients } = await group();
    world.partition(clients);
    await world.clock.runFor(300_000);
    expect(clients.some(isLeased)).toBe(false);
    world.heal();
    await world.clock.runUntil(() => clients.every(isLeased), 3_000);
    await world.clock.runFor(2_000);
    for (let i = 0; i < 30; i++) expect(world.find(clients[29 - i] as WorldPeer, thing(i))).toBe('first'); // In range.
  });

  it('shares one index again after the rendezvous were apart, with what each took in meanwhile', async () => {
    const { world, servers, clients } = await group();
    const [apart, ...others] = servers as [WorldPeer, ...WorldPeer[]]; // There are three.
    const side = [apart, ...clients.filter((client) => leasedAt(client) === apart.resolver.localPeer)];
    world.partition(side);
    await world.clock.runFor(20_000);
    expect(apart.rendezvous.status().peerview).toHaveLength(1);
    const inside = side[1] as WorldPeer; // It had ten clients.
    const outside = clients.find((client) => !side.includes(client)) as WorldPeer;
    await world.publish(inside, 'new inside');
    await world.publish(outside, 'new outside');
    await world.clock.runFor(300_000);
    world.heal();
    await world.clock.runFor(10_000);
    for (const server of servers) {
      expect(server.rendezvous.status().peerview).toHaveLength(3);
      for (const key of ['new inside', 'new outside']) {
        const query = { group: world.network.group, kind: 'thing', key } as const;
        expect(server.store.search(query)).toHaveLength(1);
      }
    }
    expect(others).toHaveLength(2);
  });

  it('tells of changes and withdrawals', async () => {
    const { world, servers, clients } = await group();
    const { store, resolver } = clients[3] as WorldPeer; // There are 30.
    const { group: id } = world.network;
    await world.publish(clients[3] as WorldPeer, 'another');
    await world.clock.run(store.withdraw(resolver.identity, { kind: 'thing', group: id, key: 'thing 3' }));
    await world.clock.runFor(1_000);
    for (const server of servers) {
      expect(server.store.search({ group: id, kind: 'thing', key: 'another' })).toHaveLength(1);
      expect(server.store.search({ group: id, kind: 'thing', key: 'thing 3' })).toHaveLength(0);
    }
  });

  it('leaves in good order: leases are given back, and a rendezvous that leaves is out of the ring at once', async () => {
    const { world, servers, clients } = await group();
    const client = clients[0] as WorldPeer; // There are 30.
    const server = servers.find(({ resolver }) => resolver.localPeer === leasedAt(client));
    void client.rendezvous.close();
    await world.clock.runFor(100);
    expect(server?.rendezvous.status().clients).toBe(9);
    expect(client.wanted.size).toBe(0);
    void servers[0]?.rendezvous.close();
    await world.clock.runFor(1_000);
    expect(servers[1]?.rendezvous.status().peerview).toHaveLength(2);
    expect(servers[0]?.wanted.size).toBe(0);
  });
});

describe('the ring of ten rendezvous', () => {
  it('holds each advertisement three times, finds it by four messages, and keeps it through one death after the other', async () => {
    const world = new RendezvousWorld();
    const servers = gateways(world, 10);
    const clients = await edges(world, 40, servers);
    await world.clock.runFor(10_000);
    const { group } = world.network;
    const copies = (i: number) =>
      world.peers.filter(({ server, store }) => server && store.search({ group, ...thing(i) }).length > 0).length;
    for (let i = 0; i < 40; i++) {
      // Whoever took it in has it, too.
      expect(copies(i)).toBeGreaterThanOrEqual(3);
      expect(copies(i)).toBeLessThanOrEqual(4);
    }
    const asker = clients[0] as WorldPeer; // There are 40.
    for (let i = 0; i < 40; i++) {
      world.messages = 0;
      expect(world.find(asker, thing(i))).toBe('first');
      expect(world.messages).toBeLessThanOrEqual(4);
    }
    // One that is named is asked for at its holders alone.
    const named = { kind: 'thing', publisher: (clients[5] as WorldPeer).resolver.localPeer, key: 'thing 5' } as const;
    const plan = servers[0]?.rendezvous.scope.plan({ ...named, group }, 'client');
    expect(plan?.first.length).toBeLessThanOrEqual(3);
    for (let death = 0; death < 6; death++) {
      world.kill(servers[death] as WorldPeer);
      await world.clock.runFor(10_000);
      for (let i = 0; i < 40; i++) expect(world.find(asker, thing(i))).toBe('first');
    }
    for (let i = 0; i < 40; i++) expect(copies(i)).toBeGreaterThanOrEqual(3);
  });

  it('keeps what a peer published that is away, by copies of copies', async () => {
    const world = new RendezvousWorld();
    const servers = gateways(world, 10);
    const away = await edges(world, 20, servers);
    await world.clock.runFor(10_000);
    for (const one of away) world.kill(one);
    // By now no rendezvous takes them for its clients any more.
    await world.clock.runFor(700_000);
    // In the order of the ring: one holder of the same advertisement after the other.
    const order = servers[0]?.rendezvous.status().peerview ?? [];
    servers.sort((a, b) => order.indexOf(a.resolver.localPeer) - order.indexOf(b.resolver.localPeer));
    for (const victim of servers.splice(0, 7)) {
      world.kill(victim);
      await world.clock.runFor(10_000);
      for (const server of servers) expect(server.rendezvous.status().clients).toBe(0);
      for (let i = 0; i < 20; i++) expect(world.find(servers[0] as WorldPeer, thing(i))).toBe('first'); // Three are left.
    }
  });

  it('has every copy also when more came than could wait for a rendezvous that was out of reach for a moment', async () => {
    const world = new RendezvousWorld();
    const [a, b] = gateways(world, 2) as [WorldPeer, WorldPeer];
    const [edge] = (await edges(world, 1, [a])) as [WorldPeer];
    await world.clock.runFor(5_000);
    world.partition([b]);
    const { identity, group } = edge.resolver;
    const all = Array.from({ length: 1_500 }, (_, i) =>
      edge.store.publish(identity, { group, kind: 'thing', key: `many ${i}` }),
    );
    await world.clock.run(Promise.all(all));
    await world.clock.runFor(1_500);
    world.heal();
    world.link(a, b);
    expect(b.store.search({ group, kind: 'thing' }).length).toBeLessThan(10);
    await world.clock.runFor(30_000);
    expect(b.store.search({ group, kind: 'thing', limit: 2_000 })).toHaveLength(1_501);
  });

  it('finds by a second round what the first missed', async () => {
    const world = new RendezvousWorld();
    const servers = gateways(world, 10);
    await world.clock.runFor(5_000);
    const [asker] = servers as [WorldPeer]; // There are ten.
    const query = { kind: 'thing', name: 'stray', group: world.network.group } as const;
    const { first, second } = asker.rendezvous.scope.plan(query, 'own');
    expect(first.length).toBe(3);
    expect(second.length).toBe(6);
    const stray = world.peers.find(({ resolver }) => resolver.localPeer === second[0]?.neighbour.peer) as WorldPeer;
    await world.publish(world.peer('stranger'), 'stray');
    const [held] = (world.peers.at(-1) as WorldPeer).store.search(query);
    stray.store.receive(held?.encoded() ?? new Uint8Array(0));
    expect(world.find(asker, query)).toBe('second');
  });
});

describe('hostile and faulty members', () => {
  it('a late cancel of an older lease leaves the newer one', async () => {
    const world = new RendezvousWorld();
    const [server] = gateways(world, 1) as [WorldPeer]; // There is one.
    const edge = world.network.peer('raw');
    world.network.link(edge, server.resolver);
    const [neighbour] = edge.neighbours();
    const ask = (body: Uint8Array) =>
      world.clock.run(neighbour?.request('rendezvous', body) ?? Promise.reject(new Error('no link')));
    const first = (await ask(encodeLeaseRequest(undefined))).subarray(3, 11);
    await ask(encodeLeaseRequest(undefined));
    await ask(encodeCancel(first));
    expect(server.rendezvous.status().clients).toBe(1);
  });

  it('sybils with plain credentials are leased and nothing else: not asked, not in the ring, not obeyed', async () => {
    const world = new RendezvousWorld();
    const [honest] = gateways(world, 1) as [WorldPeer]; // There is one.
    const sybils = Array.from({ length: 40 }, (_, i) => world.peer(`sybil ${i}`, { mode: 'always' }));
    const [edge] = (await edges(world, 1, [honest])) as [WorldPeer];
    for (const sybil of sybils) {
      world.link(sybil, honest);
      world.link(sybil, edge);
    }
    await world.clock.runFor(10_000);
    expect(leasedAt(edge)).toBe(honest.resolver.localPeer);
    expect(honest.rendezvous.status().peerview).toEqual([honest.resolver.localPeer]);
    expect(sybils.some(({ rendezvous }) => rendezvous.status().serving)).toBe(false);
    const asked = edge.rendezvous.scope.plan({ group: world.network.group, ...thing(0) }, 'own').first;
    expect(asked.map(({ neighbour }) => neighbour.peer)).toEqual([honest.resolver.localPeer]);
    const [sybil] = sybils as [WorldPeer]; // There are forty.
    const neighbour = sybil.resolver.neighbour(honest.resolver.localPeer);
    for (const body of [encodePeerview([], false), encodeAdvertisements('replicate', [new Uint8Array(9)])]) {
      const answer = world.clock.run(neighbour?.request('rendezvous', body) ?? Promise.reject(new Error('no link')));
      await expect(answer).rejects.toMatchObject({ code: 'refused' });
    }
    expect(world.find(edge, thing(0))).toBe('first');
  });

  it('a rendezvous that invents thousands of others costs a bounded number of links, and no search', async () => {
    const world = new RendezvousWorld();
    const [honest, other] = gateways(world, 2) as [WorldPeer, WorldPeer];
    const liar = world.network.peer('liar', { roles: ['gateway'] });
    liar.handle('rendezvous', async () => new Uint8Array([0xa1, 0x05, 0x80]));
    world.network.link(liar, honest.resolver);
    const neighbour = liar.neighbour(honest.resolver.localPeer);
    for (let round = 0; round < 100; round++) {
      const invented = Array.from({ length: MAX_PEERVIEW }, (_, i) => ({
        peer: peerIdFromBytes(seededRandom(`${round} ${i}`).bytes(32)),
        addresses: ['tcp://192.0.2.1:1'],
      }));
      await world.clock.run(
        neighbour?.request('rendezvous', encodePeerview(invented, false)) ?? Promise.reject(new Error('no link')),
      );
      await world.clock.runFor(1_000);
      expect(honest.wanted.size).toBeLessThanOrEqual(MAX_PEERVIEW);
    }
    expect([...honest.rendezvous.status().peerview].sort()).toEqual(
      [honest.resolver.localPeer, other.resolver.localPeer, liar.localPeer].sort(),
    );
  });

  it('what is pushed without a lease, or is no advertisement, is refused and does no harm', async () => {
    const world = new RendezvousWorld();
    const [server] = gateways(world, 1) as [WorldPeer]; // There is one.
    const edge = world.network.peer('raw');
    world.network.link(edge, server.resolver);
    const [neighbour] = edge.neighbours();
    const push = () =>
      world.clock.run(
        neighbour?.request('rendezvous', encodeAdvertisements('push', [new Uint8Array(9)])) ??
          Promise.reject(new Error('no link')),
      );
    await expect(push()).rejects.toMatchObject({ code: 'expired' });
    await world.clock.run(
      neighbour?.request('rendezvous', encodeLeaseRequest(undefined)) ?? Promise.reject(new Error('no link')),
    );
    await expect(push()).rejects.toMatchObject({ code: 'malformed' });
    await expect(push()).rejects.toMatchObject({ code: 'malformed' });
    expect(server.rendezvous.status().clients).toBe(1);
  });

  it('a rendezvous that has forgotten its clients, as after a restart, is told everything again', async () => {
    const world = new RendezvousWorld();
    const [server] = gateways(world, 1) as [WorldPeer]; // There is one.
    const [edge] = (await edges(world, 1, [server])) as [WorldPeer];
    await world.clock.runFor(2_000);
    const credential = server.resolver.credential;
    server.resolver.credential = { ...credential, roles: [] };
    server.rendezvous.credentialChanged();
    server.resolver.credential = credential;
    server.rendezvous.credentialChanged();
    expect(server.rendezvous.status()).toMatchObject({ serving: true, clients: 0 });
    await world.publish(edge, 'later');
    await world.clock.runFor(5_000);
    expect(server.rendezvous.status().clients).toBe(1);
    expect(server.store.search({ group: world.network.group, kind: 'thing' })).toHaveLength(2);
  });
});

describe('a search of a peer that has just begun', () => {
  async function settledMs(world: RendezvousWorld, peer: WorldPeer): Promise<number> {
    const startMs = world.clock.monotonicMs();
    await world.clock.run(peer.rendezvous.scope.settled());
    return world.clock.monotonicMs() - startMs;
  }

  it('waits for the lease, for as long as somebody may grant it', async () => {
    const world = new RendezvousWorld();
    const [server] = gateways(world, 1) as [WorldPeer];
    const alone = world.peer('alone');
    expect(await settledMs(world, alone)).toBe(0);
    world.link(alone, server);
    expect(isLeased(alone)).toBe(false);
    expect(await settledMs(world, alone)).toBeLessThan(10);
    expect(isLeased(alone)).toBe(true);
    expect(await settledMs(world, server)).toBe(0);
  });

  it('waits for a no, and not for one that says nothing', async () => {
    const world = new RendezvousWorld();
    const waiting = world.peer('waiting', { roles: ['gateway'], mode: 'auto' });
    const refused = world.peer('refused');
    world.link(refused, waiting);
    expect(await settledMs(world, refused)).toBeLessThan(10);
    const silent = world.network.peer('silent', { roles: ['gateway'] });
    silent.handle('rendezvous', () => new Promise(() => {}));
    const ignored = world.peer('ignored');
    world.network.link(ignored.resolver, silent);
    expect(await settledMs(world, ignored)).toBe(1_000);
    expect(await settledMs(world, ignored)).toBe(0);
  });

  it('does not outlive its peer', async () => {
    const world = new RendezvousWorld();
    const silent = world.network.peer('silent', { roles: ['gateway'] });
    silent.handle('rendezvous', () => new Promise(() => {}));
    const closed = world.peer('closed');
    world.network.link(closed.resolver, silent);
    world.clock.setTimer(50, () => void closed.rendezvous.close());
    expect(await settledMs(world, closed)).toBe(50);
  });
});

describe('promotion', () => {
  it('comes at once to who made the group, also when it starts again, while it knows of nobody else that could serve', async () => {
    const world = new RendezvousWorld();
    const founder = { roles: ['gateway'], mode: 'auto', keepsAuthority: true } as const;
    const storage = new MemoryStorage({ clock: world.clock });
    for (let start = 0; start < 2; start++) {
      const first = world.peer('first', { ...founder, storage });
      expect(first.rendezvous.status().serving).toBe(true);
      world.kill(first);
    }
    const other = world.peer('other', { roles: ['gateway'], mode: 'always' });
    const client = world.peer('first', { storage });
    world.link(client, other);
    await world.clock.runFor(1_000);
    expect(isLeased(client)).toBe(true);
    for (const one of [client, other]) world.kill(one);
    const last = world.peer('first', { ...founder, storage });
    await world.clock.runFor(9_000);
    expect(last.rendezvous.status().serving).toBe(false);
    await world.clock.runFor(2_000);
    expect(last.rendezvous.status().serving).toBe(true);
  });

  it('makes one of three capable gateways a rendezvous when none answers, and another when that one dies', async () => {
    const world = new RendezvousWorld();
    const capable = Array.from({ length: 3 }, (_, i) =>
      world.peer(`gateway ${i}`, { roles: ['gateway'], mode: 'auto' }),
    );
    for (const [i, one] of capable.entries()) for (const other of capable.slice(0, i)) world.link(one, other);
    const clients = await edges(world, 6, capable);
    await world.clock.runFor(9_000);
    expect(capable.some(({ rendezvous }) => rendezvous.status().serving)).toBe(false);
    await world.clock.runFor(10_000);
    const serving = capable.filter(({ rendezvous }) => rendezvous.status().serving);
    expect(serving).toHaveLength(1);
    const [first] = serving as [WorldPeer];
    expect(capable.filter((one) => one !== first).every(isLeased)).toBe(true);
    expect(clients.every(isLeased)).toBe(true);
    world.kill(first);
    await world.clock.runFor(30_000);
    const next = capable.filter((one) => one !== first && one.rendezvous.status().serving);
    expect(next).toHaveLength(1);
    expect(clients.filter(isLeased).length).toBe(clients.length);
  });
});

describe('a host of many devices', () => {
  it('pushes all of them with their proofs before them, a message at a time, and is leased soon after a restart', async () => {
    const world = new RendezvousWorld();
    const [server, spare] = gateways(world, 2) as [WorldPeer, WorldPeer];
    const storage = new MemoryStorage({ clock: world.clock });
    const host = world.peer('host', { roles: ['host', 'member'], storage });
    const { group } = world.network;
    const { identity } = host.resolver;
    const devices = Array.from({ length: 300 }, (_, i) =>
      identityFromSeed(nodeCrypto, seededRandom(`device ${i}`).bytes(32)),
    );
    const all: Promise<Advertisement>[] = [host.store.publish(identity, { group, kind: 'peer' })];
    for (const device of devices) {
      host.hosted.add(device.id);
      const body = encodeDelegationBody({ delegate: identity.id, notAfterMs: 4e12 });
      all.push(host.store.publish(device, { group, kind: 'thing', key: 'x', body: new Uint8Array(300) }));
      all.push(host.store.publish(device, { group, kind: 'delegation', body }));
    }
    await world.clock.run(Promise.all(all));
    const order: string[] = [];
    for (const kind of ['peer', 'delegation', 'thing'] as const) {
      server.store.subscribe({ group, kind }, ({ advertisement }) => {
        order.push(`${kind} ${advertisement.publisher}`);
      });
    }
    world.link(host, server);
    await world.clock.runFor(3_000);
    expect(order).toHaveLength(601);
    expect(order[0]).toMatch(/^(delegation|peer)/);
    for (const { id } of devices) {
      expect(order.indexOf(`delegation ${id}`)).toBeLessThan(order.indexOf(`thing ${id}`));
    }
    expect(order.indexOf(`peer ${identity.id}`)).toBeLessThan(order.findIndex((one) => one.startsWith('thing')));
    expect(spare.store.search({ group, kind: 'thing' })).toHaveLength(300);
    // The same peer, from the same storage: nobody has to link it.
    world.kill(host);
    const again = world.peer('host', { roles: ['host', 'member'], storage });
    await world.clock.runFor(3_000);
    expect(isLeased(again)).toBe(true);
  });
});
