import { admission } from './admission.ts';
import { assemblePeer } from './assemble-peer.ts';
import { holePunching } from './hole-punching.ts';
import { messaging } from './messaging.ts';
import type { Peer } from './peer.ts';
import type { PeerInit } from './peer-init.ts';
import { relaying } from './relaying.ts';
import { rendezvousServing } from './rendezvous-serving.ts';

/** What a rendezvous holds: a neighbour for each of 2,048 leases and its own, and 100,000 advertisements with room to spare. */
const RENDEZVOUS_LIMITS = {
  neighbours: 2_304,
  endpoint: { maxLinks: 2_560 },
  advertisements: { maxForeign: 150_000, maxForeignPerPublisher: 15_000, maxRemembered: 150_000 },
};

const REACHING = [relaying, messaging, holePunching];

/**
 * Makes and starts a peer that can do everything a peer can: it also makes groups' join codes, admits members and serves as a
 * rendezvous and relay. See `createEdgePeer` for one that leaves that code out. Rejects as `assemblePeer` does.
 */
export function createPeer(init: PeerInit): Promise<Peer> {
  const { rendezvous = 'auto', limits } = init;
  if (rendezvous === 'never') return assemblePeer(init, [admission, ...REACHING]);
  const endpoint = { ...RENDEZVOUS_LIMITS.endpoint, ...limits?.endpoint };
  const advertisements = { ...RENDEZVOUS_LIMITS.advertisements, ...limits?.advertisements };
  const serving = { ...init, limits: { ...RENDEZVOUS_LIMITS, ...limits, endpoint, advertisements } };
  return assemblePeer(serving, [admission, rendezvousServing(rendezvous), ...REACHING]);
}
