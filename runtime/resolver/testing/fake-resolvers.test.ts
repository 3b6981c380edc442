import { VirtualClock } from '@pipevine/transports';
import { expect, test } from 'vitest';
import { codeOf } from '../../pipe/testing/overlay.ts';
import { type FakeResolver, FakeResolvers } from './fake-resolvers.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('fake resolvers ask, stream, connect and lose links as real ones do', async () => {
  const clock = new VirtualClock();
  const network = new FakeResolvers(clock, { delayMs: 5 });
  const [a, b] = [network.peer('a'), network.peer('b')];
  b.handle('echo', async (body) => body);
  b.handle('count', async function* () {
    yield bytes(1);
    yield bytes(2);
  });
  b.handle('forever', async function* (_, { signal }) {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  const neighbour = await clock.run(a.connect(b.localPeer));
  expect(b.neighbour(a.localPeer)).toBeDefined();
  const startMs = clock.monotonicMs();
  expect(await clock.run(neighbour.request('echo', bytes(7)))).toEqual(bytes(7));
  expect(clock.monotonicMs() - startMs).toBe(10);
  expect(await clock.run(all(neighbour.stream('count', bytes())))).toEqual([bytes(1), bytes(2)]);
  expect(await clock.run(codeOf(neighbour.request('none', bytes())))).toBe('not-found');
  const watching = codeOf(all(neighbour.stream('forever', bytes(), { timeoutMs: Infinity })));
  await clock.runFor(100);
  network.unlink(a, b);
  expect(await clock.run(watching)).toBe('unreachable');
  expect(a.neighbours()).toEqual([]);
  network.stop(b);
  expect(await clock.run(codeOf(a.connect(b.localPeer)))).toBe('unreachable');
});

test('fake resolvers propagate by hops, to each member once', async () => {
  const clock = new VirtualClock();
  const network = new FakeResolvers(clock);
  const peers = ['a', 'b', 'c', 'd', 'e'].map((name) => network.peer(name));
  const [a, b, c, d, e] = peers as [FakeResolver, FakeResolver, FakeResolver, FakeResolver, FakeResolver];
  for (const other of [b, c]) network.link(a, other);
  for (const other of [b, c, e]) network.link(d, other);
  const heard: string[] = [];
  for (const peer of peers) {
    peer.handle('note', async (body) => {
      heard.push(peer.name);
      return body;
    });
  }
  expect(await clock.run(a.propagate('note', bytes(), { ttlHops: 2 }))).toBe(2);
  await clock.runFor(100);
  expect(heard.sort()).toEqual(['b', 'c', 'd']);
  const answers = await clock.run(all(a.query('note', bytes(9))));
  expect(answers.map(({ from }) => from).sort()).toEqual([b, c, d, e].map(({ localPeer }) => localPeer).sort());
});
