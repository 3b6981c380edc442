import type { Credential } from '../group/group-access.ts';
import { RENEWAL_GRACE_MS } from '../group/group-defaults.ts';
import { MAX_RENEWAL_RETRY_MS, RENEWAL_CHECK_MS, RENEWAL_RETRY_MS } from './membership-defaults.ts';

/** What is known of the renewal of one membership. */
export interface RenewalState {
  readonly failures: number;
  /** Monotonic time before which nothing more is tried. */
  readonly notBeforeMs: number;
  /** Drawn once a credential, in [0, 1): spreads those that were issued together. */
  readonly jitter: number;
}

export function newRenewalState(jitter: number): RenewalState {
  return { failures: 0, notBeforeMs: 0, jitter };
}

/** When to look again, or that the time has come, or that it has passed for good. */
export type RenewalStep =
  | { readonly type: 'wait'; readonly delayMs: number }
  | { readonly type: 'renew' }
  | { readonly type: 'lapsed' };

/** A credential is renewed at 50 to 60 % of its life, and then tried again until the grace period is over. */
export function renewalStep(
  state: RenewalState,
  membership: {
    readonly credential: Pick<Credential, 'notBeforeMs' | 'notAfterMs'>;
    /** Who keeps the authority can renew at any time. */
    readonly authority: boolean;
  },
  now: { readonly wallMs: number; readonly monotonicMs: number },
): RenewalStep {
  const { credential, authority } = membership;
  if (!authority && now.wallMs >= credential.notAfterMs + RENEWAL_GRACE_MS) return { type: 'lapsed' };
  const lifetimeMs = credential.notAfterMs - credential.notBeforeMs;
  const dueInMs = credential.notBeforeMs + lifetimeMs * (0.5 + 0.1 * state.jitter) - now.wallMs;
  const waitMs = Math.max(dueInMs, state.notBeforeMs - now.monotonicMs);
  return waitMs <= 0 ? { type: 'renew' } : { type: 'wait', delayMs: Math.min(waitMs, RENEWAL_CHECK_MS) };
}

/** Back-off after a failure: doubled each time, with 50 % of jitter. */
export function renewalFailed(state: RenewalState, monotonicMs: number, fraction: number): RenewalState {
  const pauseMs = Math.min(RENEWAL_RETRY_MS * 2 ** Math.min(state.failures, 16), MAX_RENEWAL_RETRY_MS);
  return {
    ...state,
    failures: state.failures + 1,
    notBeforeMs: monotonicMs + pauseMs * (0.5 + 0.5 * fraction),
  };
}
