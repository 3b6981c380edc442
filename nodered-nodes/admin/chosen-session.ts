import { type Peer, type PeerGroup, PipevineError } from '@pipevine/runtime';
import type { Node } from '../node/red.ts';
import type { OverlaySession, PeerConfigNode } from '../peer/overlay-session.ts';
import { sessionKeeper } from '../peer/session-keeper.ts';
import type { AdminRequest } from './admin-route.ts';

/** A member for how long a route waits. */
const READY_TIMEOUT_MS = 4_000;

export interface ChosenGroup {
  readonly peer: Peer;
  readonly group: PeerGroup;
  /** Whether another peer stands in, as the chosen one is not deployed yet. */
  readonly standIn: boolean;
}

/** The deployed config node of this id. */
export function deployedPeer({ RED, params }: Pick<AdminRequest, 'RED' | 'params'>): PeerConfigNode | undefined {
  // Node-RED gives null for what is not deployed, against its types.
  const node: Node | null = RED.nodes.getNode(params.peer ?? '');
  // Only our config node is of this type.
  return node !== null && node?.type === 'pipevine-peer' ? (node as PeerConfigNode) : undefined;
}

/** The session of the chosen peer; before it is deployed another one that is a member. Throws `not-found`. */
export function chosenSession(request: AdminRequest): { session: OverlaySession; standIn: boolean } {
  const deployed = deployedPeer(request);
  if (deployed !== undefined) return { session: deployed.session, standIn: false };
  const other = sessionKeeper(request.RED)
    .sessions()
    .find(({ group }) => group !== undefined);
  if (other !== undefined) return { session: other, standIn: true };
  const steps = 'Choose a peer, press Done, and deploy; then this list fills. You can type a name before that.';
  throw new PipevineError('not-found', `This peer does not run yet. ${steps}`);
}

/** The same once it is a member. Rejects with what keeps it from that. */
export async function chosenGroup(request: AdminRequest): Promise<ChosenGroup> {
  const { session, standIn } = chosenSession(request);
  const group = await session.ready({ timeoutMs: READY_TIMEOUT_MS, signal: request.signal });
  const { peer } = session;
  if (peer === undefined) throw new PipevineError('closed', 'The peer was closed just now; try again.');
  return { peer, group, standIn };
}
