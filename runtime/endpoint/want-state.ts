import { jitteredBackoffMs } from './backoff.ts';
import { STABLE_LINK_MS, WANT_FIRST_MS, WANT_MAX_MS } from './endpoint-defaults.ts';

/** One neighbour, or seed address, to which there shall be a link. */
export type WantState =
  | { readonly phase: 'waiting'; readonly untilMs: number; readonly failures: number }
  | { readonly phase: 'dialling'; readonly failures: number }
  | { readonly phase: 'linked'; readonly sinceMs: number; readonly failures: number };

/** `hint`: there is reason to believe that dialling would succeed now. */
export type WantInput = 'link-up' | 'link-down' | 'dial-failed' | 'timer' | 'hint';

export interface WantStep {
  readonly state: WantState;
  readonly effect: 'dial' | undefined;
}

/** Wanted just now: due at once. */
export function initialWant(nowMs: number): WantState {
  return { phase: 'waiting', untilMs: nowMs, failures: 0 };
}

/** When `step` wants a `timer` input; undefined when only others matter. */
export function nextWantDeadline(state: WantState): number | undefined {
  return state.phase === 'waiting' ? state.untilMs : undefined;
}

/** `fraction` is drawn from [0, 1) for the jitter. */
export function stepWant(state: WantState, input: WantInput, nowMs: number, fraction: number): WantStep {
  switch (input) {
    case 'link-up':
      if (state.phase === 'linked') return { state, effect: undefined };
      return { state: { phase: 'linked', sinceMs: nowMs, failures: state.failures }, effect: undefined };
    case 'link-down': {
      if (state.phase !== 'linked') return { state, effect: undefined };
      // A link that dies young would otherwise be dialled in a tight circle.
      const failures = nowMs - state.sinceMs >= STABLE_LINK_MS ? 1 : state.failures + 1;
      return { state: rest(failures, nowMs, fraction), effect: undefined };
    }
    case 'dial-failed':
      if (state.phase !== 'dialling') return { state, effect: undefined };
      return { state: rest(state.failures + 1, nowMs, fraction), effect: undefined };
    case 'timer':
      if (state.phase !== 'waiting' || nowMs < state.untilMs) return { state, effect: undefined };
      return { state: { phase: 'dialling', failures: state.failures }, effect: 'dial' };
    case 'hint':
      if (state.phase !== 'waiting') return { state, effect: undefined };
      return { state: { phase: 'dialling', failures: state.failures }, effect: 'dial' };
  }
}

function rest(failures: number, nowMs: number, fraction: number): WantState {
  const waitMs = jitteredBackoffMs(failures, WANT_FIRST_MS, WANT_MAX_MS, fraction);
  return { phase: 'waiting', untilMs: nowMs + waitMs, failures };
}
