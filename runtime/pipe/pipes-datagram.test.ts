import { describe, expect, test } from 'vitest';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { Pipe, PipeKind } from './pipe.ts';
import { bindPair, numbered, numberOf, Overlay } from './testing/overlay.ts';

const BAD_NETWORK = {
  delayMs: 5,
  jitterMs: 3,
  loss: 0.1,
  duplication: 0.1,
  reordering: 0.2,
  reorderMs: 20,
  corruption: 0.02,
};

async function sendAll(pipe: Pipe, count: number, length: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const message = numbered(i, length);
    if (!pipe.trySend(message)) await pipe.send(message, { timeoutMs: 3_600_000 });
  }
  await pipe.flush({ timeoutMs: 3_600_000 });
}

describe('reliable pipes over packets that are lost, doubled, reordered and corrupted', () => {
  test.each([1, 2, 3, 4, 5, 6])('deliver 20,000 messages exactly once, in order (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, BAD_NETWORK);
    const a = await overlay.peer('a', { scheme: 'memd' });
    const b = await overlay.peer('b', { scheme: 'memd' });
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    let next = 0;
    let wrong = 0;
    atB.receive((message) => {
      if (numberOf(message) !== next++) wrong++;
    });
    await overlay.clock.run(sendAll(atA, 20_000, 32), 3_600_000);
    expect([next, wrong]).toEqual([20_000, 0]);
    expect(overlay.network.counters.lost).toBeGreaterThan(50);
    expect(overlay.network.counters.corrupted).toBeGreaterThan(10);
  });

  test.each([1, 2, 3])('carry messages larger than the window, with a session of their own (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, BAD_NETWORK);
    const hosted = overlay.identity('hosted');
    const a = await overlay.peer('a', { scheme: 'memd' });
    const b = await overlay.peer('b', {
      scheme: 'memd',
      hosted: { find: (peer): Identity | undefined => (peer === hosted.id ? hosted : undefined) },
      pipeLimits: { windowBytes: 20_000 },
    });
    overlay.hosts.set(hosted.id, b.identity.id);
    const [atA, atB] = await bindPair(overlay, a, b, 'secure', hosted);
    const got: Uint8Array[] = [];
    atB.receive((message) => void got.push(message.slice()));
    const sizes = [1, 100_000, 0, 5_000, 70_000, 3];
    const sent = sizes.map((size, i) => new Uint8Array(size).map((_, at) => (at * 7 + i) & 255));
    const all = async (): Promise<void> => {
      for (const message of sent) await atA.send(message, { timeoutMs: 600_000 });
      await atA.flush({ timeoutMs: 600_000 });
    };
    await overlay.clock.run(all());
    expect(got).toEqual(sent);
  });

  test.each<PipeKind>(['unicast'])(
    'a %s pipe loses some and delivers none twice when it has a session',
    async (kind) => {
      const overlay = new Overlay(9, BAD_NETWORK);
      const hosted = overlay.identity('hosted');
      const a = await overlay.peer('a', { scheme: 'memd' });
      const b = await overlay.peer('b', {
        scheme: 'memd',
        hosted: { find: (peer): Identity | undefined => (peer === hosted.id ? hosted : undefined) },
      });
      overlay.hosts.set(hosted.id, b.identity.id);
      const [atA, atB] = await bindPair(overlay, a, b, kind, hosted);
      const got = new Map<number, number>();
      atB.receive((message) => void got.set(numberOf(message), (got.get(numberOf(message)) ?? 0) + 1));
      for (let i = 0; i < 500; i++) {
        atA.trySend(numbered(i));
        await overlay.clock.runFor(1);
      }
      await overlay.clock.runFor(1_000);
      expect(got.size).toBeGreaterThan(350);
      expect(got.size).toBeLessThan(500);
      expect([...got.values()].every((times) => times === 1)).toBe(true);
    },
  );

  test('closing is told although UNBIND may be lost', async () => {
    for (let seed = 20; seed < 30; seed++) {
      const overlay = new Overlay(seed, { ...BAD_NETWORK, loss: 0.4 });
      const a = await overlay.peer('a', { scheme: 'memd' });
      const b = await overlay.peer('b', { scheme: 'memd' });
      const [atA, atB] = await bindPair(overlay, a, b, 'secure');
      atA.trySend(numbered(1));
      await overlay.clock.run(atA.close({ timeoutMs: 60_000 }));
      expect(await overlay.clock.run(atB.closed)).toBeUndefined();
      expect(WORLD_GROUP).toBe(atB.group);
    }
  });
});
