import { type Peer, type PeerGroup, PipevineError } from '@pipevine/runtime';
import type { PeerConfigNode } from './overlay-session.ts';

/** The running peer and its group. Throws `unreachable` while it is in none. */
export function memberNow(node: PeerConfigNode | undefined): { readonly peer: Peer; readonly group: PeerGroup } {
  const { peer, group } = node?.session ?? {};
  if (peer === undefined || group === undefined) {
    throw new PipevineError('unreachable', 'This peer is in no group now.');
  }
  return { peer, group };
}
