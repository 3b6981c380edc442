import { describe, expect, test } from 'vitest';
import type { Pipe } from './pipe.ts';
import { bindPair, numbered, numberOf, Overlay } from './testing/overlay.ts';

const BLACK_HOLE = { maxPacketBytes: 548 };

/** Counts what comes in order; `sent` is kept up to date. */
function sendAll(atA: Pipe, atB: Pipe, count: number, onSent: (number: number) => void) {
  const seen = { next: 0, wrong: 0 };
  atB.receive((message) => {
    if (numberOf(message) !== seen.next++) seen.wrong++;
  });
  const sending = async (): Promise<void> => {
    for (let i = 0; i < count; i++) {
      onSent(i);
      if (!atA.trySend(numbered(i, 1_024))) await atA.send(numbered(i, 1_024), { timeoutMs: 120_000 });
    }
    await atA.flush({ timeoutMs: 120_000 });
  };
  return { seen, sending: sending() };
}

describe('a reliable pipe over a path that swallows packets of more than 548 bytes', () => {
  test.each([1, 2, 3])('is bound within seconds, and carries messages larger than that (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, { delayMs: 20, ...BLACK_HOLE });
    const a = await overlay.peer('a', { scheme: 'memd' });
    const b = await overlay.peer('b', { scheme: 'memd' });
    const startMs = overlay.clock.monotonicMs();
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    expect(overlay.clock.monotonicMs() - startMs).toBeLessThan(4_000);
    const { seen, sending } = sendAll(atA, atB, 500, () => undefined);
    await overlay.clock.run(sending, 60_000);
    expect(seen).toEqual({ next: 500, wrong: 0 });
  });

  test.each([1, 2, 3])('goes on when the path becomes so under way, and loses nothing (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, { delayMs: 20 });
    const a = await overlay.peer('a', { scheme: 'memd' });
    const b = await overlay.peer('b', { scheme: 'memd' });
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    const { seen, sending } = sendAll(atA, atB, 3_000, (number) => {
      if (number === 1_500) overlay.network.setConditions(BLACK_HOLE);
    });
    await overlay.clock.run(sending, 60_000);
    expect(seen).toEqual({ next: 3_000, wrong: 0 });
  });
});
