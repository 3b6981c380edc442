import { expect, it } from 'vitest';
import { KeepAliveState } from './keep-alive-state.ts';

const init = { intervalMs: 15_000, attempts: 3 };

it('asks after an interval of silence, shortened by the jitter at most to 80 %', () => {
  expect(new KeepAliveState(init, 0, 0).nextDeadlineMs).toBe(12_000);
  expect(new KeepAliveState(init, 0, 0.999_999).nextDeadlineMs).toBeCloseTo(15_000, 0);
  const state = new KeepAliveState(init, 0, 0);
  expect(state.step(11_999, 0)).toEqual({ do: 'wait' });
  expect(state.step(12_000, 0)).toEqual({ do: 'ping', token: 1 });
});

it('waits when something came meanwhile', () => {
  const state = new KeepAliveState(init, 0, 0);
  state.heard(11_000);
  expect(state.step(12_000, 0)).toEqual({ do: 'wait' });
  expect(state.nextDeadlineMs).toBe(23_000);
});

it('gives up after three intervals, having asked twice', () => {
  const state = new KeepAliveState(init, 0, 0);
  const asked: number[] = [];
  for (;;) {
    const now = state.nextDeadlineMs;
    const step = state.step(now, 0);
    if (step.do === 'give-up') {
      expect(now).toBe(45_000);
      break;
    }
    asked.push(now);
  }
  expect(asked).toEqual([12_000, 24_000]);
});

it('asks before it gives up when the process was held up for a minute', () => {
  const state = new KeepAliveState(init, 0, 0);
  expect(state.step(60_000, 0)).toMatchObject({ do: 'ping' });
  state.heard(60_001);
  expect(state.step(state.nextDeadlineMs, 0)).toMatchObject({ do: expect.stringMatching(/wait|ping/) });
});

it('smooths the round trip by an eighth, and ignores answers to older questions', () => {
  const state = new KeepAliveState(init, 0, 0);
  const first = state.ask(0);
  const second = state.ask(10);
  state.answered(first, 500);
  expect(state.rttMs).toBeUndefined();
  state.answered(second, 90);
  expect(state.rttMs).toBe(80);
  state.answered(second, 200);
  expect(state.rttMs).toBe(80);
  state.answered(state.ask(300), 460);
  expect(state.rttMs).toBe(90);
});

it('measures again once a minute although the link is busy', () => {
  const state = new KeepAliveState(init, 0, 0);
  let pings = 0;
  for (let now = 0; now < 300_000; now += 1_000) {
    state.heard(now);
    if (now < state.nextDeadlineMs) continue;
    const step = state.step(now, 0);
    if (step.do !== 'ping') continue;
    pings++;
    state.answered(step.token, now + 5);
  }
  expect(pings).toBeGreaterThanOrEqual(3);
  expect(pings).toBeLessThanOrEqual(5);
});

it('in doubt asks at once and each second, and gives up after the fourth question', () => {
  const state = new KeepAliveState(init, 0, 0);
  state.doubt(1_000);
  const asked: number[] = [];
  for (;;) {
    const now = state.nextDeadlineMs;
    if (state.step(now, 0).do === 'give-up') {
      expect(now).toBe(5_000);
      break;
    }
    asked.push(now);
  }
  expect(asked).toEqual([1_000, 2_000, 3_000, 4_000]);
});

it('has no doubt any more once something came', () => {
  const state = new KeepAliveState(init, 0, 0);
  state.doubt(1_000);
  expect(state.step(1_000, 0)).toMatchObject({ do: 'ping' });
  state.heard(1_500);
  expect(state.step(2_000, 0)).toEqual({ do: 'wait' });
  expect(state.nextDeadlineMs).toBe(13_500);
});
