import type { Clock, Timer } from '@pipevine/runtime';

/** Real time, for tests against real processes. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  endOfTurn: (callback) => void setImmediate(callback),
};
