import { seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import { type FakeResolver, FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import { RelayClient } from './relay-client.ts';
import { encodeRelayRequest } from './relay-codec.ts';
import { RELAY_HANDLER } from './relay-defaults.ts';
import type { RelayForwarder, RelayGate } from './relay-forwarder.ts';
import { RelayServer } from './relay-server.ts';

class Net {
  readonly clock = new VirtualClock();
  readonly network = new FakeResolvers(this.clock);
  readonly hosts = new Map<PeerId, PeerId>();
  /** What each peer has advertised last. */
  readonly routes = new Map<PeerId, readonly PeerId[]>();
  readonly wanted: PeerId[] = [];

  relay(name: string, maxLeases?: number) {
    const resolver = this.network.peer(name, { roles: ['relay', 'member'] });
    const ended: PeerId[] = [];
    const forwarder: Pick<RelayForwarder, 'open' | 'endOf'> = {
      open: (_group, _gate: RelayGate) => ({ close: () => {} }),
      endOf: (_group, peer) => ended.push(peer),
    };
    const state = { serves: true };
    const server = new RelayServer({
      resolver,
      forwarder,
      mayServe: () => state.serves,
      hostOf: (peer) => this.hosts.get(peer),
      relaysOf: (peer) => this.routes.get(peer) ?? [],
      clock: this.clock,
      random: seededRandom(name),
      ...(maxLeases === undefined ? {} : { maxLeases }),
    });
    return { resolver, server, ended, state };
  }

  client(name: string, known: () => readonly PeerId[] = () => []) {
    const resolver = this.network.peer(name);
    const client = new RelayClient({
      resolver,
      endpoint: {
        want: (target) => {
          this.wanted.push(target as PeerId); // Clients want peers only.
          return { release: () => this.wanted.splice(this.wanted.indexOf(target as PeerId), 1) };
        },
      },
      knownRelays: known,
      advertise: (relays) => this.routes.set(resolver.localPeer, relays),
      clock: this.clock,
      random: seededRandom(name),
    });
    client.start();
    return { resolver, client };
  }

  link(a: { resolver: FakeResolver }, b: { resolver: FakeResolver }): void {
    this.network.link(a.resolver, b.resolver);
  }
}

function codeOfCall(call: () => unknown): string {
  try {
    call();
    return 'none';
  } catch (error) {
    return error instanceof PipevineError ? error.code : String(error);
  }
}

describe('a client of relays', () => {
  test('leases at two neighbours, advertises them, and keeps the links', async () => {
    const net = new Net();
    const [r1, r2, r3] = [net.relay('r1'), net.relay('r2'), net.relay('r3')];
    const a = net.client('a');
    for (const relay of [r1, r2, r3]) net.link(a, relay);
    await net.clock.runFor(1_000);
    const relays = a.client.relays();
    expect(relays).toHaveLength(2);
    expect(net.routes.get(a.resolver.localPeer)).toEqual(relays);
    expect([...net.wanted].sort()).toEqual([...relays].sort());
  });

  test('leases elsewhere when a relay goes, and comes back when it is alone', async () => {
    const net = new Net();
    const [r1, r2] = [net.relay('r1'), net.relay('r2')];
    const a = net.client('a');
    net.link(a, r1);
    await net.clock.runFor(500);
    expect(a.client.relays()).toEqual([r1.resolver.localPeer]);
    net.link(a, r2);
    await net.clock.runFor(1_000);
    expect(a.client.relays()).toHaveLength(2);
    net.network.unlink(a.resolver, r1.resolver);
    net.network.stop(r1.resolver);
    await net.clock.runFor(5_000);
    expect(a.client.relays()).toEqual([r2.resolver.localPeer]);
    expect(net.routes.get(a.resolver.localPeer)).toEqual([r2.resolver.localPeer]);
  });

  test('finds a relay that is no neighbour but advertised', async () => {
    const net = new Net();
    const relay = net.relay('r');
    const a = net.client('a', () => [relay.resolver.localPeer]);
    await net.clock.runFor(1_000);
    expect(a.client.relays()).toEqual([relay.resolver.localPeer]);
  });

  test('renews before its lease runs out, for hours', async () => {
    const net = new Net();
    const relay = net.relay('r');
    const [a, b] = [net.client('a'), net.client('b')];
    net.link(a, relay);
    net.link(b, relay);
    for (let hour = 0; hour < 3; hour++) {
      await net.clock.runFor(3_600_000);
      expect(relay.server.nextHop(b.resolver.localPeer, b.resolver.localPeer, a.resolver.localPeer)).toBe(
        a.resolver.localPeer,
      );
    }
  });

  test('gives its leases back when it ends', async () => {
    const net = new Net();
    const relay = net.relay('r');
    const a = net.client('a');
    net.link(a, relay);
    await net.clock.runFor(500);
    expect(relay.server.bounds()['relay leases']?.used).toBe(1);
    a.client.close();
    await net.clock.runFor(500);
    expect(relay.server.bounds()['relay leases']?.used).toBe(0);
    expect(net.wanted).toEqual([]);
  });

  test('an old cancellation does not drop a newer lease', async () => {
    const net = new Net();
    const relay = net.relay('r');
    const a = net.client('a');
    net.link(a, relay);
    await net.clock.runFor(500);
    const neighbour = a.resolver.neighbour(relay.resolver.localPeer);
    if (neighbour === undefined) throw new Error('not linked');
    const cancel = encodeRelayRequest({ type: 'cancel', leaseId: new Uint8Array(8) });
    await net.clock.run(neighbour.request(RELAY_HANDLER, cancel));
    expect(relay.server.bounds()['relay leases']?.used).toBe(1);
  });
});

describe('a relay', () => {
  async function served() {
    const net = new Net();
    const relay = net.relay('r');
    const [a, b] = [net.client('a'), net.client('b')];
    net.link(a, relay);
    net.link(b, relay);
    await net.clock.runFor(500);
    const ids = { a: a.resolver.localPeer, b: b.resolver.localPeer, r: relay.resolver.localPeer };
    return { net, relay, a, b, ids };
  }

  test('forwards between neighbours that have shown to be members, to those with a lease', async () => {
    const { net, relay, ids } = await served();
    expect(relay.server.nextHop(ids.a, ids.a, ids.b)).toBe(ids.b);
    const foreign = net.network.peer('foreign');
    expect(codeOfCall(() => relay.server.nextHop(foreign.localPeer, foreign.localPeer, ids.b))).toBe('refused');
    const linked = net.network.peer('linked');
    net.network.link(linked, relay.resolver);
    expect(codeOfCall(() => relay.server.nextHop(ids.a, ids.a, linked.localPeer))).toBe('unreachable');
    expect(codeOfCall(() => relay.server.nextHop(ids.a, ids.a, ids.a))).toBe('unreachable');
  });

  test('believes a neighbour for itself and those that it hosts, and other relays', async () => {
    const { net, relay, ids } = await served();
    const other = net.network.peer('someone').localPeer;
    expect(codeOfCall(() => relay.server.nextHop(ids.a, other, ids.b))).toBe('refused');
    net.hosts.set(other, ids.a);
    expect(relay.server.nextHop(ids.a, other, ids.b)).toBe(ids.b);
    expect(relay.server.nextHop(ids.b, ids.b, other)).toBe(ids.a);
    net.hosts.delete(other);
    const r2 = net.relay('r2');
    net.link(r2, relay);
    expect(relay.server.nextHop(r2.resolver.localPeer, other, ids.b)).toBe(ids.b);
  });

  test('passes on to another relay that is linked, never back', async () => {
    const { net, relay, ids } = await served();
    const r2 = net.relay('r2');
    const c = net.client('c');
    net.link(c, r2);
    await net.clock.runFor(500);
    const id = c.resolver.localPeer;
    expect(codeOfCall(() => relay.server.nextHop(ids.a, ids.a, id))).toBe('unreachable');
    net.link(r2, relay);
    expect(relay.server.nextHop(ids.a, ids.a, id)).toBe(r2.resolver.localPeer);
    expect(codeOfCall(() => relay.server.nextHop(r2.resolver.localPeer, ids.a, id))).toBe('unreachable');
  });

  test('ends what it forwards for a neighbour that is no member any more', async () => {
    const { net, relay, a, ids } = await served();
    net.network.unlink(a.resolver, relay.resolver);
    await net.clock.runFor(10);
    expect(relay.ended).toEqual([ids.a]);
    expect(codeOfCall(() => relay.server.nextHop(ids.b, ids.b, ids.a))).toBe('unreachable');
  });

  test('serves no more without the capability', async () => {
    const { relay, ids } = await served();
    relay.state.serves = false;
    expect(codeOfCall(() => relay.server.nextHop(ids.a, ids.a, ids.b))).toBe('unreachable');
  });

  test('has room for so many clients, and says so', async () => {
    const net = new Net();
    const relay = net.relay('r', 2);
    const clients = ['a', 'b', 'c'].map((name) => net.client(name));
    for (const client of clients) net.link(client, relay);
    await net.clock.runFor(2_000);
    expect(clients.filter(({ client }) => client.relays().length > 0)).toHaveLength(2);
    expect(relay.server.bounds()['relay leases']).toMatchObject({ used: 2, limit: 2 });
    expect(relay.server.bounds()['relay leases']?.dropped).toBeGreaterThan(0);
  });

  test('answers nonsense with an error', async () => {
    const { relay, a, net } = await served();
    const neighbour = a.resolver.neighbour(relay.resolver.localPeer);
    for (const body of [new Uint8Array(0), new Uint8Array(300), new Uint8Array([0xa1, 1, 9])]) {
      const asked = neighbour?.request(RELAY_HANDLER, body).then(
        () => 'answered',
        (error: PipevineError) => error.code,
      );
      expect(['malformed', 'too-large', 'unsupported']).toContain(await net.clock.run(asked));
    }
  });
});
