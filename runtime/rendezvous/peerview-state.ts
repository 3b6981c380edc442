import type { PeerId } from '../id/peer-id.ts';
import {
  CANDIDATE_MS,
  LOST_CANDIDATE_MS,
  MAX_PEERVIEW,
  MAX_RESTING,
  MAX_TOLD_BY_ONE,
  PEERVIEW_LOST_MS,
  REST_MS,
} from './rendezvous-defaults.ts';

/** Another peer as a rendezvous sees it. Times are monotonic. */
export type PeerviewEntry =
  /** Somebody said that it serves, or it did. Kept linked until then. */
  | { readonly phase: 'candidate'; readonly untilMs: number; readonly toldBy: PeerId | undefined }
  /** It serves: it said so itself, over its own pipe, and has the capability. */
  | { readonly phase: 'member' }
  /** A member whose pipe has closed; in the ring until then. */
  | { readonly phase: 'lost'; readonly untilMs: number }
  /** It does not serve, or could not be reached: not believed in by hearsay until then. */
  | { readonly phase: 'resting'; readonly untilMs: number };

/** What a rendezvous knows of the others of its group, without itself. */
export type Peerview = ReadonlyMap<PeerId, PeerviewEntry>;

export type PeerviewInput =
  | { readonly type: 'told'; readonly by: PeerId; readonly peers: readonly PeerId[] }
  /** It has the capability, its pipe is open, and it has spoken as a rendezvous. */
  | { readonly type: 'confirmed'; readonly peer: PeerId }
  /** It says that it does not serve, or has no such capability. */
  | { readonly type: 'refused'; readonly peer: PeerId }
  /** Its pipe is closed, or it does not answer. */
  | { readonly type: 'lost'; readonly peer: PeerId }
  | { readonly type: 'timer' };

/** The members of the ring besides this peer. */
export function ringOf(view: Peerview): PeerId[] {
  return peersIn(view, (entry) => entry.phase === 'member' || entry.phase === 'lost');
}

/** Those to keep links to: at most MAX_PEERVIEW. */
export function wantedOf(view: Peerview): PeerId[] {
  return peersIn(view, (entry) => entry.phase !== 'resting');
}

/** When `step` wants a `timer` input. */
export function nextPeerviewDeadline(view: Peerview): number {
  let nextMs = Infinity;
  for (const entry of view.values()) if (entry.phase !== 'member') nextMs = Math.min(nextMs, entry.untilMs);
  return nextMs;
}

/** Hearsay only makes candidates: bounded in total and by who tells. */
export function stepPeerview(before: Peerview, input: PeerviewInput, nowMs: number): Peerview {
  const view = new Map(before);
  switch (input.type) {
    case 'told': {
      let told = count(view, (entry) => entry.phase === 'candidate' && entry.toldBy === input.by);
      let wanted = wantedOf(view).length;
      for (const peer of input.peers) {
        if (view.has(peer) || told >= MAX_TOLD_BY_ONE || wanted >= MAX_PEERVIEW) continue;
        view.set(peer, { phase: 'candidate', untilMs: nowMs + CANDIDATE_MS, toldBy: input.by });
        told++;
        wanted++;
      }
      return view;
    }
    case 'confirmed': {
      const entry = view.get(input.peer);
      const known = entry !== undefined && entry.phase !== 'resting';
      if (!known && wantedOf(view).length >= MAX_PEERVIEW) {
        // Whoever was only heard of makes room for one that is there.
        const candidate = [...view].find(([, { phase }]) => phase === 'candidate');
        if (candidate === undefined) return before;
        view.delete(candidate[0]);
      }
      view.set(input.peer, { phase: 'member' });
      return view;
    }
    case 'refused':
      if (view.get(input.peer)?.phase === 'resting') return before;
      rest(view, input.peer, nowMs);
      return view;
    case 'lost':
      if (view.get(input.peer)?.phase !== 'member') return before;
      view.set(input.peer, { phase: 'lost', untilMs: nowMs + PEERVIEW_LOST_MS });
      return view;
    case 'timer':
      for (const [peer, entry] of before) {
        if (entry.phase === 'member' || entry.untilMs > nowMs) continue;
        if (entry.phase === 'lost') {
          // A network that was cut is whole again some time: the link is sought meanwhile.
          view.set(peer, { phase: 'candidate', untilMs: nowMs + LOST_CANDIDATE_MS, toldBy: undefined });
        } else if (entry.phase === 'candidate') rest(view, peer, nowMs);
        else view.delete(peer);
      }
      return view;
  }
}

function rest(view: Map<PeerId, PeerviewEntry>, peer: PeerId, nowMs: number): void {
  view.delete(peer);
  view.set(peer, { phase: 'resting', untilMs: nowMs + REST_MS });
  if (count(view, ({ phase }) => phase === 'resting') <= MAX_RESTING) return;
  const oldest = [...view].find(([, { phase }]) => phase === 'resting');
  if (oldest !== undefined) view.delete(oldest[0]);
}

function count(view: Peerview, matches: (entry: PeerviewEntry) => boolean): number {
  return peersIn(view, matches).length;
}

function peersIn(view: Peerview, matches: (entry: PeerviewEntry) => boolean): PeerId[] {
  return [...view].filter(([, entry]) => matches(entry)).map(([peer]) => peer);
}
