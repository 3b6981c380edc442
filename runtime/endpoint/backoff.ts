/** The wait in ms after the n-th failure in a row (n from 1): doubles from `firstMs` to `maxMs`. */
export function backoffMs(failures: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
}

/** The same, spread over the upper half of the wait. `fraction` is drawn from [0, 1) at each attempt. */
export function jitteredBackoffMs(failures: number, firstMs: number, maxMs: number, fraction: number): number {
  return backoffMs(failures, firstMs, maxMs) * (0.5 + fraction / 2);
}
