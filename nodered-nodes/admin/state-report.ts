import type { SessionPhase } from '../peer/overlay-session.ts';
import type { AdminRequest } from './admin-route.ts';
import { chosenSession } from './chosen-session.ts';

export interface PeerState {
  readonly standIn: boolean;
  readonly phase: SessionPhase;
  readonly links: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly peer: { readonly id: string; readonly name: string } | null;
  readonly group: { readonly id: string; readonly name: string } | null;
}

/** At once: it waits for nothing. */
export async function stateReport(request: AdminRequest): Promise<PeerState> {
  const { session, standIn } = chosenSession(request);
  const { state, peer, group } = session;
  const { phase, links, error } = state;
  return {
    standIn,
    phase,
    links,
    error: error === undefined ? null : { code: error.code, message: error.message },
    peer: peer === undefined ? null : { id: peer.id, name: peer.name },
    group: group === undefined ? null : { id: group.id, name: group.name },
  };
}
