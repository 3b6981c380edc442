import { admission } from './admission.ts';
import { assemblePeer } from './assemble-peer.ts';
import type { Peer } from './peer.ts';
import type { PeerInit } from './peer-init.ts';

/**
 * Makes and starts a peer that can do everything a peer can: it also makes groups' join codes and admits members. See
 * `createEdgePeer` for one that leaves that code out. Rejects as `assemblePeer` does.
 */
export function createPeer(init: PeerInit): Promise<Peer> {
  return assemblePeer(init, [admission]);
}
