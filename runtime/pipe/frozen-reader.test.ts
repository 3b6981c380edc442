import { describe, expect, test } from 'vitest';
import type { Pipe } from './pipe.ts';
import { type Latencies, latencies } from './testing/latency.ts';
import { bindPair, Overlay, type TestPeer } from './testing/overlay.ts';

/** 10 Mbit/s. */
const LINK = { delayMs: 5, bytesPerSecond: 1_250_000 };
const MESSAGES = { count: 500, everyMs: 10, bytes: 1_000 };

/** Sends for as long as it is let, and goes on trying. */
function press(pipe: Pipe): { sent: () => number } {
  let sent = 0;
  const message = new Uint8Array(20_000);
  const send = async (): Promise<void> => {
    for (;;) {
      await pipe.send(message, { timeoutMs: 600_000 });
      sent += message.length;
    }
  };
  // Ends with the test.
  send().catch(() => {});
  return { sent: () => sent };
}

function expectUnharmed(alone: Latencies, beside: Latencies): void {
  expect(beside.received).toBe(beside.sent);
  expect(beside.p99Ms).toBeLessThanOrEqual(2 * alone.p99Ms);
}

async function three(scheme: 'mem' | 'memd'): Promise<[Overlay, TestPeer, TestPeer, TestPeer]> {
  const overlay = new Overlay(1, LINK);
  return [
    overlay,
    await overlay.peer('sender', { scheme }),
    await overlay.peer('reader', { scheme }),
    await overlay.peer('frozen', { scheme }),
  ];
}

describe.each(['mem', 'memd'] as const)('over %s links', (scheme) => {
  test.each(['reliable', 'secure'] as const)(
    'a %s pipe whose reader never reads leaves another on its link all its messages, and p99 at most doubled',
    async (kind) => {
      const [overlay, sender, reader] = await three(scheme);
      const alone = await latencies(overlay.clock, await bindPair(overlay, sender, reader, kind), MESSAGES);
      const other = await bindPair(overlay, sender, reader, kind);
      const [frozen] = await bindPair(overlay, sender, reader, kind);
      const pressed = press(frozen);
      // The window fills; from then on nothing of the frozen pipe goes.
      await overlay.clock.runFor(3_000);
      expect(pressed.sent()).toBeGreaterThan(1_000_000);
      expectUnharmed(alone, await latencies(overlay.clock, other, MESSAGES));
      expect(pressed.sent()).toBeLessThan(3_000_000);
    },
  );

  test.each(['reliable', 'secure'] as const)(
    'while the window of a bulk pipe of kind %s fills that nobody reads, p99 of another is at most doubled',
    async (kind) => {
      const [overlay, sender, reader] = await three(scheme);
      // As far as 1 Gbit/s goes: the same bound on a slow link is that of the bulk window, in priorities.test.ts.
      overlay.network.setConditions({ bytesPerSecond: 125_000_000 });
      const alone = await latencies(overlay.clock, await bindPair(overlay, sender, reader, kind), MESSAGES);
      const other = await bindPair(overlay, sender, reader, kind);
      const [frozen] = await bindPair(overlay, sender, reader, kind);
      frozen.priority = 'bulk';
      press(frozen);
      expectUnharmed(alone, await latencies(overlay.clock, other, MESSAGES));
    },
  );

  test('a peer that stops reading its link leaves another peer all its messages, and p99 at most doubled', async () => {
    const [overlay, sender, reader, frozen] = await three(scheme);
    const alone = await latencies(overlay.clock, await bindPair(overlay, sender, reader, 'secure'), MESSAGES);
    const other = await bindPair(overlay, sender, reader, 'secure');
    const pressed = [];
    for (const kind of ['secure', 'reliable'] as const) {
      pressed.push(press((await bindPair(overlay, sender, frozen, kind))[0]));
    }
    await overlay.clock.runFor(100);
    for (const stream of frozen.process.streams) stream.pause();
    for (const connection of frozen.process.datagrams) connection.pause();
    expectUnharmed(alone, await latencies(overlay.clock, other, MESSAGES));
    for (const { sent } of pressed) expect(sent()).toBeGreaterThan(0);
  });
});
