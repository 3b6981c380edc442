import { expect, test } from 'vitest';
import { PathMtuState, type PathMtuStep } from './path-mtu-state.ts';

/** Steps through the deadlines until the time is over; `answer` decides what arrives. */
function run(
  state: PathMtuState,
  untilMs: number,
  answer: (bytes: 'large' | 'small', nowMs: number) => boolean,
): { probes: number[]; blackHoleMs: number | undefined } {
  const probes: number[] = [];
  for (let now = state.nextDeadlineMs; now <= untilMs; now = Math.max(now + 1, state.nextDeadlineMs)) {
    const step: PathMtuStep = state.step(now);
    if (step.do === 'black-hole') return { probes, blackHoleMs: now };
    if (step.do !== 'probe') continue;
    expect(step.bytes).toBe(1_200);
    probes.push(now);
    if (answer('large', now)) state.answered(step.token, now + 20);
    if (step.compare && answer('small', now)) state.answered(step.token + 1, now + 20);
  }
  return { probes, blackHoleMs: undefined };
}

test('a link that began with small packets goes over to large ones when a probe is answered', () => {
  const state = new PathMtuState({ maxBytes: 1_200, confirmed: false }, 0);
  expect(state.packetBytes).toBe(548);
  let asked = 0;
  const { probes } = run(state, 60_000, () => ++asked === 3);
  expect(state.packetBytes).toBe(1_200);
  expect(probes).toEqual([0, 500, 1_000]);
});

test('a path of small packets is tried again after ten minutes, not before', () => {
  const state = new PathMtuState({ maxBytes: 1_200, confirmed: false }, 0);
  const { probes, blackHoleMs } = run(state, 599_000, () => false);
  expect([probes.length, blackHoleMs, state.packetBytes]).toEqual([10, undefined, 548]);
  state.used();
  run(state, 700_000, (_, now) => now > 600_000);
  expect(state.packetBytes).toBe(1_200);
});

test('an idle path is not looked at', () => {
  const state = new PathMtuState({ maxBytes: 1_200, confirmed: true }, 0);
  expect(run(state, 300_000, () => false).probes).toEqual([]);
  state.used();
  expect(run(state, 310_000, () => true).probes).toHaveLength(1);
});

test('large packets that vanish where small ones arrive are a black hole', () => {
  const state = new PathMtuState({ maxBytes: 1_200, confirmed: true }, 0);
  state.used();
  const { probes, blackHoleMs } = run(state, 300_000, (size) => size === 'small');
  expect([probes.length, blackHoleMs]).toEqual([10, 10_000 + 10 * 500]);
});

test('a path on which nothing arrives is left to the keep-alive', () => {
  const state = new PathMtuState({ maxBytes: 1_200, confirmed: true }, 0);
  state.used();
  expect(run(state, 300_000, () => false).blackHoleMs).toBeUndefined();
});

test('answers from a row of probes that is over, or to nothing at all, confirm nothing', () => {
  const state = new PathMtuState({ maxBytes: 1_200, confirmed: false }, 0);
  const first = state.step(0);
  run(state, 599_000, () => false);
  state.used();
  state.step(state.nextDeadlineMs);
  for (const token of [0, 1, first.do === 'probe' ? first.token : 0, 0xffff_fffe]) state.answered(token, 700_000);
  expect(state.packetBytes).toBe(548);
});

test('packets that are small anyway need no looking', () => {
  const state = new PathMtuState({ maxBytes: 500, confirmed: false }, 0);
  state.used();
  expect(state.packetBytes).toBe(500);
  expect(run(state, 100_000, () => true).probes).toEqual([]);
});
