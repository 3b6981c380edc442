import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { encodeRouteBody, NEIGHBOURS_KEY } from '../advertisement/route-body.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import { type FakeResolver, FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import { NeighbourAdvertiser } from './neighbour-advertiser.ts';
import { encodeRouteAnswer, encodeRouteQuery } from './route-codec.ts';
import { Router } from './router.ts';
import { ASKED_OTHERS, HOP_REST_MS, MAX_FAILED_HOPS, ROUTE_HANDLER, VAIN_MS } from './router-defaults.ts';

interface Member {
  readonly id: PeerId;
  readonly resolver: FakeResolver;
  readonly store: AdvertisementStore;
  readonly router: Router;
}

class Net {
  readonly clock = new VirtualClock();
  readonly network = new FakeResolvers(this.clock);
  readonly members = new Map<PeerId, Member>();
  readonly hosts = new Map<PeerId, PeerId>();

  member(name: string, roles: readonly string[] = ['member']): Member {
    const resolver = this.network.peer(name, { roles });
    const random = seededRandom(name);
    const { clock } = this;
    const store = new AdvertisementStore({ storage: new MemoryStorage({ clock }), clock, crypto: nodeCrypto, random });
    const router = new Router({
      group: this.network.group,
      resolver,
      store,
      hostOf: (peer) => this.hosts.get(peer),
      receive: (encoded) => this.give(store, encoded),
      clock,
    });
    const member = { id: resolver.localPeer, resolver, store, router };
    this.members.set(member.id, member);
    return member;
  }

  relay(name: string): Member {
    return this.member(name, ['relay', 'member']);
  }

  /** Taken are those of members. */
  give(store: AdvertisementStore, encoded: readonly Uint8Array[]): void {
    const accept = ({ publisher }: { publisher: PeerId }) => this.members.has(publisher);
    for (const one of encoded) store.receive(one, { group: this.network.group, accept });
  }

  /** What a member signs about itself; it reaches those given. */
  async say(who: Member, key: string, relays: readonly Member[], ...to: readonly Member[]): Promise<Uint8Array> {
    const body = encodeRouteBody({ relays: relays.map(({ id }) => id) });
    const init = { kind: 'route', group: this.network.group, key, body } as const;
    const { encoded } = await this.clock.run(who.store.publish(who.resolver.identity, init));
    for (const { store } of to) this.give(store, [encoded]);
    return encoded;
  }

  link(...chain: readonly Member[]): void {
    for (const [i, near] of chain.entries()) {
      const far = chain[i + 1];
      if (far !== undefined) this.network.link(near.resolver, far.resolver);
    }
  }

  /** A, three relays in a row, and b that leases at the last. Each relay names those next to it; neighbours know. */
  async chain() {
    const [a, b] = [this.member('a'), this.member('b')];
    const [r1, r2, r3] = [this.relay('r1'), this.relay('r2'), this.relay('r3')];
    this.link(a, r1, r2, r3, b);
    await this.say(r1, NEIGHBOURS_KEY, [r2], a, r2);
    await this.say(r2, NEIGHBOURS_KEY, [r1, r3], r1, r3);
    await this.say(r3, NEIGHBOURS_KEY, [r2], r2, b);
    await this.say(b, '', [r3], r3);
    return { a, b, r1, r2, r3 };
  }
}

const asked = ({ resolver }: Member): number => resolver.requests.get(ROUTE_HANDLER) ?? 0;

