import { REST_MS } from './punch-defaults.ts';

/** One peer that is reached over a relay, or was. */
export type PunchState =
  | { readonly phase: 'trying'; readonly failures: number }
  | { readonly phase: 'resting'; readonly untilMs: number; readonly failures: number }
  | { readonly phase: 'direct' };

/**
 * `failed`: no way came open; `hopeless`: nor is it likely to, for what is known of both networks; `no-room`: it was not
 * begun; `changed`: one's own network is another now.
 */
export type PunchInput = 'wanted' | 'linked' | 'failed' | 'hopeless' | 'no-room' | 'timer' | 'changed';

export interface PunchStep {
  readonly state: PunchState;
  readonly effect: 'try' | undefined;
}

/** Rests of what is hopeless are the longest: only another network would help. `fraction` is drawn from [0, 1). */
export function stepPunch(
  state: PunchState | undefined,
  input: PunchInput,
  nowMs: number,
  fraction: number,
  noRoomRestMs: number,
): PunchStep {
  const same: PunchStep = { state: state ?? { phase: 'direct' }, effect: undefined };
  const begin = (failures: number): PunchStep => ({ state: { phase: 'trying', failures }, effect: 'try' });
  const rest = (failures: number, restMs: number): PunchStep => ({
    state: { phase: 'resting', failures, untilMs: nowMs + restMs * (1 + fraction / 4) },
    effect: undefined,
  });
  switch (input) {
    case 'wanted':
      return state === undefined || state.phase === 'direct' ? begin(0) : same;
    case 'linked':
      return { state: { phase: 'direct' }, effect: undefined };
    case 'timer':
      return state?.phase === 'resting' && nowMs >= state.untilMs ? begin(state.failures) : same;
    case 'changed':
      return state?.phase === 'resting' ? begin(0) : same;
    case 'no-room':
      return state?.phase === 'trying' ? rest(state.failures, noRoomRestMs) : same;
    case 'failed':
    case 'hopeless': {
      if (state?.phase !== 'trying') return same;
      const failures = input === 'hopeless' ? REST_MS.length : state.failures + 1;
      return rest(failures, REST_MS[Math.min(failures, REST_MS.length) - 1] ?? 0);
    }
  }
}

/** When a `timer` input is due. */
export function nextPunchDeadline(state: PunchState): number | undefined {
  return state.phase === 'resting' ? state.untilMs : undefined;
}
