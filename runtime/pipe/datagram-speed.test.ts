import type { NetworkConditions } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { bindPair, numbered, Overlay } from './testing/overlay.ts';

const MESSAGE_BYTES = 1_024;

/** Sends so many messages over a path in virtual time, after the first one has arrived. */
async function transfer(seed: number, conditions: Partial<NetworkConditions>, messages: number) {
  const overlay = new Overlay(seed, { delayMs: 20 });
  const a = await overlay.peer('a', { scheme: 'memd' });
  const b = await overlay.peer('b', { scheme: 'memd' });
  const [atA, atB] = await bindPair(overlay, a, b, 'secure');
  overlay.network.setConditions(conditions);
  let bytes = 0;
  atB.receive((message) => {
    bytes += message.length;
  });
  const startMs = overlay.clock.monotonicMs();
  const sending = async (): Promise<void> => {
    for (let i = 0; i < messages; i++) {
      const message = numbered(i, MESSAGE_BYTES);
      if (!atA.trySend(message)) await atA.send(message, { timeoutMs: 3_600_000 });
    }
    await atA.flush({ timeoutMs: 3_600_000 });
  };
  await overlay.clock.run(sending(), 3_600_000);
  expect(bytes).toBe(messages * MESSAGE_BYTES);
  return { perSecond: bytes / ((overlay.clock.monotonicMs() - startMs) / 1_000), counters: overlay.network.counters };
}

describe('a reliable pipe over packets', () => {
  test('fills a narrow path whose queue is short', async () => {
    const { perSecond, counters } = await transfer(1, { bytesPerSecond: 1_000_000, queueBytes: 24_000 }, 4_000);
    expect(perSecond).toBeGreaterThan(700_000);
    // Without pacing each round trip's burst overflows the queue, and the speed is less than half.
    expect(counters.overflowed / counters.sent).toBeLessThan(0.02);
  });

  test.each([1, 2, 3, 4])('at 1 %% loss carries ten packets a round trip (seed %i)', async (seed) => {
    const { perSecond } = await transfer(seed, { loss: 0.01 }, 3_000);
    expect((perSecond / MESSAGE_BYTES) * 0.04).toBeGreaterThan(8);
  });

  test('at 30 % loss carries more than three packets in two round trips', async () => {
    let packets = 0;
    const seeds = [1, 2, 3, 4, 5, 6];
    for (const seed of seeds) {
      const { perSecond } = await transfer(seed, { loss: 0.3 }, 400);
      const perRoundTrip = (perSecond / MESSAGE_BYTES) * 0.04;
      expect(perRoundTrip).toBeGreaterThan(0.5);
      packets += perRoundTrip;
    }
    expect(packets / seeds.length).toBeGreaterThan(1.5);
  });
});
