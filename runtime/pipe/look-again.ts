import { pause } from '../endpoint/pause.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Clock } from '../platform/clock.ts';
import type { WaitOptions } from './pipe.ts';
import { CONNECT_TIMEOUT_MS, LOOK_AGAIN_MS } from './pipe-defaults.ts';

/**
 * Looks for a way again, some times, while the peer is `unreachable`. Who has just joined, or leases anew, can be found a moment
 * before its relay, or this peer's, can lead there. `look` gets what is left of the deadline; rejects as it did last.
 */
export async function lookAgain<T>(
  clock: Clock,
  { timeoutMs = CONNECT_TIMEOUT_MS, signal }: WaitOptions,
  look: (wait: WaitOptions) => Promise<T>,
): Promise<T> {
  const untilMs = clock.monotonicMs() + timeoutMs;
  for (let looks = 0; ; looks++) {
    try {
      return await look({ timeoutMs: untilMs - clock.monotonicMs(), ...(signal && { signal }) });
    } catch (error) {
      const pauseMs = LOOK_AGAIN_MS[looks];
      const isPassing = error instanceof PipevineError && error.code === 'unreachable';
      if (!isPassing || pauseMs === undefined || clock.monotonicMs() + pauseMs >= untilMs) throw error;
      await pause(clock, pauseMs, signal);
    }
  }
}
