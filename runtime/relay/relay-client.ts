import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { WANTED_LEASES } from './relay-defaults.ts';
import { RelayLease } from './relay-lease.ts';
import { RelaySearch } from './relay-search.ts';

export interface RelayClientInit {
  readonly resolver: Pick<GroupResolver, 'localPeer' | 'neighbours' | 'neighbour' | 'connect' | 'subscribe'>;
  readonly endpoint: Pick<Endpoint, 'want'>;
  /** Members that may relay, as they have advertised: asked when no neighbour will. */
  readonly knownRelays: () => readonly PeerId[];
  /** Asks the group for members that relay, once; those that are found are hinted at. */
  readonly find: (signal: AbortSignal) => Promise<void>;
  /** Tells the group at which relays this peer leases now; empty: at none. Called with each change. */
  readonly advertise: (relays: readonly PeerId[]) => void;
  readonly clock: Clock;
  readonly random: Random;
  /** Leases at a time; default 2. */
  readonly wantedLeases?: number;
}

/** Leases at a few relays of one group, and says where. */
export class RelayClient {
  readonly #init: RelayClientInit;
  readonly #leases: readonly RelayLease[];
  readonly #search: RelaySearch;
  readonly #subscription: { unsubscribe(): void };
  readonly #wants = new Map<PeerId, { release(): void }>();
  #advertised = '';
  #closed = false;

  constructor(init: RelayClientInit) {
    this.#init = init;
    this.#search = new RelaySearch(init);
    const make = (): RelayLease =>
      new RelayLease({
        ...init,
        candidates: () => this.#candidates(),
        isTaken: (relay) => this.#leases.some((lease) => lease.asking === relay),
        onChange: () => this.#changed(),
      });
    this.#leases = Array.from({ length: init.wantedLeases ?? WANTED_LEASES }, make);
    this.#subscription = init.resolver.subscribe({
      onOpen: ({ peer, credential }) => {
        if (may(credential, 'relay')) for (const lease of this.#leases) lease.hint(peer);
      },
      onClosed: ({ peer }) => {
        for (const lease of this.#leases) lease.lost(peer);
      },
    });
  }

  start(): void {
    for (const lease of this.#leases) lease.start();
    this.#search.look(true);
  }

  /** Relays at which a lease is held, in the order in which they should be tried. */
  relays(): readonly PeerId[] {
    return [...new Set(this.#leases.flatMap((lease) => lease.relay ?? []))];
  }

  /** A member has advertised that it relays, perhaps. */
  hint(peer: PeerId): void {
    for (const lease of this.#leases) lease.hint(peer);
  }

  /** Gives the leases back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subscription.unsubscribe();
    this.#search.close();
    for (const lease of this.#leases) lease.stop();
    for (const { release } of this.#wants.values()) release();
    this.#wants.clear();
  }

  #candidates(): readonly PeerId[] {
    const { resolver, knownRelays } = this.#init;
    const open = resolver.neighbours().flatMap(({ peer, credential }) => (may(credential, 'relay') ? peer : []));
    return [...new Set([...open, ...knownRelays()])].filter((peer) => peer !== resolver.localPeer);
  }

  #changed(): void {
    const relays = this.relays();
    this.#search.look(relays.length < this.#leases.length);
    for (const [peer, { release }] of [...this.#wants]) {
      if (relays.includes(peer)) continue;
      this.#wants.delete(peer);
      release();
    }
    for (const peer of relays) if (!this.#wants.has(peer)) this.#wants.set(peer, this.#want(peer));
    const told = relays.join();
    if (told === this.#advertised) return;
    this.#advertised = told;
    this.#init.advertise(relays);
  }

  /** Without room for it the lease lasts as long as the link does by itself. */
  #want(peer: PeerId): { release(): void } {
    try {
      return this.#init.endpoint.want(peer);
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      return { release: () => {} };
    }
  }
}
