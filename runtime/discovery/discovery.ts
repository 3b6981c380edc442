import type { Advertisement, AdvertisementInit, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { Identity } from '../id/identity.ts';
import type { WaitOptions } from '../pipe/pipe.ts';

/** One change seen by a watcher. `removed`: withdrawn or expired. */
export interface AdvertisementChange {
  readonly change: 'added' | 'updated' | 'removed';
  readonly advertisement: Advertisement;
}

/** Publishing and finding inside the groups of this peer. */
export interface Discovery {
  /** Signs, stores durably, and makes known to whoever watches. Default identity: the peer itself. */
  publish(init: AdvertisementInit, identity?: Identity): Promise<Advertisement>;
  /** Withdraws: publishes a newer version with expiration 0. Does nothing when there is none. */
  withdraw(name: Pick<AdvertisementInit, 'kind' | 'group' | 'key'>, identity?: Identity): Promise<void>;
  /** What is known here, without asking anybody. */
  local(query: AdvertisementQuery): Advertisement[];
  /**
   * Streams each match once, in the newest version known: first what this process publishes itself, then what
   * neighbours and rendezvous answer, last what is cached and nobody has named. Ends when all have answered, or at the
   * deadline (default 2 s), which is no error; while results keep coming the deadline moves, up to ten times as far. A
   * search that came to nothing is not sent again before a pause of 0.5 s, doubled each time up to 15 s.
   */
  find(query: AdvertisementQuery, options?: WaitOptions): AsyncIterable<Advertisement>;
  /** What is there now, then each change as it happens, at neighbours and rendezvous, until the signal or the end of the iteration. */
  watch(query: AdvertisementQuery, options?: { readonly signal?: AbortSignal }): AsyncIterable<AdvertisementChange>;
}
