import { equalBytes } from '../advertisement/cose-sign1.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Random } from '../platform/random.ts';
import { LEASE_ID_BYTES, LEASE_MS, MAX_LEASES, MIN_LEASE_MS } from './rendezvous-defaults.ts';

interface Lease {
  readonly leaseId: Uint8Array;
  readonly untilMs: number;
}

/** The leases that a rendezvous has granted, one a client; the lease id is the generation. Holds no timer. */
export class LeaseTable {
  readonly #random: Random;
  readonly #limit: number;
  /** In the order of their last grant. */
  readonly #leases = new Map<PeerId, Lease>();
  #dropped = 0;

  constructor(random: Random, limit: number = MAX_LEASES) {
    this.#random = random;
    this.#limit = limit;
  }

  get size(): number {
    return this.#leases.size;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Requests refused and leases displaced for want of room. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Grants or, when `leaseId` is the current one, renews. Undefined when there is no room; a client that is not
   * `isPresent` makes room.
   */
  grant(
    peer: PeerId,
    asked: { readonly leaseId: Uint8Array | undefined; readonly lifetimeMs: number },
    nowMs: number,
    isPresent: (peer: PeerId) => boolean,
  ): { readonly leaseId: Uint8Array; readonly lifetimeMs: number } | undefined {
    const before = this.#leases.get(peer);
    if (before === undefined && this.#leases.size >= this.#limit && !this.#makeRoom(nowMs, isPresent)) return undefined;
    const renews = before !== undefined && asked.leaseId !== undefined && equalBytes(before.leaseId, asked.leaseId);
    const leaseId = renews ? before.leaseId : this.#random.bytes(LEASE_ID_BYTES);
    const lifetimeMs = Math.min(Math.max(asked.lifetimeMs, MIN_LEASE_MS), LEASE_MS);
    this.#leases.delete(peer);
    this.#leases.set(peer, { leaseId, untilMs: nowMs + lifetimeMs });
    return { leaseId, lifetimeMs };
  }

  /** Does nothing unless that very lease is the current one. */
  cancel(peer: PeerId, leaseId: Uint8Array): boolean {
    const lease = this.#leases.get(peer);
    return lease !== undefined && equalBytes(lease.leaseId, leaseId) && this.#leases.delete(peer);
  }

  has(peer: PeerId, nowMs: number): boolean {
    return (this.#leases.get(peer)?.untilMs ?? -Infinity) > nowMs;
  }

  peers(): Iterable<PeerId> {
    return this.#leases.keys();
  }

  /** Whether any went. */
  expire(nowMs: number): boolean {
    const before = this.#leases.size;
    for (const [peer, { untilMs }] of this.#leases) if (untilMs <= nowMs) this.#leases.delete(peer);
    return this.#leases.size < before;
  }

  clear(): void {
    this.#leases.clear();
  }

  #makeRoom(nowMs: number, isPresent: (peer: PeerId) => boolean): boolean {
    this.#dropped++;
    if (this.expire(nowMs)) return true;
    for (const peer of this.#leases.keys()) if (!isPresent(peer)) return this.#leases.delete(peer);
    return false;
  }
}
