import type { AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import type { RendezvousStatus } from './rendezvous.ts';
import type { KnownRendezvous } from './rendezvous-codec.ts';
import type { SearchPlan, SearchTarget } from './search-scope.ts';

/** What the serving part of a group's rendezvous service sees of the client part. */
export interface RendezvousClientView {
  /** Whether a lease is held. */
  leased(): boolean;
  /** Rendezvous that the client has heard of. */
  known(): readonly KnownRendezvous[];
  /** The serving part has begun or ended to serve, or its scope has changed. */
  changed(): void;
}

/** The serving part, as the client part uses it: a peer without it only leases. */
export interface RendezvousPart {
  readonly serving: boolean;
  start(): void;
  plan(query: AdvertisementQuery, forWhom: 'own' | 'client'): SearchPlan;
  watched(): readonly SearchTarget[];
  /** Who is told of a propagated message. */
  hops(neighbours: readonly GroupNeighbour[]): readonly GroupNeighbour[];
  addressesOf(peer: PeerId): readonly EndpointAddress[];
  /** The client has got a lease or lost its, or the own credential has changed. */
  reconsider(): void;
  status(): Pick<RendezvousStatus, 'clients' | 'peerview'>;
  bounds(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>>;
  /** Idempotent. */
  close(): Promise<void>;
}
