import { equalBytes } from '../advertisement/cose-sign1.ts';
import type { PeerId } from '../id/peer-id.ts';
import { FAILOVER_SPREAD_MS, SEEK_EAGER_MS, SEEK_LATE_PAUSE_MS, SEEK_PAUSE_MS } from './rendezvous-defaults.ts';

/** A lease that this peer has or had; `leaseId` is its generation. */
export interface HeldLease {
  readonly peer: PeerId;
  readonly leaseId: Uint8Array;
  readonly untilMs: number;
}

/** Of a peer that wants a lease at one of its group's rendezvous. Times are monotonic. */
export type LeaseState =
  /** Wants none. */
  | { readonly phase: 'off' }
  /** Will ask at `atMs`; `tried` are those that failed in this round through the candidates. */
  | {
      readonly phase: 'seeking';
      readonly sinceMs: number;
      readonly atMs: number;
      readonly tried: ReadonlySet<PeerId>;
    }
  | { readonly phase: 'asking'; readonly sinceMs: number; readonly peer: PeerId; readonly tried: ReadonlySet<PeerId> }
  | { readonly phase: 'leased'; readonly lease: HeldLease; readonly renewAtMs: number }
  | { readonly phase: 'renewing'; readonly lease: HeldLease };

export type LeaseInput =
  | { readonly type: 'start' | 'stop' | 'timer' }
  /** A candidate can be asked now that could not before. */
  | { readonly type: 'hint'; readonly peer: PeerId }
  | {
      readonly type: 'granted';
      readonly peer: PeerId;
      readonly leaseId: Uint8Array;
      readonly lifetimeMs: number;
      readonly renewInMs: number;
    }
  /** What was asked came to nothing. */
  | { readonly type: 'failed'; readonly peer: PeerId }
  /** It is gone, or knows nothing of the lease. */
  | { readonly type: 'lost'; readonly peer: PeerId };

export type LeaseEffect =
  | { readonly type: 'ask'; readonly peer: PeerId; readonly leaseId: Uint8Array | undefined }
  | { readonly type: 'cancel'; readonly peer: PeerId; readonly leaseId: Uint8Array };

export interface LeaseStep {
  readonly state: LeaseState;
  readonly effect?: LeaseEffect;
}

/** When `step` wants a `timer` input. */
export function nextLeaseDeadline(state: LeaseState): number {
  if (state.phase === 'seeking') return state.atMs;
  return state.phase === 'leased' ? state.renewAtMs : Infinity;
}

export function leaseOf(state: LeaseState): HeldLease | undefined {
  return state.phase === 'leased' || state.phase === 'renewing' ? state.lease : undefined;
}

/** Since when a lease is sought; undefined when there is one, when none is wanted, and when there is nobody to ask. */
export function soughtSince(state: LeaseState): number | undefined {
  if (state.phase === 'asking') return state.sinceMs;
  return state.phase === 'seeking' && state.atMs < Infinity ? state.sinceMs : undefined;
}

/**
 * `candidates`, best first, are looked at only when one is chosen. `fraction` is drawn from [0, 1) for the jitter. What
 * comes late for an earlier question changes nothing; a grant that nobody waits for is given back.
 */
export function stepLease(
  state: LeaseState,
  input: LeaseInput,
  candidates: () => readonly PeerId[],
  nowMs: number,
  fraction: number,
): LeaseStep {
  const seeking = (sinceMs: number, atMs: number, tried: Iterable<PeerId>): LeaseStep => ({
    state: { phase: 'seeking', sinceMs, atMs, tried: new Set(tried) },
  });
  switch (input.type) {
    case 'start':
      return state.phase === 'off' ? seeking(nowMs, nowMs, []) : { state };
    case 'stop': {
      const lease = leaseOf(state);
      return { state: { phase: 'off' }, ...(lease && { effect: { ...lease, type: 'cancel' } }) };
    }
    case 'timer': {
      if (nowMs < nextLeaseDeadline(state)) return { state };
      if (state.phase === 'leased') {
        const { lease } = state;
        return { state: { phase: 'renewing', lease }, effect: { ...lease, type: 'ask' } };
      }
      if (state.phase !== 'seeking') return { state };
      const all = candidates();
      const peer = all.find((one) => !state.tried.has(one));
      if (peer !== undefined) {
        const { sinceMs, tried } = state;
        return {
          state: { phase: 'asking', sinceMs, peer, tried },
          effect: { type: 'ask', peer, leaseId: undefined },
        };
      }
      // With no candidate at all there is nothing to wait for but a hint.
      if (all.length === 0) return seeking(state.sinceMs, Infinity, []);
      const pauseMs = nowMs - state.sinceMs < SEEK_EAGER_MS ? SEEK_PAUSE_MS : SEEK_LATE_PAUSE_MS;
      return seeking(state.sinceMs, nowMs + pauseMs * (0.5 + fraction / 2), []);
    }
    case 'hint': {
      if (state.phase === 'asking' && state.peer !== input.peer) {
        return { state: { ...state, tried: without(state.tried, input.peer) } };
      }
      if (state.phase !== 'seeking') return { state };
      // The first that could be asked is asked at once; others have lost the same rendezvous, perhaps.
      const atMs = state.atMs === Infinity ? nowMs : Math.min(state.atMs, nowMs + fraction * FAILOVER_SPREAD_MS);
      return seeking(state.sinceMs, atMs, without(state.tried, input.peer));
    }
    case 'granted': {
      const { peer, leaseId } = input;
      const asked =
        (state.phase === 'asking' && state.peer === peer) || (state.phase === 'renewing' && state.lease.peer === peer);
      if (asked) {
        const lease = { peer, leaseId, untilMs: nowMs + input.lifetimeMs };
        // Renewals of leases that were granted together drift apart.
        const renewAtMs = nowMs + Math.min(input.renewInMs, input.lifetimeMs / 2) * (0.8 + fraction / 5);
        return { state: { phase: 'leased', lease, renewAtMs } };
      }
      const held = leaseOf(state);
      if (held?.peer === peer && equalBytes(held.leaseId, leaseId)) return { state };
      return { state, effect: { type: 'cancel', peer, leaseId } };
    }
    case 'failed':
      if (state.phase === 'asking' && state.peer === input.peer) {
        return seeking(state.sinceMs, nowMs, [...state.tried, input.peer]);
      }
      if (state.phase === 'renewing' && state.lease.peer === input.peer) return seeking(nowMs, nowMs, [input.peer]);
      return { state };
    case 'lost':
      if (leaseOf(state)?.peer !== input.peer) return { state };
      return seeking(nowMs, nowMs + fraction * FAILOVER_SPREAD_MS, [input.peer]);
  }
}

function without(tried: ReadonlySet<PeerId>, peer: PeerId): Iterable<PeerId> & ReadonlySet<PeerId> {
  const rest = new Set(tried);
  rest.delete(peer);
  return rest;
}
