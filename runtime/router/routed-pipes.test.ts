import { describe, expect, test } from 'vitest';
import { NEIGHBOURS_KEY } from '../advertisement/route-body.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { Pipe } from '../pipe/pipe.ts';
import { bindPair, codeOf, cutLinks, numbered, numberOf } from '../pipe/testing/overlay.ts';
import { RoutedOverlay, type RoutedPeer } from './testing/routed-overlay.ts';

/** Sends numbered messages both ways, and checks that they come once and in order. */
class Conversation {
  readonly #net: RoutedOverlay;
  readonly #pipes: readonly [Pipe, Pipe];
  readonly #got: readonly string[][];
  readonly #expected: string[] = [];

  constructor(net: RoutedOverlay, pipes: readonly [Pipe, Pipe]) {
    this.#net = net;
    this.#pipes = pipes;
    this.#got = pipes.map((pipe) => {
      const log: string[] = [];
      pipe.receive((message) => void log.push(`${numberOf(message)}:${message.length}`));
      return log;
    });
  }

  async exchange(count: number, meanwhile?: () => void): Promise<void> {
    const { clock } = this.#net;
    const sizes = Array.from({ length: count }, (_, i) => (i % 17 === 0 ? 70_000 : 40 + i));
    const first = this.#expected.length;
    const send = async (pipe: Pipe): Promise<void> => {
      for (const [i, size] of sizes.entries()) await pipe.send(numbered(first + i, size), { timeoutMs: 600_000 });
      await pipe.flush({ timeoutMs: 600_000 });
    };
    const done = Promise.all(this.#pipes.map(send));
    if (meanwhile !== undefined) clock.setTimer(10, meanwhile);
    await clock.run(done);
    this.#expected.push(...sizes.map((size, i) => `${first + i}:${size}`));
    expect(this.#got).toEqual([this.#expected, this.#expected]);
  }
}

const exchange = (net: RoutedOverlay, pipes: readonly [Pipe, Pipe], count: number): Promise<void> =>
  new Conversation(net, pipes).exchange(count);

/** A and b, each with one relay, and these linked by chains that have nobody in common. None can be dialled. */
async function chains(net: RoutedOverlay, ...middles: readonly (readonly string[])[]) {
  const [near, far] = [await net.relay('near'), await net.relay('far')];
  const relays: RoutedPeer[][] = [];
  for (const names of middles) {
    const middle: RoutedPeer[] = [];
    for (const name of names) middle.push(await net.relay(name));
    await net.chain(near, ...middle, far);
    relays.push(middle);
  }
  const [a, b] = [await net.peer('a'), await net.peer('b')];
  await net.link(a, near);
  await net.link(b, far);
  net.hide(near, far, ...relays.flat());
  await net.clock.runFor(5_000);
  return { a, b, near, far, relays };
}

/** The peer is gone for good, as by a power cut that its neighbours notice. */
function kill(net: RoutedOverlay, peer: RoutedPeer): void {
  net.resolvers.stop(peer.resolver);
  net.hide(peer);
  cutLinks(peer);
  net.overlay.network.isolate(peer.name);
}

function labels(peer: RoutedPeer): number {
  return peer.forwarder.status()['relayed pipes']?.used ?? 0;
}

describe('two peers whose relays cannot reach each other', () => {
  test('talk over a third, which none of them knew', async () => {
    const net = new RoutedOverlay();
    const { a, b, near, far, relays } = await chains(net, ['middle']);
    expect(a.leases()).toEqual([near.identity.id]);
    expect(b.leases()).toEqual([far.identity.id]);
    const pipes = await bindPair(net.overlay, a, b, 'secure');
    await exchange(net, pipes, 100);
    for (const relay of [near, far, ...(relays[0] ?? [])]) expect(labels(relay)).toBe(1);
    await net.clock.run(pipes[0].close());
    await net.clock.runFor(5_000);
    for (const relay of [near, far, ...(relays[0] ?? [])]) expect(labels(relay)).toBe(0);
  });

  test('do so when only the relays have routers', async () => {
    const net = new RoutedOverlay();
    const [r1, r2, r3] = [await net.relay('r1'), await net.relay('r2'), await net.relay('r3')];
    const [a, b] = [await net.peer('a', { router: false }), await net.peer('b', { router: false })];
    await net.chain(a, r1, r2, r3, b);
    net.hide(r1, r2, r3);
    await net.clock.runFor(5_000);
    await exchange(net, await bindPair(net.overlay, a, b, 'secure'), 20);
  });

  test('over four relays, and not over five', async () => {
    const net = new RoutedOverlay();
    const four = await chains(net, ['m1', 'm2']);
    await exchange(net, await bindPair(net.overlay, four.a, four.b, 'secure'), 20);
    const other = new RoutedOverlay();
    const five = await chains(other, ['m1', 'm2', 'm3']);
    const connecting = five.a.pipes.connect({ peer: five.b.identity.id, group: WORLD_GROUP, name: 'x' });
    expect(await other.clock.run(codeOf(connecting))).toBe('unreachable');
  });

  test('go on over another chain when a relay in the middle dies, byte for byte and within 5 s', async () => {
    const net = new RoutedOverlay();
    const { a, b, relays } = await chains(net, ['m1'], ['m2'], ['m3a', 'm3b']);
    const pipes = await bindPair(net.overlay, a, b, 'secure');
    const used = relays.flat().filter((relay) => labels(relay) > 0);
    expect(used).toHaveLength(1);
    let diedMs = 0;
    await new Conversation(net, pipes).exchange(400, () => {
      diedMs = net.clock.monotonicMs();
      for (const relay of used) kill(net, relay);
    });
    expect(diedMs).toBeGreaterThan(0);
    expect(net.clock.monotonicMs() - diedMs).toBeLessThan(5_000);
    expect(relays.flat().filter((relay) => !used.includes(relay) && labels(relay) > 0)).toHaveLength(1);
  });

  test('go on over one chain after another until none is left, and when one is back', async () => {
    const net = new RoutedOverlay(2);
    const { a, b, near, far, relays } = await chains(net, ['m1'], ['m2a', 'm2b']);
    const pipes = await bindPair(net.overlay, a, b, 'secure');
    const talk = new Conversation(net, pipes);
    for (const relay of relays[0] ?? []) kill(net, relay);
    await talk.exchange(20);
    expect(labels(relays[1]?.[0] ?? near)).toBe(1);
    for (const relay of relays[1] ?? []) kill(net, relay);
    await net.clock.runFor(10_000);
    expect(pipes[0].path).toBeUndefined();
    const late = await net.relay('late');
    await net.chain(near, late, far);
    const startMs = net.clock.monotonicMs();
    await talk.exchange(20);
    expect(net.clock.monotonicMs() - startMs).toBeLessThan(5_000);
  });

  test('are not connected when there is no way', async () => {
    const net = new RoutedOverlay();
    const { a, b } = await chains(net, []);
    kill(net, b);
    await net.clock.runFor(3_000);
    const connecting = a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x' });
    expect(await net.clock.run(codeOf(connecting))).toBe('unreachable');
  });
});

describe('a member that lies about its neighbours', () => {
  test('costs one attempt, and its word is not taken again soon', async () => {
    const net = new RoutedOverlay();
    const { a, b, near, far, relays } = await chains(net, ['m1', 'm2']);
    const liar = await net.relay('liar');
    await net.link(near, liar);
    net.hide(liar);
    await net.clock.runFor(5_000);
    await net.forge(liar, NEIGHBOURS_KEY, [near.identity.id, far.identity.id], [a, near, ...(relays[0] ?? [])]);
    const ask = () => a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x', timeoutMs: 20_000 });
    b.pipes.listen({ group: WORLD_GROUP, name: 'x' }, () => {});
    expect(await net.clock.run(codeOf(ask()))).toBe('none');
    expect(await net.clock.run(codeOf(ask()))).toBe('none');
    // Once for the binder, once for its relay: each finds ways by itself.
    expect(liar.forwarder.status()['relayed pipes']?.dropped).toBeLessThanOrEqual(2);
    expect(labels(liar)).toBe(0);
  });

  test('costs one attempt to members without a router, whose relay finds ways for them', async () => {
    const net = new RoutedOverlay();
    const [near, middle, far] = [await net.relay('near'), await net.relay('middle'), await net.relay('far')];
    const liar = await net.relay('liar');
    const [a, b] = [await net.peer('a', { router: false }), await net.peer('b', { router: false })];
    await net.link(near, liar);
    await net.chain(a, near, middle, far, b);
    net.hide(near, middle, far, liar);
    await net.clock.runFor(5_000);
    await net.clock.run(near.router?.seek(b.identity.id));
    await net.forge(liar, NEIGHBOURS_KEY, [near.identity.id, far.identity.id], [near]);
    near.router?.failed(b.identity.id, [middle.identity.id, far.identity.id]);
    b.pipes.listen({ group: WORLD_GROUP, name: 'x' }, () => {});
    const ask = () => a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x', timeoutMs: 20_000 });
    expect(await net.clock.run(codeOf(ask()))).toBe('none');
    expect(await net.clock.run(codeOf(ask()))).toBe('none');
    expect(liar.forwarder.status()['relayed pipes']?.dropped).toBe(1);
  });

  test('leads nowhere in circles: each relay is passed once at most', async () => {
    const net = new RoutedOverlay();
    const { a, b, near, far, relays } = await chains(net, []);
    expect(relays).toEqual([[]]);
    const liars = [await net.relay('l1'), await net.relay('l2'), await net.relay('l3')];
    for (const liar of liars) await net.link(near, liar);
    await net.chain(...liars);
    net.hide(...liars);
    const everybody = [near, far, ...liars].map(({ identity }) => identity.id);
    for (const liar of liars) await net.forge(liar, NEIGHBOURS_KEY, everybody, [a, near, far, ...liars]);
    for (const from of [a, near]) {
      for (const route of from.router?.routesTo(b.identity.id) ?? []) expect(new Set(route).size).toBe(route.length);
    }
    kill(net, far);
    const connecting = a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x', timeoutMs: 10_000 });
    expect(await net.clock.run(codeOf(connecting))).toBe('unreachable');
    for (const relay of [near, ...liars]) expect(relay.forwarder.status()['relayed pipes']?.dropped).toBeLessThan(5);
  });
});
