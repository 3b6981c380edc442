import { type Clock, type DialOptions, type EndpointAddress, PipevineError } from '@pipevine/runtime';

/** A dial waits this long when nobody says otherwise: longer than TCP's first two retries (1 s and 3 s). */
export const DEFAULT_DIAL_TIMEOUT_MS = 10_000;

/**
 * Calls `fail` once when the caller's signal aborts or the time is up, unless `settle` was called before. Throws at
 * once when the signal has aborted already.
 */
export function watchDial(
  clock: Clock,
  address: EndpointAddress,
  options: DialOptions | undefined,
  fail: (error: PipevineError) => void,
): { settle(): void } {
  const signal = options?.signal;
  const aborted = (): PipevineError =>
    new PipevineError('aborted', `The caller gave up dialling ${address}.`, { cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  const timeoutMs = options?.timeoutMs ?? DEFAULT_DIAL_TIMEOUT_MS;
  const settle = (): void => {
    timer.cancel();
    signal?.removeEventListener('abort', onAbort);
  };
  const onAbort = (): void => {
    settle();
    fail(aborted());
  };
  const timer = clock.setTimer(timeoutMs, () => {
    settle();
    fail(
      new PipevineError(
        'timeout',
        `${address} did not answer within ${timeoutMs} ms. Check the address and that no firewall is in between.`,
      ),
    );
  });
  signal?.addEventListener('abort', onAbort, { once: true });
  return { settle };
}
