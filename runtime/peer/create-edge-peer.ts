import { assemblePeer } from './assemble-peer.ts';
import type { Peer } from './peer.ts';
import type { PeerInit } from './peer-init.ts';

/** Makes and starts a peer for a small device: it joins groups and uses what is there, but admits nobody. */
export function createEdgePeer(init: PeerInit): Promise<Peer> {
  return assemblePeer(init, []);
}