describe('a router', () => {
  test('asks its relays, and those beyond them, and knows the way then', async () => {
    const net = new Net();
    const { a, b, r1, r2, r3 } = await net.chain();
    expect(a.router.routesTo(b.id)).toEqual([]);
    await net.clock.run(a.router.seek(b.id));
    expect(a.router.routesTo(b.id)).toEqual([[r1.id, r2.id, r3.id]]);
    expect(r1.router.routesTo(b.id)).toEqual([]);
    await net.clock.run(r2.router.seek(b.id));
    expect(r2.router.routesTo(b.id)).toEqual([[r3.id]]);
  });

  test('finds the host of a peer that is hosted, and never goes over it', async () => {
    const net = new Net();
    const { a, b, r1, r2, r3 } = await net.chain();
    const hosted = net.member('hosted');
    net.hosts.set(hosted.id, b.id);
    await net.clock.run(a.router.seek(hosted.id));
    expect(a.router.routesTo(hosted.id)).toEqual([[r1.id, r2.id, r3.id]]);
  });

  test('asks once for many that want the same, and not again soon when it was in vain', async () => {
    const net = new Net();
    const { a, r1, r2, r3 } = await net.chain();
    const nobody = net.network.peer('nobody').localPeer;
    await net.clock.run(Promise.all(Array.from({ length: 50 }, () => a.router.seek(nobody))));
    const once = [r1, r2, r3].map(asked);
    expect(Math.max(...once)).toBeLessThanOrEqual(2);
    await net.clock.run(a.router.seek(nobody));
    expect([r1, r2, r3].map(asked)).toEqual(once);
    await net.clock.runFor(VAIN_MS);
    await net.clock.run(a.router.seek(nobody));
    expect(asked(r1)).toBeGreaterThan(once[0] ?? 0);
  });

  test('asks all only so often, whoever is looked for', async () => {
    const net = new Net();
    const { a, r3 } = await net.chain();
    const targets = Array.from({ length: 200 }, (_, i) => net.network.peer(`nobody ${i}`).localPeer);
    await net.clock.run(Promise.all(targets.map((target) => a.router.seek(target))));
    expect(asked(r3)).toBeLessThanOrEqual(10);
    expect(a.router.status()['route searches']).toMatchObject({ used: 0, limit: 64 });
    expect(a.router.status()['route searches']?.dropped).toBeGreaterThan(130);
  });

  test('is not asked about in all of a large group: relays, a rendezvous and a few others at each hop', async () => {
    const net = new Net();
    const { a, r1, r2, r3 } = await net.chain();
    const others = Array.from({ length: 40 }, (_, i) => net.member(`other ${i}`));
    const last = net.member('last', ['rendezvous', 'member']);
    for (const other of [...others, last]) net.link(r1, other);
    const nobody = net.network.peer('nobody').localPeer;
    await net.clock.run(a.router.seek(nobody));
    expect([r1, r2, r3, last].map(asked).every((questions) => questions > 0)).toBe(true);
    const reached = others.filter((other) => asked(other) > 0);
    expect(reached.length).toBeGreaterThan(0);
    expect(reached.length).toBeLessThanOrEqual(ASKED_OTHERS);
  });

  test('is found over a member that relays nothing', async () => {
    const net = new Net();
    const [a, b, bridge] = [net.member('a'), net.member('b'), net.member('bridge')];
    const [r1, r2] = [net.relay('r1'), net.relay('r2')];
    net.link(a, r1, bridge, r2, b);
    await net.say(r1, NEIGHBOURS_KEY, [r2], a);
    await net.say(b, '', [r2], r2);
    await net.clock.run(a.router.seek(b.id));
    expect(a.router.routesTo(b.id)).toEqual([[r1.id, r2.id]]);
  });

  test('believes nothing that is not signed by a member', async () => {
    const net = new Net();
    const [a, b, liar, stranger] = [net.member('a'), net.member('b'), net.relay('liar'), net.relay('stranger')];
    net.link(a, liar);
    const real = await net.say(b, '', [liar]);
    const foreign = await net.say(stranger, NEIGHBOURS_KEY, [liar]);
    net.members.delete(stranger.id);
    const forged = real.slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    liar.router.close();
    for (const answer of [
      encodeRouteAnswer([forged]),
      encodeRouteAnswer([foreign]),
      new Uint8Array([0x81]),
      new Uint8Array(40_000),
      encodeRouteAnswer([encodeRouteBody({ relays: [liar.id] })]),
    ]) {
      const handler = liar.resolver.handle(ROUTE_HANDLER, async function* () {
        yield answer;
      });
      await net.clock.run(a.router.seek(b.id));
      expect(a.router.routesTo(b.id)).toEqual([]);
      handler.close();
      await net.clock.runFor(60_000);
      a.resolver.distrusted.length = 0;
      net.link(a, liar);
    }
    expect(a.router.status()['route answers forged']?.dropped).toBeGreaterThanOrEqual(4);
    liar.resolver.handle(ROUTE_HANDLER, async function* () {
      yield encodeRouteAnswer([real]);
    });
    await net.clock.run(a.router.seek(b.id));
    expect(a.router.routesTo(b.id)).toEqual([[liar.id]]);
  });

  test('takes no way that a newer word of its relays contradicts, whatever came before', async () => {
    const net = new Net();
    const { a, b, r1, r2, r3 } = await net.chain();
    await net.clock.run(a.router.seek(b.id));
    const old = await net.say(b, '', [r3], a);
    await net.say(b, '', [r1], a);
    expect(a.router.routesTo(b.id)).toEqual([[r1.id]]);
    net.give(a.store, [old]);
    expect(a.router.routesTo(b.id)).toEqual([[r1.id]]);
    await net.say(b, '', [r3], a);
    await net.say(r3, NEIGHBOURS_KEY, [], a);
    await net.say(r2, NEIGHBOURS_KEY, [r1], a);
    expect(a.router.routesTo(b.id)).toEqual([]);
  });

  test('begins with the links that there are', async () => {
    const net = new Net();
    const { a, b, r1 } = await net.chain();
    await net.clock.run(a.router.seek(b.id));
    expect(a.router.routesTo(b.id)).toHaveLength(1);
    net.network.unlink(a.resolver, r1.resolver);
    expect(a.router.routesTo(b.id)).toEqual([]);
    net.link(a, r1);
    expect(a.router.routesTo(b.id)).toHaveLength(1);
  });

  test('does not go where a relay has said that it ends, until that says otherwise or some time has passed', async () => {
    const net = new Net();
    const { a, b, r1, r2, r3 } = await net.chain();
    await net.clock.run(a.router.seek(b.id));
    const [route = []] = a.router.routesTo(b.id);
    a.router.failed(b.id, route, 2);
    expect(a.router.routesTo(b.id)).toEqual([]);
    expect(a.router.lastResorts(b.id)).toEqual([route]);
    await net.say(r2, NEIGHBOURS_KEY, [r1, r3], a);
    expect(a.router.routesTo(b.id)).toEqual([route]);
    a.router.failed(b.id, route, 3);
    expect(a.router.routesTo(b.id)).toEqual([]);
    await net.clock.runFor(HOP_REST_MS);
    expect(a.router.routesTo(b.id)).toEqual([route]);
    // Nobody said which: all hops are suspect, none is certain.
    a.router.failed(b.id, route);
    expect(a.router.routesTo(b.id)).toEqual([route]);
  });

  test('prefers a longer way to one that has just failed, and forgets that when it has served', async () => {
    const net = new Net();
    const { a, b, r1, r2, r3 } = await net.chain();
    const r4 = net.relay('r4');
    await net.clock.run(a.router.seek(b.id));
    await net.say(r4, NEIGHBOURS_KEY, [r1, r2], a);
    await net.say(r1, NEIGHBOURS_KEY, [r2, r4], a);
    const [short, long] = [
      [r1.id, r2.id, r3.id],
      [r1.id, r4.id, r2.id, r3.id],
    ];
    expect(a.router.routesTo(b.id)).toEqual([short, long]);
    a.router.failed(b.id, short, 1);
    expect(a.router.routesTo(b.id)).toEqual([long]);
    await net.say(r1, NEIGHBOURS_KEY, [r2, r4], a);
    expect(a.router.routesTo(b.id)).toEqual([long, short]);
    a.router.worked(b.id, short);
    a.router.failed(b.id, long, 2);
    expect(a.router.routesTo(b.id)).toEqual([short]);
  });

  test('remembers so many failures and no more', async () => {
    const net = new Net();
    const { a } = await net.chain();
    const { localPeer } = net.network.peer('somebody');
    for (let i = 0; i < MAX_FAILED_HOPS + 100; i++) {
      a.router.failed(`${localPeer}${i}` as PeerId, [localPeer], 1); // Only compared.
    }
    expect(a.router.status()['route hops that failed']).toMatchObject({ used: MAX_FAILED_HOPS, dropped: 100 });
  });

  test('answers nonsense with an error, and strangers with a refusal', async () => {
    const net = new Net();
    const { a, b, r1 } = await net.chain();
    const ask = async (body: Uint8Array): Promise<string> => {
      const neighbour = a.resolver.neighbour(r1.id);
      try {
        for await (const _ of neighbour?.stream(ROUTE_HANDLER, body) ?? []) return 'answered';
        return 'nothing';
      } catch (error) {
        return error instanceof PipevineError ? error.code : String(error);
      }
    };
    for (const body of [new Uint8Array(0), new Uint8Array(500), new Uint8Array([0xa1, 1, 9])]) {
      expect(['malformed', 'too-large']).toContain(await net.clock.run(ask(body)));
    }
    expect(await net.clock.run(ask(encodeRouteQuery(b.id)))).toBe('answered');
    a.resolver.credential = { ...a.resolver.credential, roles: [], capabilities: [] };
    expect(await net.clock.run(ask(encodeRouteQuery(b.id)))).toBe('refused');
  });
});

