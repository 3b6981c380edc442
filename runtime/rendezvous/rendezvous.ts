import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { SearchScope } from './search-scope.ts';

/**
 * `never`: only leases. `always`: serves every group in which its credential has the capability. `auto`: serves when no
 * rendezvous answers, and stops when others do and nobody leases here.
 */
export type RendezvousMode = 'never' | 'auto' | 'always';

/** What a group's rendezvous service is doing, for people. */
export interface RendezvousStatus {
  readonly group: GroupId;
  readonly serving: boolean;
  /** Of this peer at a rendezvous. */
  readonly lease: { readonly rendezvous: PeerId; readonly remainingMs: number } | undefined;
  /** Leases granted to others. */
  readonly clients: number;
  /** The rendezvous known, itself included when it serves, in the order of the ring. */
  readonly peerview: readonly PeerId[];
}

/** A group's rendezvous service, client or server, as the assembly of a peer uses it. */
export interface GroupRendezvous {
  readonly scope: SearchScope;
  status(): RendezvousStatus;
  /** Bounds and counters, by name. */
  bounds(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>>;
  /** Cancels leases. Idempotent. */
  close(): Promise<void>;
}
