import { PipevineError } from '../error/pipevine-error.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';

/**
 * Waits for `promise`, but no longer than the options say: rejects with `timeout` or `aborted`, naming what was waited
 * for. What the promise does afterwards is nobody's concern here.
 */
export function abortable<T>(promise: Promise<T>, clock: Clock, options: WaitOptions, what: string): Promise<T> {
  const { signal, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined;
    const stop = (): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      stop();
      reject(new PipevineError('aborted', `Waiting for ${what} was aborted by the caller.`, { cause: signal?.reason }));
    };
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
    if (timeoutMs !== undefined && Number.isFinite(timeoutMs)) {
      timer = clock.setTimer(timeoutMs, () => {
        stop();
        reject(new PipevineError('timeout', `Waited ${timeoutMs} ms for ${what}.`));
      });
    }
    promise.then(
      (value) => {
        stop();
        resolve(value);
      },
      (error: unknown) => {
        stop();
        reject(error);
      },
    );
  });
}
