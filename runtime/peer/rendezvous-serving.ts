import type { RendezvousMode } from '../rendezvous/rendezvous.ts';
import { RendezvousServer } from '../rendezvous/rendezvous-server.ts';
import type { PeerPart } from './peer-part.ts';

/** The part of a peer that serves as a rendezvous in the groups whose credential allows it. */
export const rendezvousServing =
  (mode: Exclude<RendezvousMode, 'never'>): PeerPart =>
  () => ({
    rendezvous: (init) => (client) => new RendezvousServer({ ...init, mode }, client),
    status: () => ({}),
    close: async () => undefined,
  });
