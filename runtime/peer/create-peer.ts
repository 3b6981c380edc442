import { admission } from './admission.ts';
import { assemblePeer } from './assemble-peer.ts';
import type { Peer } from './peer.ts';
import type { PeerInit } from './peer-init.ts';
import { rendezvousServing } from './rendezvous-serving.ts';

/**
 * Makes and starts a peer that can do everything a peer can: it also makes groups' join codes, admits members and serves as a
 * rendezvous. See `createEdgePeer` for one that leaves that code out. Rejects as `assemblePeer` does.
 */
export function createPeer(init: PeerInit): Promise<Peer> {
  const { rendezvous = 'auto' } = init;
  return assemblePeer(init, rendezvous === 'never' ? [admission] : [admission, rendezvousServing(rendezvous)]);
}
