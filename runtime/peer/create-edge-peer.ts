import { PipevineError } from '../error/pipevine-error.ts';
import { assemblePeer } from './assemble-peer.ts';
import type { Peer } from './peer.ts';
import type { PeerInit } from './peer-init.ts';
import type { PeerPart } from './peer-part.ts';

/**
 * Makes and starts a peer for a small device: it joins groups and uses what is there, but admits nobody and serves nobody as
 * a rendezvous or relay. It holds the code of the `parts` that it is given besides, such as `messaging` and `holePunching`, and
 * of no others. Rejects as `assemblePeer` does, and with `unsupported` when it is told to serve.
 */
export async function createEdgePeer(init: PeerInit, parts: readonly PeerPart[] = []): Promise<Peer> {
  if (init.rendezvous !== undefined && init.rendezvous !== 'never') {
    throw new PipevineError('unsupported', 'An edge peer cannot be a rendezvous; run a gateway, or choose `never`.');
  }
  return assemblePeer(init, parts);
}
