import type { Peer, PeerInit } from '@pipevine/runtime';
import * as protocol from '@pipevine/runtime/protocol';

/**
 * A member that pretends to be a rendezvous without the capability: it grants leases to whoever asks, shows itself in
 * peerviews, swallows what is pushed to it, and knows of nothing when it is asked.
 */
export function createSybil(init: PeerInit): Promise<Peer> {
  const pretends = { mode: 'always', mayServe: () => true, receive: () => undefined } as const;
  return protocol.assemblePeer({ ...init, rendezvous: 'always' }, [
    () => ({
      rendezvous: (server) => (client) => new protocol.RendezvousServer({ ...server, ...pretends }, client),
      status: () => ({}),
      close: async () => undefined,
    }),
  ]);
}
