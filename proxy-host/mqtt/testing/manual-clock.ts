import type { Clock, Timer } from '@pipevine/runtime';

interface Entry {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that a test moves by hand. Ends of turns are real. */
export class ManualClock implements Clock {
  readonly #timers = new Set<Entry>();
  #nowMs = 0;
  #originMs: number;

  constructor(originMs = Date.UTC(2026, 0, 1)) {
    this.#originMs = originMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#originMs + this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(entry);
    return { cancel: () => this.#timers.delete(entry) };
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Sets the wall clock forward or back; monotonic time and timers go on as they were. */
  stepWall(byMs: number): void {
    this.#originMs += byMs;
  }

  /** Milliseconds to the next timer, or undefined. */
  get nextDelayMs(): number | undefined {
    let soonest: number | undefined;
    for (const { atMs } of this.#timers) if (soonest === undefined || atMs < soonest) soonest = atMs;
    return soonest === undefined ? undefined : soonest - this.#nowMs;
  }

  /** Moves on, calling back what falls due, in order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#timers].filter((entry) => entry.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
    }
    this.#nowMs = untilMs;
  }
}
