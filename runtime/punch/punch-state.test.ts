import { expect, test } from 'vitest';
import { REST_MS } from './punch-defaults.ts';
import { nextPunchDeadline, type PunchInput, type PunchState, stepPunch } from './punch-state.ts';

/** The states after inputs at given times. */
function run(...inputs: readonly (readonly [PunchInput, number])[]): { state: PunchState | undefined; tries: number } {
  let state: PunchState | undefined;
  let tries = 0;
  for (const [input, nowMs] of inputs) {
    const step = stepPunch(state, input, nowMs, 0, 1_000);
    state = step.state;
    if (step.effect === 'try') tries++;
  }
  return { state, tries };
}

test('who is wanted is tried once, however often that is said', () => {
  expect(run(['wanted', 0], ['wanted', 1], ['wanted', 2])).toEqual({
    state: { phase: 'trying', failures: 0 },
    tries: 1,
  });
});

test('after each failure the rest is longer, up to the longest', () => {
  let inputs: (readonly [PunchInput, number])[] = [['wanted', 0]];
  let now = 0;
  for (const restMs of [...REST_MS, ...REST_MS.slice(-1)]) {
    inputs = [...inputs, ['failed', now]];
    const { state } = run(...inputs);
    expect(state && nextPunchDeadline(state)).toBe(now + restMs);
    now += restMs;
    inputs = [...inputs, ['wanted', now - 1], ['timer', now - 1]];
    expect(run(...inputs).state?.phase).toBe('resting');
    inputs = [...inputs, ['timer', now]];
    expect(run(...inputs).state?.phase).toBe('trying');
  }
});

test('what is hopeless rests longest, unless the network changes', () => {
  const { state } = run(['wanted', 0], ['hopeless', 0]);
  expect(state && nextPunchDeadline(state)).toBe(REST_MS.at(-1));
  expect(run(['wanted', 0], ['hopeless', 0], ['changed', 5]).tries).toBe(2);
});

test('what found no room is tried soon, and does not count as a failure', () => {
  expect(run(['wanted', 0], ['no-room', 0]).state).toEqual({ phase: 'resting', failures: 0, untilMs: 1_000 });
});

test('a failure that comes late changes nothing', () => {
  expect(run(['wanted', 0], ['linked', 1], ['failed', 2], ['timer', 3], ['changed', 4])).toEqual({
    state: { phase: 'direct' },
    tries: 1,
  });
  expect(run(['wanted', 0], ['linked', 1], ['wanted', 2]).tries).toBe(2);
});
