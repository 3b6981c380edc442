import { type Clock, TokenBucket } from '@pipevine/runtime';

export interface RateLimit {
  readonly perSecond: number;
  /** Taken at once after a quiet time. */
  readonly burst: number;
}

/** Sources that are told apart; when there are more, the one that was quiet longest is forgotten. */
const MAX_SOURCES = 256;

/** A rate for each source, and one for all of them together. */
export class SourceRateLimit {
  readonly #clock: Clock;
  readonly #perSource: RateLimit;
  readonly #total: TokenBucket;
  readonly #sources = new Map<string, TokenBucket>();

  constructor(clock: Clock, perSource: RateLimit, total: RateLimit) {
    this.#clock = clock;
    this.#perSource = perSource;
    this.#total = new TokenBucket(total.burst, total.perSecond, clock.monotonicMs());
  }

  /** Whether one more from this source may pass now. A source beyond its own rate does not use up that of all. */
  admit(source: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const bucket =
      this.#sources.get(source) ?? new TokenBucket(this.#perSource.burst, this.#perSource.perSecond, nowMs);
    // Last in the map is heard last.
    this.#sources.delete(source);
    this.#sources.set(source, bucket);
    if (this.#sources.size > MAX_SOURCES) {
      const [quietest] = this.#sources.keys();
      if (quietest !== undefined) this.#sources.delete(quietest);
    }
    return bucket.take(nowMs) && this.#total.take(nowMs);
  }
}
