import { expect, test } from 'vitest';
import { initialWant, nextWantDeadline, stepWant, type WantState } from './want-state.ts';

/** The waits between the attempts of a want that always fails, with the given jitter. */
function waits(fraction: number): number[] {
  let state: WantState = initialWant(0);
  let now = 0;
  const found: number[] = [];
  for (let i = 0; i < 10; i++) {
    now = nextWantDeadline(state) ?? Number.NaN;
    const due = stepWant(state, 'timer', now, fraction);
    expect(due.effect).toBe('dial');
    state = stepWant(due.state, 'dial-failed', now, fraction).state;
    found.push((nextWantDeadline(state) ?? Number.NaN) - now);
  }
  return found;
}

test('waits double from half a second to half a minute, and never end', () => {
  expect(waits(1)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  expect(waits(0)).toEqual(waits(1).map((wait) => wait / 2));
});

test('a link that lived starts the waits over, one that died young does not', () => {
  const dialling: WantState = { phase: 'dialling', failures: 5 };
  const linked = stepWant(dialling, 'link-up', 1_000, 1).state;
  expect(stepWant(linked, 'link-down', 1_500, 1).state).toEqual({ phase: 'waiting', untilMs: 17_500, failures: 6 });
  expect(stepWant(linked, 'link-down', 60_000, 1).state).toEqual({ phase: 'waiting', untilMs: 60_500, failures: 1 });
});

test('a hint ends a wait, and disturbs nothing else', () => {
  const waiting: WantState = { phase: 'waiting', untilMs: 30_000, failures: 6 };
  expect(stepWant(waiting, 'hint', 100, 0)).toEqual({ state: { phase: 'dialling', failures: 6 }, effect: 'dial' });
  const linked: WantState = { phase: 'linked', sinceMs: 0, failures: 0 };
  expect(stepWant(linked, 'hint', 100, 0)).toEqual({ state: linked, effect: undefined });
});

test('a link that the other side dialled ends the waiting', () => {
  const waiting: WantState = { phase: 'waiting', untilMs: 30_000, failures: 6 };
  const { state } = stepWant(waiting, 'link-up', 100, 0);
  expect(state.phase).toBe('linked');
  expect(nextWantDeadline(state)).toBeUndefined();
});
