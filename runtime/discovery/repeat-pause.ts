import { LruCache } from '../bound/lru-cache.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { MAX_REPEAT_MS, MAX_VAIN_QUERIES, REPEAT_MS } from './discovery-defaults.ts';

interface VainQuery {
  readonly pauseMs: number;
  readonly untilMs: number;
  /** What the surroundings were when it came to nothing. */
  readonly surroundings: number;
}

/**
 * JXTA's back-off on repeated search: a query that came to nothing is not sent again before a pause, which doubles each
 * time. Whoever can be asked anew ends all pauses.
 */
export class RepeatPause {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #vain = new LruCache<VainQuery>(MAX_VAIN_QUERIES);
  #surroundings = 0;

  constructor(init: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = init.clock;
    this.#random = init.random;
  }

  isPaused(query: string): boolean {
    return (this.#of(query)?.untilMs ?? -Infinity) > this.#clock.monotonicMs();
  }

  /** The query was sent and answered: `found`, whether anything is known that meets it. */
  answered(query: string, found: boolean): void {
    if (found) return this.#vain.delete(query);
    const pauseMs = Math.min(2 * (this.#of(query)?.pauseMs ?? REPEAT_MS / 2), MAX_REPEAT_MS);
    const untilMs = this.#clock.monotonicMs() + pauseMs * (0.5 + 0.5 * this.#random.fraction());
    this.#vain.set(query, { pauseMs, untilMs, surroundings: this.#surroundings }, 1);
  }

  /** Others can be asked than before. */
  surroundingsChanged(): void {
    this.#surroundings++;
  }

  get used(): number {
    return this.#vain.size;
  }

  #of(query: string): VainQuery | undefined {
    const vain = this.#vain.get(query);
    return vain?.surroundings === this.#surroundings ? vain : undefined;
  }
}
