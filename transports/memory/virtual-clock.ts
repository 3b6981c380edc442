import { type Clock, PipevineError, type Timer } from '@pipevine/runtime';
import { TimerHeap } from './timer-heap.ts';

export interface VirtualClockInit {
  /** Wall time at the start, in ms since 1970-01-01 UTC. Default: 2026-01-01. */
  readonly wallMs?: number;
}

/** Time limit of a run that was given none: long enough for any scenario, short enough to end a livelock. */
const DEFAULT_LIMIT_MS = 3_600_000;

/** A run gives the real event loop a turn after this many events, so that signals and test timeouts still work. */
const EVENTS_PER_REAL_TURN = 2_000;

/** Rounds of end-of-turn callbacks without time passing that a run takes for a livelock. */
const MAX_ROUNDS_PER_EVENT = 100_000;

/**
 * An event loop in virtual time. Nothing happens until one of the `run` methods is awaited: each runs timers in the
 * order of (time, insertion), and after each one drains the microtasks and then the end-of-turn callbacks, at the same
 * virtual time. Code under test uses ordinary promises; it must not wait for anything real (sockets, files, timers).
 */
export class VirtualClock implements Clock {
  readonly #timers = new TimerHeap();
  #endOfTurn: (() => void)[] = [];
  #nowMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  #running = false;
  #events = 0;

  constructor(init: VirtualClockInit = {}) {
    this.#wallOffsetMs = init.wallMs ?? Date.UTC(2026, 0, 1);
  }

  /** Timers that have fired so far. */
  get eventCount(): number {
    return this.#events;
  }

  /** Timers that wait. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Math.floor(this.#nowMs + this.#wallOffsetMs);
  }

  /** Steps the wall clock, as a time server or a person does; monotonic time goes on. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (!Number.isFinite(delayMs)) {
      throw new PipevineError('invalid-argument', `A timer needs a finite delay in ms, not ${delayMs}.`);
    }
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.push(timer);
    return { cancel: () => this.#timers.cancel(timer) };
  }

  endOfTurn(callback: () => void): void {
    this.#endOfTurn.push(callback);
  }

  /** Runs all that happens within the next `durationMs`; then the time is exactly that much later. */
  async runFor(durationMs: number): Promise<void> {
    await this.#run(this.#nowMs + durationMs, () => false);
  }

  /** Runs until no timer waits. Rejects with `timeout` when some still do after `limitMs`. */
  async runUntilIdle(limitMs: number = DEFAULT_LIMIT_MS): Promise<void> {
    await this.runUntil(() => this.#timers.size === 0, limitMs, 'no timer waits');
  }

  /**
   * Runs until `isDone`, which is asked after each event. Rejects with `timeout` when it is still false after `limitMs`
   * of virtual time, or when nothing is left that could change it.
   */
  async runUntil(
    isDone: () => boolean,
    limitMs: number = DEFAULT_LIMIT_MS,
    what = 'the condition holds',
  ): Promise<void> {
    const startMs = this.#nowMs;
    const done = await this.#run(startMs + limitMs, isDone);
    if (!done) {
      const waitedMs = Math.round(this.#nowMs - startMs);
      throw new PipevineError('timeout', `Ran ${waitedMs} ms of virtual time to see that ${what}; it never did.`);
    }
  }

  /** Runs until the promise settles, and settles like it. Rejects with `timeout` as `runUntil` does. */
  async run<T>(promise: Promise<T> | T, limitMs: number = DEFAULT_LIMIT_MS): Promise<T> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    Promise.resolve(promise).then(settle, settle);
    await this.runUntil(() => settled, limitMs, 'the promise settles');
    return promise;
  }

  async #run(untilMs: number, isDone: () => boolean): Promise<boolean> {
    if (this.#running) {
      throw new PipevineError('busy', 'The virtual clock is running already: await one run before the next.');
    }
    this.#running = true;
    try {
      // The caller may be a tick of its own, before which the next one would come ahead of the microtasks.
      await undefined;
      await microtasksDrained();
      if (this.#endOfTurn.length > 0) await this.#endTurn();
      for (let events = 1; !isDone(); events++) {
        const next = this.#timers.peek();
        if (next === undefined || next.dueMs > untilMs) {
          this.#nowMs = Math.max(this.#nowMs, untilMs);
          return false;
        }
        this.#timers.pop();
        this.#nowMs = next.dueMs;
        this.#events++;
        const callback = next.callback;
        next.callback = undefined;
        callback?.();
        await microtasksDrained();
        if (this.#endOfTurn.length > 0) await this.#endTurn();
        if (events % EVENTS_PER_REAL_TURN === 0) await new Promise(setImmediate);
      }
      return true;
    } finally {
      this.#running = false;
    }
  }

  /** Microtasks have run; now the callbacks that asked for the end of the turn, until neither makes more of the other. */
  async #endTurn(): Promise<void> {
    for (let round = 0; this.#endOfTurn.length > 0; round++) {
      if (round === MAX_ROUNDS_PER_EVENT) {
        throw new PipevineError('internal', `The turn at ${this.#nowMs} ms does not end: each end queues another.`);
      }
      const callbacks = this.#endOfTurn;
      this.#endOfTurn = [];
      for (const callback of callbacks) callback();
      await microtasksDrained();
    }
  }
}

/** Called from a microtask, as after any await: a tick then runs when no microtask is left. */
function microtasksDrained(): Promise<void> {
  return new Promise(inNextTick);
}

function inNextTick(resolve: () => void): void {
  process.nextTick(resolve);
}
