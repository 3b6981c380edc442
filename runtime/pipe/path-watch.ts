import type { Clock, Timer } from '../platform/clock.ts';

export interface PathWatchInit {
  readonly clock: Clock;
  /** Longest silence while something waits to be acknowledged, in ms. */
  readonly silenceMs: number;
  /** Whether something waits to be acknowledged. */
  readonly isWaiting: () => boolean;
  readonly onSilence: () => void;
}

/** Notices that what a relay was given is not acknowledged by the peer at the other end. */
export class PathWatch {
  readonly #init: PathWatchInit;
  /** Since when nothing has been heard while something waited. */
  #sinceMs = 0;
  #timer: Timer | undefined;

  constructor(init: PathWatchInit) {
    this.#init = init;
  }

  /** Something is on its way, perhaps; or nothing any more. */
  sent(): void {
    if (!this.#init.isWaiting()) return this.stop();
    if (this.#timer !== undefined) return;
    this.#sinceMs = this.#init.clock.monotonicMs();
    this.#wait();
  }

  /** The other end has said something that only it can say. */
  heard(): void {
    this.#sinceMs = this.#init.clock.monotonicMs();
  }

  /** The pipe has left this path. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(): void {
    const { clock, silenceMs, isWaiting, onSilence } = this.#init;
    const leftMs = this.#sinceMs + silenceMs - clock.monotonicMs();
    this.#timer = clock.setTimer(leftMs, () => {
      this.#timer = undefined;
      if (!isWaiting()) return;
      if (this.#sinceMs + silenceMs > clock.monotonicMs()) this.#wait();
      else onSilence();
    });
  }
}
