import type { Clock, Timer } from '../platform/clock.ts';
import { PATH_SILENCE_MS, PROBE_ACTIVE_MS, PROBE_IDLE_MS, PROBE_SILENCE_MS } from './pipe-defaults.ts';

export interface PathProbeInit {
  readonly clock: Clock;
  /** Asks the other end for a sign of life. */
  readonly ask: () => void;
  /** It gave none. */
  readonly onSilence: () => void;
}

/**
 * Asks over a relay whether the other end is still there, when nothing has been heard of it for a while: whoever only
 * listens would not notice otherwise that nothing passes any more. Often while the pipe is in use, seldom when it is idle.
 */
export class PathProbe {
  readonly #init: PathProbeInit;
  #heardMs = 0;
  #usedMs = 0;
  #timer: Timer | undefined;

  constructor(init: PathProbeInit) {
    this.#init = init;
  }

  /** The pipe has taken a path over a relay. */
  start(): void {
    this.stop();
    this.#heardMs = this.#init.clock.monotonicMs();
    this.#usedMs = this.#heardMs;
    this.#wait();
  }

  /** Something came that only the other end can say; `used`: a message. */
  heard(used: boolean): void {
    if (this.#timer === undefined) return;
    this.#heardMs = this.#init.clock.monotonicMs();
    if (used) this.#usedMs = this.#heardMs;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(): void {
    const { clock, ask, onSilence } = this.#init;
    const now = clock.monotonicMs();
    const silenceMs = now - this.#usedMs < PROBE_ACTIVE_MS ? PROBE_SILENCE_MS : PROBE_IDLE_MS;
    const dueMs = this.#heardMs + silenceMs - now;
    if (dueMs > 0) {
      this.#timer = clock.setTimer(dueMs, () => this.#wait());
      return;
    }
    const heardMs = this.#heardMs;
    this.#timer = clock.setTimer(PATH_SILENCE_MS, () => {
      if (this.#heardMs > heardMs) return this.#wait();
      this.#timer = undefined;
      onSilence();
    });
    ask();
  }
}
