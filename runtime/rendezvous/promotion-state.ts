import type { RendezvousMode } from './rendezvous.ts';
import { DEMOTE_AFTER_MS, DEMOTE_OTHERS } from './rendezvous-defaults.ts';

/** Whether a peer serves as a rendezvous. Times are monotonic. */
export type PromotionState =
  | { readonly phase: 'idle' }
  /** Nobody answers since `sinceMs`: serves from `serveAtMs` on if that is so still. */
  | { readonly phase: 'alone'; readonly sinceMs: number; readonly serveAtMs: number }
  /** `idleSinceMs`: since when enough others serve and nobody leases here. */
  | { readonly phase: 'serving'; readonly idleSinceMs: number | undefined };

/** What a decision is made of, as of now. */
export interface PromotionFacts {
  readonly mode: RendezvousMode;
  /** Whether the own credential has the capability. */
  readonly capable: boolean;
  /** Whether this peer has a lease at another. */
  readonly leased: boolean;
  /** Other rendezvous in the view. */
  readonly others: number;
  /** Leases granted. */
  readonly clients: number;
}

/** When `step` wants to be called, whatever else happens. */
export function nextPromotionDeadline(state: PromotionState): number {
  if (state.phase === 'alone') return state.serveAtMs;
  return state.phase === 'serving' && state.idleSinceMs !== undefined ? state.idleSinceMs + DEMOTE_AFTER_MS : Infinity;
}

/** `delayMs` says how long this peer, when alone, lets those go first that it knows of by now. */
export function stepPromotion(
  state: PromotionState,
  facts: PromotionFacts,
  nowMs: number,
  delayMs: () => number,
): PromotionState {
  if (facts.mode === 'never' || !facts.capable) return { phase: 'idle' };
  if (facts.mode === 'always') return { phase: 'serving', idleSinceMs: undefined };
  switch (state.phase) {
    case 'idle':
    case 'alone': {
      if (facts.leased) return { phase: 'idle' };
      const sinceMs = state.phase === 'alone' ? state.sinceMs : nowMs;
      const serveAtMs = sinceMs + delayMs();
      return nowMs < serveAtMs ? { phase: 'alone', sinceMs, serveAtMs } : { phase: 'serving', idleSinceMs: undefined };
    }
    case 'serving': {
      if (facts.others < DEMOTE_OTHERS || facts.clients > 0) return { phase: 'serving', idleSinceMs: undefined };
      const idleSinceMs = state.idleSinceMs ?? nowMs;
      return nowMs - idleSinceMs >= DEMOTE_AFTER_MS ? { phase: 'idle' } : { phase: 'serving', idleSinceMs };
    }
  }
}
