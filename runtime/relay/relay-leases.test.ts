import { seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import { codeOf } from '../pipe/testing/overlay.ts';
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

  client(name: string, known: () => readonly PeerId[] = () => [], find = async () => {}) {
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
      find,
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

/** Where a relay passes a BIND on that names no relays. */
function hop(relay: { server: RelayServer }, from: PeerId, source: PeerId, target: PeerId, hops = 0): PeerId {
  const next = relay.server.nextHop({ from, source, target, hops, named: undefined });
  if (next instanceof Promise) throw new Error('it looks for a way');
  return next.to;
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

  test('asks the group while leases are missing, ever more rarely, and no more when there are enough', async () => {
    const net = new Net();
    const [r1, r2] = [net.relay('r1'), net.relay('r2')];
    const asked: number[] = [];
    const a = net.client('a', undefined, async () => {
      asked.push(net.clock.monotonicMs());
    });
    await net.clock.runFor(3_600_000);
    const pauses = asked.map((at, i) => at - (asked[i - 1] ?? 0));
    expect(pauses[0]).toBeLessThanOrEqual(2_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(600_000);
    expect(asked.length).toBeLessThan(25);
    const before = asked.length;
    net.link(a, r1);
    await net.clock.runFor(4_000);
    expect(asked.length).toBeGreaterThan(before);
    net.link(a, r2);
    await net.clock.runFor(1_000);
    const enough = asked.length;
    await net.clock.runFor(3_600_000);
    expect(asked).toHaveLength(enough);
    a.client.close();
    await net.clock.runFor(3_600_000);
    expect(asked).toHaveLength(enough);
  });

  test('renews before its lease runs out, for hours', async () => {
    const net = new Net();
    const relay = net.relay('r');
    const [a, b] = [net.client('a'), net.client('b')];
    net.link(a, relay);
    net.link(b, relay);
    for (let hour = 0; hour < 3; hour++) {
      await net.clock.runFor(3_600_000);
      expect(hop(relay, b.resolver.localPeer, b.resolver.localPeer, a.resolver.localPeer)).toBe(a.resolver.localPeer);
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
    expect(hop(relay, ids.a, ids.a, ids.b)).toBe(ids.b);
    const linked = net.network.peer('linked');
    net.network.link(linked, relay.resolver);
    expect(codeOfCall(() => hop(relay, ids.a, ids.a, linked.localPeer))).toBe('unreachable');
    expect(codeOfCall(() => hop(relay, ids.a, ids.a, ids.a))).toBe('unreachable');
  });

  test('waits for the credential of a neighbour that asks for a pipe as soon as it has come', async () => {
    const { net, relay, ids } = await served();
    const ask = async ({ localPeer }: FakeResolver) =>
      relay.server.nextHop({ from: localPeer, source: localPeer, target: ids.b, hops: 0, named: undefined });
    expect(await net.clock.run(ask(net.network.peer('new')))).toEqual({ to: ids.b });
    const foreign = net.network.peer('foreign');
    net.network.stop(foreign);
    expect(await net.clock.run(codeOf(ask(foreign)))).toBe('refused');
    // So many at once, that those who show nothing leave room for members.
    const strangers = Array.from({ length: 65 }, (_, i) => net.network.peer(`stranger ${i}`));
    const answers = strangers.map((stranger) => codeOf(ask(stranger)));
    expect(await answers.at(-1)).toBe('refused');
    expect(hop(relay, ids.a, ids.a, ids.b)).toBe(ids.b);
    expect(await net.clock.run(Promise.all(answers.slice(0, -1)))).toEqual(Array(64).fill('none'));
  });

  test('believes a neighbour for itself and those that it hosts, and other relays', async () => {
    const { net, relay, ids } = await served();
    const other = net.network.peer('someone').localPeer;
    expect(codeOfCall(() => hop(relay, ids.a, other, ids.b))).toBe('refused');
    net.hosts.set(other, ids.a);
    expect(hop(relay, ids.a, other, ids.b)).toBe(ids.b);
    expect(hop(relay, ids.b, ids.b, other)).toBe(ids.a);
    net.hosts.delete(other);
    const r2 = net.relay('r2');
    net.link(r2, relay);
    expect(hop(relay, r2.resolver.localPeer, other, ids.b)).toBe(ids.b);
  });

  test('passes on to another relay that is linked, never back', async () => {
    const { net, relay, ids } = await served();
    const r2 = net.relay('r2');
    const c = net.client('c');
    net.link(c, r2);
    await net.clock.runFor(500);
    const id = c.resolver.localPeer;
    expect(codeOfCall(() => hop(relay, ids.a, ids.a, id))).toBe('unreachable');
    net.link(r2, relay);
    expect(hop(relay, ids.a, ids.a, id)).toBe(r2.resolver.localPeer);
    expect(codeOfCall(() => hop(relay, r2.resolver.localPeer, ids.a, id))).toBe('unreachable');
  });

  test('keeps to the way that a binder names, and refuses loops', async () => {
    const net = new Net();
    const [r1, r2, r3] = [net.relay('r1'), net.relay('r2'), net.relay('r3')];
    const [a, b] = [net.client('a'), net.client('b')];
    net.link(a, r1);
    net.link(r1, r2);
    net.link(r2, r3);
    net.link(b, r3);
    await net.clock.runFor(500);
    const id = (one: { resolver: FakeResolver }) => one.resolver.localPeer;
    const [source, target] = [id(a), id(b)];
    const ask = (at: { server: RelayServer }, from: PeerId, hops: number, named: readonly PeerId[]) =>
      at.server.nextHop({ from, source, target, hops, named });
    const way = [id(r2), id(r3)];
    expect(ask(r1, source, 0, way)).toEqual({ to: id(r2) });
    expect(ask(r2, id(r1), 1, way)).toEqual({ to: id(r3) });
    expect(ask(r3, id(r2), 2, way)).toEqual({ to: target });
    const loops: [{ server: RelayServer }, PeerId, number, readonly PeerId[]][] = [
      // It has been here, or goes back where it came from.
      [r1, source, 0, [id(r2), id(r1)]],
      [r2, id(r1), 1, [id(r2), id(r1)]],
      [r2, id(r3), 1, [id(r3), id(r2)]],
      [r2, id(r1), 2, way],
      [r2, id(r1), 3, way],
      // Its ends are no relays.
      [r1, source, 0, [target, id(r2)]],
      [r1, source, 0, [id(r2), source]],
    ];
    for (const [at, from, hops, named] of loops) {
      expect(codeOfCall(() => ask(at, from, hops, named))).toBe('refused');
    }
    // The last relay that is named looks no further, and nobody else is asked in the place of one that is named.
    expect(codeOfCall(() => ask(r2, id(r1), 1, [id(r2)]))).toBe('unreachable');
    expect(codeOfCall(() => ask(r1, source, 0, []))).toBe('unreachable');
    expect(codeOfCall(() => ask(r1, source, 0, [id(r3)]))).toBe('unreachable');
  });

  test('ends what it forwards for a neighbour that is no member any more', async () => {
    const { net, relay, a, ids } = await served();
    net.network.unlink(a.resolver, relay.resolver);
    await net.clock.runFor(10);
    expect(relay.ended).toEqual([ids.a]);
    expect(codeOfCall(() => hop(relay, ids.b, ids.b, ids.a))).toBe('unreachable');
  });

  test('serves no more without the capability', async () => {
    const { relay, ids } = await served();
    relay.state.serves = false;
    expect(codeOfCall(() => hop(relay, ids.a, ids.a, ids.b))).toBe('unreachable');
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
