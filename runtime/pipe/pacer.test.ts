import { expect, test } from 'vitest';
import { Pacer, type PacingRate } from './pacer.ts';

const PACKET = 1_000;

/** Sends as fast as the pacer lets it; returns when each packet left, in ms. */
function departures(pacer: Pacer, rate: PacingRate, packets: number, startMs = 0): number[] {
  const sent: number[] = [];
  for (let now = startMs; sent.length < packets; ) {
    const waitMs = pacer.waitMs(now, rate);
    if (waitMs > 0) {
      now += waitMs;
      continue;
    }
    pacer.onSent(PACKET);
    sent.push(now);
  }
  return sent;
}

test('four packets go at once, and the rest evenly, a quarter faster than a window a round trip', () => {
  const rate = { windowBytes: 100 * PACKET, isSlowStart: false, roundTripMs: 100 };
  const sent = departures(new Pacer(PACKET, 0), rate, 1_004);
  expect(sent.filter((ms) => ms === 0)).toHaveLength(4);
  // 1.25 packets a ms.
  expect(sent.at(-1)).toBeGreaterThan(790);
  expect(sent.at(-1)).toBeLessThan(815);
  for (let i = 20; i < sent.length; i++) expect((sent[i] ?? 0) - (sent[i - 10] ?? 0)).toBeGreaterThan(6);
});

test('while the window doubles the rate is twice a window a round trip', () => {
  const rate = { windowBytes: 100 * PACKET, isSlowStart: true, roundTripMs: 100 };
  const sent = departures(new Pacer(PACKET, 0), rate, 1_004);
  expect(sent.at(-1)).toBeGreaterThan(490);
  expect(sent.at(-1)).toBeLessThan(510);
});

test('a pause earns no more than a burst', () => {
  const rate = { windowBytes: 100 * PACKET, isSlowStart: false, roundTripMs: 100 };
  const pacer = new Pacer(PACKET, 0);
  departures(pacer, rate, 50);
  expect(departures(pacer, rate, 50, 1e6).filter((ms) => ms === 1e6)).toHaveLength(4);
});

test('a timer that comes late costs no speed', () => {
  const rate = { windowBytes: 100 * PACKET, isSlowStart: false, roundTripMs: 10 };
  const pacer = new Pacer(PACKET, 0);
  let sent = 0;
  for (let now = 0; now < 1_000; now += 15) {
    while (pacer.waitMs(now, rate) === 0) {
      pacer.onSent(PACKET);
      sent++;
    }
  }
  // 12.5 packets a ms.
  expect(sent).toBeGreaterThan(12_000);
  expect(sent).toBeLessThan(12_600);
});

test('on a path of a fraction of a ms the timers do not hold back more than they can tell apart', () => {
  const rate = { windowBytes: 100 * PACKET, isSlowStart: false, roundTripMs: 0.1 };
  const sent = departures(new Pacer(PACKET, 0), rate, 100_000);
  expect(sent.at(-1)).toBeLessThan(100);
});

test('before a round trip was measured only the window limits', () => {
  const rate = { windowBytes: 10 * PACKET, isSlowStart: true, roundTripMs: undefined };
  const pacer = new Pacer(PACKET, 0);
  expect(departures(pacer, rate, 10).at(-1)).toBe(0);
  // What went ahead of the rate is owed once there is one.
  expect(pacer.waitMs(0, { ...rate, roundTripMs: 100 })).toBeGreaterThan(0);
});
