import { TokenBucket } from '../bound/token-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import { REQUEST_BURST, REQUEST_PAUSE_MS, REQUESTS_PER_SECOND } from './mailbox-defaults.ts';

/** Keeps requests to one peer within what it lets one neighbour ask; meanwhile more of them gather into one. */
export class RequestPace {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#bucket = new TokenBucket(REQUEST_BURST, REQUESTS_PER_SECOND, clock.monotonicMs());
  }

  /** Resolves when one more may go. */
  async turn(): Promise<void> {
    while (!this.#bucket.take(this.#clock.monotonicMs())) {
      await new Promise<void>((resolve) => this.#clock.setTimer(REQUEST_PAUSE_MS, resolve));
    }
  }
}
