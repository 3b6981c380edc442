import type { Credential } from '../group/group-access.ts';
import { RENEWAL_AGE_MS, RENEWAL_GRACE_MS } from '../group/group-defaults.ts';
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

/**
 * A credential is renewed from the 7th day on (of a short life: from the middle), spread over a tenth of that, and tried
 * again until the grace period is over. One that an administrator has changed is asked for at once.
 */
export function renewalStep(
  state: RenewalState,
  membership: {
    readonly credential: Pick<Credential, 'notBeforeMs' | 'notAfterMs'>;
    /** Who keeps the authority can renew at any time. */
    readonly authority: boolean;
    /** Void, for another was granted in its place. */
    readonly changed?: boolean;
  },
  now: { readonly wallMs: number; readonly monotonicMs: number },
): RenewalStep {
  const { credential, authority, changed } = membership;
  if (!authority && now.wallMs >= credential.notAfterMs + RENEWAL_GRACE_MS) return { type: 'lapsed' };
  const ageMs = Math.min(RENEWAL_AGE_MS, (credential.notAfterMs - credential.notBeforeMs) / 2);
  const dueInMs = changed === true ? 0 : credential.notBeforeMs + ageMs * (1 + 0.1 * state.jitter) - now.wallMs;
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
