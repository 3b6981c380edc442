/** A timer that has been set and not yet called back. */
export interface Timer {
  /** Idempotent; does nothing once the timer has called back. */
  cancel(): void;
}

/** The only source of time in the runtime. Tests and the simulator inject one that runs in virtual time. */
export interface Clock {
  /** Milliseconds since an arbitrary origin; never steps. Never goes on the wire. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01 UTC; may step in either direction. */
  wallMs(): number;
  /**
   * Calls back once, after `delayMs` (0 or more) of monotonic time; without a delay, in the next turn of the event loop. A pending timer
   * does not keep the process alive by itself.
   */
  setTimer(delayMs: number, callback: () => void): Timer;
  /**
   * Calls back once when the current turn of the event loop is over, its microtasks included: what is queued by
   * code that awaits between two sends still goes into the same record.
   */
  endOfTurn(callback: () => void): void;
}
