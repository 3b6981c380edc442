import type { AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';

/** One neighbour to ask. `walk`: it is asked to search the rendezvous on our behalf, too. */
export interface SearchTarget {
  readonly neighbour: GroupNeighbour;
  readonly walk: boolean;
}

/** Who is asked in a search, in two rounds: the second only when the first came to nothing. */
export interface SearchPlan {
  readonly first: readonly SearchTarget[];
  readonly second: readonly SearchTarget[];
}

/** Where a group's advertisements are looked for. Given to discovery by the rendezvous service. */
export interface SearchScope {
  /** For a search of this peer itself (`own`), or on behalf of one that leases here. */
  plan(query: AdvertisementQuery, forWhom: 'own' | 'client'): SearchPlan;
  /** Resolves when it is known whom to ask: soon, also for a peer that has just joined. */
  settled(): Promise<void>;
  /** Whose changes are followed for a watch: those among which every advertisement in reach appears. */
  watched(): readonly SearchTarget[];
  /** Calls back when `watched()` may give others. */
  subscribe(listener: () => void): { unsubscribe(): void };
}
