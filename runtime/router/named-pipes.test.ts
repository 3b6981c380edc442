import { expect, test } from 'vitest';
import { NEIGHBOURS_KEY } from '../advertisement/route-body.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { Pipe } from '../pipe/pipe.ts';
import { bindPair, codeOf, cutLinks, numbered, numberOf } from '../pipe/testing/overlay.ts';
import { RoutedOverlay, type RoutedPeer } from './testing/routed-overlay.ts';

/** A and b, whose relays are linked by two others, none of which finds ways itself: only a has a router that is asked. */
async function twoWays(net: RoutedOverlay) {
  const [near, far] = [await net.relay('near'), await net.relay('far')];
  const middles = [await net.relay('m1'), await net.relay('m2')];
  for (const middle of middles) await net.chain(near, middle, far);
  const [a, b] = [await net.peer('a'), await net.peer('b')];
  await net.link(a, near);
  await net.link(b, far);
  net.hide(near, far, ...middles);
  await net.clock.runFor(5_000);
  return { a, b, near, far, middles };
}

function kill(net: RoutedOverlay, peer: RoutedPeer): void {
  net.resolvers.stop(peer.resolver);
  net.hide(peer);
  cutLinks(peer);
  net.overlay.network.isolate(peer.name);
}

const ids = (...peers: readonly (RoutedPeer | undefined)[]) => peers.flatMap((peer) => peer?.identity.id ?? []);

async function echo(net: RoutedOverlay, pipes: readonly [Pipe, Pipe], number: number): Promise<void> {
  const got = pipes[1][Symbol.asyncIterator]().next();
  await net.clock.run(pipes[0].send(numbered(number)));
  expect(numberOf((await net.clock.run(got)).value ?? new Uint8Array(4))).toBe(number);
}

test('a binder names the relays on the way, and others when one of them dies', async () => {
  const net = new RoutedOverlay();
  const { a, b, near, far, middles } = await twoWays(net);
  await net.clock.run(a.router?.seek(b.identity.id) ?? Promise.resolve());
  const pipes = await bindPair(net.overlay, a, b, 'secure');
  const ways = middles.map((middle) => ids(near, middle, far));
  const first = ways.findIndex((way) => way.join() === pipes[0].path?.relays?.join());
  expect(pipes[0].path).toEqual({ via: near.identity.id, type: 'relayed', relays: ways[first] });
  await echo(net, pipes, 1);
  const middle = middles[first];
  if (middle === undefined) throw new Error('no way');
  kill(net, middle);
  const startMs = net.clock.monotonicMs();
  await echo(net, pipes, 2);
  expect(net.clock.monotonicMs() - startMs).toBeLessThan(1_000);
  expect(pipes[0].path?.relays).toEqual(ways[1 - first]);
});

test('a binder leaves a relay within 5 s that lets nothing pass, for a way without it', async () => {
  const net = new RoutedOverlay();
  const { a, b, far, middles } = await twoWays(net);
  await net.clock.run(a.router?.seek(b.identity.id) ?? Promise.resolve());
  const pipes = await bindPair(net.overlay, a, b, 'secure');
  const silent = middles.find((middle) => pipes[0].path?.relays?.includes(middle.identity.id));
  const link = silent?.endpoint.linkTo(far.identity.id);
  if (link === undefined) throw new Error('no way');
  link.queueData = () => true;
  link.queueFrame = () => true;
  const startMs = net.clock.monotonicMs();
  await echo(net, pipes, 1);
  expect(net.clock.monotonicMs() - startMs).toBeLessThan(5_000);
  expect(pipes[0].path?.relays).not.toContain(silent?.identity.id);
});

test('who names neighbours that it does not have costs a binder one attempt', async () => {
  const net = new RoutedOverlay();
  const { a, b, near, far } = await twoWays(net);
  const liars = [await net.relay('l1'), await net.relay('l2')];
  for (const liar of liars) await net.link(a, liar);
  net.hide(...liars);
  await net.clock.run(a.router?.seek(b.identity.id) ?? Promise.resolve());
  for (const liar of liars) await net.forge(liar, NEIGHBOURS_KEY, ids(near, far), [a]);
  b.pipes.listen({ group: WORLD_GROUP, name: 'x' }, () => {});
  const ask = () => a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x', timeoutMs: 20_000 });
  for (let i = 0; i < 3; i++) expect(await net.clock.run(codeOf(ask()))).toBe('none');
  for (const liar of liars) expect(liar.forwarder.status()['relayed pipes']?.dropped).toBe(1);
});

test('a binder hears which relay could not pass on', async () => {
  const net = new RoutedOverlay();
  const { a, b } = await twoWays(net);
  await net.clock.run(a.router?.seek(b.identity.id) ?? Promise.resolve());
  kill(net, b);
  await net.clock.runFor(3_000);
  const connecting = a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x', timeoutMs: 10_000 });
  const error = await net.clock.run(connecting.catch((cause: unknown) => cause));
  expect(error).toMatchObject({ code: 'unreachable', message: expect.stringMatching(/^At relay \d: /) });
});
