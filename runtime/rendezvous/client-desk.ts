import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import { LeaseTable } from './lease-table.ts';
import { MAX_LEASES, PUSH_BURST, PUSHES_PER_SECOND } from './rendezvous-defaults.ts';

export interface ClientDeskInit {
  readonly clock: Clock;
  readonly random: Random;
  /** Takes in what a client pushes, at once. */
  readonly receive: (encoded: readonly Uint8Array[], from: Pick<GroupNeighbour, 'peer' | 'credential'>) => void;
  /** Whether the pipe of a client is open; whoever is away gives up its place first. */
  readonly isPresent: (client: PeerId) => boolean;
}

/** What a rendezvous does for those that lease at it: grants, and takes in what they publish. */
export class ClientDesk {
  readonly #init: ClientDeskInit;
  readonly #leases: LeaseTable;
  readonly #pushing = new Set<PeerId>();
  readonly #pushRates = new LruCache<TokenBucket>(MAX_LEASES);
  #pushesRefused = 0;
  #isTaking = false;

  constructor(init: ClientDeskInit) {
    this.#init = init;
    this.#leases = new LeaseTable(init.random);
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Whether what changes in the store at this moment comes from a client. */
  get isTaking(): boolean {
    return this.#isTaking;
  }

  serves(peer: PeerId): boolean {
    return this.#leases.has(peer, this.#init.clock.monotonicMs());
  }

  /** A new lease or a renewed one; undefined when there is no room. */
  grant(peer: PeerId, asked: { readonly leaseId: Uint8Array | undefined; readonly lifetimeMs: number }) {
    return this.#leases.grant(peer, asked, this.#init.clock.monotonicMs(), this.#init.isPresent);
  }

  /** False when the client has no such lease, or a newer one. */
  cancel(peer: PeerId, leaseId: Uint8Array): boolean {
    return this.#leases.cancel(peer, leaseId);
  }

  /** Takes in advertisements of a client. Rejects with `expired` without a lease, `overloaded`, or what `receive` throws. */
  async push(encoded: readonly Uint8Array[], from: Pick<GroupNeighbour, 'peer' | 'credential'>): Promise<void> {
    const { clock, receive } = this.#init;
    const { peer } = from;
    const nowMs = clock.monotonicMs();
    if (!this.serves(peer)) {
      throw new PipevineError('expired', 'You hold no lease here; ask for one, then push.');
    }
    const rate = this.#pushRates.get(peer) ?? new TokenBucket(PUSH_BURST, PUSHES_PER_SECOND, nowMs);
    this.#pushRates.set(peer, rate, 1);
    if (this.#pushing.has(peer) || !rate.take(nowMs)) {
      this.#pushesRefused++;
      throw new PipevineError('overloaded', 'Advertisements come faster than they are taken; wait for the answer.');
    }
    this.#pushing.add(peer);
    try {
      this.#isTaking = true;
      receive(encoded, from);
    } finally {
      this.#isTaking = false;
      // The answer lets the next come: others have their turn before.
      await new Promise<void>((resolve) => clock.endOfTurn(resolve));
      this.#pushing.delete(peer);
    }
  }

  /** Forgets leases that have run out. */
  expire(): void {
    this.#leases.expire(this.#init.clock.monotonicMs());
  }

  clear(): void {
    this.#leases.clear();
  }

  /** Bounds and counters, by name. */
  bounds() {
    const { size, limit, dropped } = this.#leases;
    return {
      'rendezvous leases': { used: size, limit, dropped },
      'rendezvous pushes': { used: this.#pushing.size, limit: MAX_LEASES, dropped: this.#pushesRefused },
    };
  }
}
