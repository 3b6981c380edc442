import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import {
  MAX_REQUESTERS,
  REQUEST_BURST,
  REQUESTS_PER_SECOND,
  TOTAL_REQUEST_BURST,
  TOTAL_REQUESTS_PER_SECOND,
} from './punch-defaults.ts';

/** How often members may ask, each and all together. */
export class RequestRate {
  readonly #clock: Clock;
  readonly #each = new LruCache<TokenBucket>(MAX_REQUESTERS);
  readonly #total: TokenBucket;
  #refused = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#total = new TokenBucket(TOTAL_REQUEST_BURST, TOTAL_REQUESTS_PER_SECOND, clock.monotonicMs());
  }

  get refused(): number {
    return this.#refused;
  }

  /** Counts one request. Throws `overloaded`. */
  take(peer: PeerId): void {
    const now = this.#clock.monotonicMs();
    const bucket = this.#each.get(peer) ?? new TokenBucket(REQUEST_BURST, REQUESTS_PER_SECOND, now);
    this.#each.set(peer, bucket, 1);
    if (bucket.take(now) && this.#total.take(now)) return;
    this.#refused++;
    throw new PipevineError(
      'overloaded',
      `More than ${REQUEST_BURST} requests at once and ${REQUESTS_PER_SECOND} a second for hole punching; try again later.`,
    );
  }
}
