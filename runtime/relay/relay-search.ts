import { jitteredBackoffMs } from '../endpoint/backoff.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { MAX_SEARCH_MS, SEARCH_MS } from './relay-defaults.ts';

export interface RelaySearchInit {
  /** Asks the group for relays, once; those that are found become known by themselves. */
  readonly find: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
}

/** Asks the group for relays while there are too few, with growing pauses: one may come that nobody tells of. */
export class RelaySearch {
  readonly #init: RelaySearchInit;
  readonly #closing = new AbortController();
  #searches = 0;
  #timer: Timer | undefined;

  constructor(init: RelaySearchInit) {
    this.#init = init;
  }

  /** Where this peer leases has changed: starts over, or ends when there is enough. */
  look(tooFew: boolean): void {
    this.#timer?.cancel();
    this.#searches = 0;
    if (tooFew) this.#later();
  }

  close(): void {
    this.#timer?.cancel();
    this.#closing.abort();
  }

  #later(): void {
    const { clock, random, find } = this.#init;
    const { signal } = this.#closing;
    if (signal.aborted) return;
    this.#searches++;
    const delayMs = jitteredBackoffMs(this.#searches, SEARCH_MS, MAX_SEARCH_MS, random.fraction());
    const timer = clock.setTimer(delayMs, () => {
      find(signal)
        .catch((error: unknown) => {
          // Nobody can be asked now; the next search may find more.
          if (!(error instanceof PipevineError)) throw error;
        })
        .finally(() => {
          if (this.#timer === timer) this.#later();
        });
    });
    this.#timer = timer;
  }
}
