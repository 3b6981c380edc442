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
  #heard = false;
  #timer: Timer | undefined;

  constructor(init: PathWatchInit) {
    this.#init = init;
  }

  /** Something is on its way, perhaps. */
  sent(): void {
    if (this.#timer !== undefined || !this.#init.isWaiting()) return;
    this.#heard = false;
    this.#timer = this.#init.clock.setTimer(this.#init.silenceMs, () => {
      this.#timer = undefined;
      if (!this.#init.isWaiting()) return;
      if (this.#heard) this.sent();
      else this.#init.onSilence();
    });
  }

  /** The other end has said something that only it can say. */
  heard(): void {
    this.#heard = true;
  }

  /** The pipe has left this path. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
