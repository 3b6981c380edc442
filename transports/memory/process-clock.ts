import type { Clock, Timer } from '@pipevine/runtime';

/**
 * The clock as one simulated process sees it. After `kill` nothing of that process runs any more: its timers are
 * cancelled, and what it still asks for never happens.
 */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #wallSkewMs = 0;
  #alive = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get alive(): boolean {
    return this.#alive;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  wallMs(): number {
    return this.#clock.wallMs() + this.#wallSkewMs;
  }

  /** Steps this machine's wall clock alone. */
  stepWall(byMs: number): void {
    this.#wallSkewMs += byMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (!this.#alive) return { cancel: () => undefined };
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(handle);
      callback();
    });
    const handle: Timer = {
      cancel: () => {
        this.#timers.delete(handle);
        timer.cancel();
      },
    };
    this.#timers.add(handle);
    return handle;
  }

  endOfTurn(callback: () => void): void {
    if (!this.#alive) return;
    this.#clock.endOfTurn(() => {
      if (this.#alive) callback();
    });
  }

  /** Ends the process at once. Idempotent. */
  kill(): void {
    this.#alive = false;
    for (const timer of [...this.#timers]) timer.cancel();
  }
}
