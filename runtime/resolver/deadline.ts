import type { Clock } from '../platform/clock.ts';

/** A signal that is aborted after a while, or with the first of others. Call `end` or `abort` when it is needed no more. */
export class Deadline {
  readonly #abort = new AbortController();
  readonly #unlink: () => void;
  #ended = false;

  constructor(clock: Clock, timeoutMs: number, sources: readonly AbortSignal[]) {
    const onAbort = (): void => this.abort();
    const timer = clock.setTimer(timeoutMs, onAbort);
    for (const source of sources) source.addEventListener('abort', onAbort);
    this.#unlink = () => {
      timer.cancel();
      for (const source of sources) source.removeEventListener('abort', onAbort);
    };
    if (sources.some(({ aborted }) => aborted)) this.abort();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Nothing waits for the signal any more: it stays as it is, which costs much less than to abort it. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unlink();
  }

  /** Ends whatever waits for the signal, unless nothing does. Idempotent. */
  abort(): void {
    if (this.#ended) return;
    this.end();
    this.#abort.abort();
  }
}
