import { performance } from 'node:perf_hooks';
import { type Clock, PipevineError, type Timer } from '@pipevine/runtime';

/** The longest delay that setTimeout honours; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's clock. Timers are unref'd: what keeps the process alive is its sockets and files. */
export const nodeClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs, callback): Timer {
    if (Number.isNaN(delayMs)) throw new PipevineError('invalid-argument', 'A timer needs a delay in ms, not NaN.');
    if (delayMs <= 0) return new NextTurn(callback);
    return delayMs <= MAX_TIMEOUT_MS ? new NodeTimer(delayMs, callback) : new LongTimer(delayMs, callback);
  },
  endOfTurn(callback) {
    // A tick asked for by a microtask runs when the microtask queue has drained, so code that awaits between two sends
    // comes first. setImmediate would come later still, but costs a turn of the loop for each lone message.
    queueMicrotask(() => process.nextTick(callback));
  },
};

/** Without a delay: setTimeout makes a millisecond of none. Not unref'd, or the loop could wait for a socket before it. */
class NextTurn implements Timer {
  readonly #immediate: NodeJS.Immediate;

  constructor(callback: () => void) {
    this.#immediate = setImmediate(callback);
  }

  cancel(): void {
    clearImmediate(this.#immediate);
  }
}

class NodeTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(delayMs: number, callback: () => void) {
    this.#timeout = setTimeout(callback, delayMs).unref();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

/** A delay beyond setTimeout's range, waited for in parts. */
class LongTimer implements Timer {
  #part: NodeTimer;

  constructor(delayMs: number, callback: () => void) {
    const dueMs = performance.now() + delayMs;
    const wait = (): NodeTimer => {
      const restMs = dueMs - performance.now();
      if (restMs <= MAX_TIMEOUT_MS) return new NodeTimer(Math.max(0, restMs), callback);
      return new NodeTimer(MAX_TIMEOUT_MS, () => {
        this.#part = wait();
      });
    };
    this.#part = wait();
  }

  cancel(): void {
    this.#part.cancel();
  }
}