describe('a relay', () => {
  async function advertised() {
    const net = new Net();
    const [own, ...others] = ['own', 'r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8'].map((n) => net.relay(n));
    if (own === undefined) throw new Error('no relay');
    const state = { serves: true };
    const said: { readonly atMs: number; readonly relays: readonly PeerId[] | undefined }[] = [];
    const advertiser = new NeighbourAdvertiser({
      resolver: own.resolver,
      mayServe: () => state.serves,
      advertise: (relays) => said.push({ atMs: net.clock.monotonicMs(), relays }),
      clock: net.clock,
      random: seededRandom('jitter'),
    });
    return { net, own, others, state, said, advertiser };
  }

  test('names the relays that it is linked to, eight at most, and nobody else', async () => {
    const { net, own, others, said } = await advertised();
    net.link(own, net.member('client'));
    for (const other of others) net.link(own, other);
    await net.clock.runFor(10_000);
    expect(said.map(({ relays }) => relays)).toEqual([others.slice(0, 8).map(({ id }) => id)]);
  });

  test('leaves out soon who is gone, and says little while neighbours come and go', async () => {
    const { net, own, others, said } = await advertised();
    const [first, second] = others;
    if (first === undefined || second === undefined) throw new Error('no relays');
    net.link(own, first);
    net.link(own, second);
    await net.clock.runFor(10_000);
    const goneMs = net.clock.monotonicMs();
    net.network.unlink(own.resolver, first.resolver);
    await net.clock.runFor(1_000);
    expect(said.at(-1)?.relays).toEqual([second.id]);
    expect((said.at(-1)?.atMs ?? Infinity) - goneMs).toBeLessThanOrEqual(200);
    const before = said.length;
    for (let i = 0; i < 300; i++) {
      net.link(own, first);
      await net.clock.runFor(50);
      net.network.unlink(own.resolver, first.resolver);
      await net.clock.runFor(50);
    }
    expect(said.length - before).toBeLessThanOrEqual(20);
    await net.clock.runFor(5_000);
    expect(said.at(-1)?.relays).toEqual([second.id]);
  });

  test('takes it all back when it may relay no more', async () => {
    const { net, own, others, said, state, advertiser } = await advertised();
    const [first] = others;
    if (first === undefined) throw new Error('no relay');
    net.link(own, first);
    await net.clock.runFor(10_000);
    state.serves = false;
    advertiser.look();
    await net.clock.runFor(10_000);
    expect(said.at(-1)?.relays).toBeUndefined();
    expect(advertiser.advertised).toBeUndefined();
  });
});
