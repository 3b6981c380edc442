import { expect, test } from 'vitest';
import { CongestionControl } from './congestion-control.ts';

const PACKET = 1_000;

/** Sends a full window and has it acknowledged. */
function round(control: CongestionControl, sentMs: number): void {
  const packets = Math.floor(control.windowBytes / PACKET);
  for (let i = 0; i < packets; i++) control.onSent(PACKET);
  for (let i = 0; i < packets; i++) control.onAcknowledged(PACKET, sentMs, true);
}

test('the window doubles each round trip until the first loss, then halves and grows by a packet a round', () => {
  const control = new CongestionControl(PACKET);
  expect(control.windowBytes).toBe(10_000);
  round(control, 1);
  expect(control.windowBytes).toBe(20_000);
  round(control, 2);
  expect(control.windowBytes).toBe(40_000);
  control.onSent(PACKET);
  control.onLost(PACKET, 3, 4);
  expect(control.windowBytes).toBe(20_000);
  round(control, 5);
  expect(control.windowBytes).toBeGreaterThan(20_900);
  expect(control.windowBytes).toBeLessThan(21_001);
  expect(control.bytesInFlight).toBe(0);
});

test('several losses of one round count once', () => {
  const control = new CongestionControl(PACKET);
  for (let i = 0; i < 4; i++) control.onSent(PACKET);
  control.onLost(PACKET, 10, 20);
  control.onLost(PACKET, 12, 21);
  control.onLost(PACKET, 19, 22);
  expect(control.windowBytes).toBe(5_000);
  control.onLost(PACKET, 21, 30);
  expect(control.windowBytes).toBe(4_000);
});

test('the window never falls below four packets, and does not grow while it is not used', () => {
  const control = new CongestionControl(PACKET);
  for (let i = 0; i < 10; i++) control.onLost(0, i * 10 + 1, i * 10 + 2);
  expect(control.windowBytes).toBe(4_000);
  control.onPersistentCongestion();
  expect(control.windowBytes).toBe(4_000);
  control.onSent(PACKET);
  control.onAcknowledged(PACKET, 1_000, false);
  expect(control.windowBytes).toBe(4_000);
});
