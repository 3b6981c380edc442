import { PipevineError } from '../error/pipevine-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { WaitOptions } from './pipe.ts';

interface Waiter {
  /** Whether what is waited for is so, or was done just now. May throw. */
  readonly attempt: () => boolean;
  readonly settle: (error: unknown) => void;
}

/** Calls that wait in line for the same thing; each has a deadline. */
export class Waiters {
  readonly #clock: Clock;
  readonly #max: number;
  #line: Waiter[] = [];

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  get isEmpty(): boolean {
    return this.#line.length === 0;
  }

  /** Waits until `attempt` says true, behind those who came first. Rejects with `timeout`, `aborted` or `overloaded`. */
  wait(attempt: () => boolean, options: WaitOptions, defaultTimeoutMs: number, what: string): Promise<void> {
    const { signal } = options;
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(what, signal));
      if (this.#line.length >= this.#max) {
        return reject(
          new PipevineError('overloaded', `${this.#max} calls wait for ${what} already; await some of them first.`),
        );
      }
      let timer: Timer | undefined;
      const settle = (error: unknown): void => {
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const waiter: Waiter = { attempt, settle };
      const leave = (error: PipevineError): void => {
        this.#line = this.#line.filter((other) => other !== waiter);
        settle(error);
      };
      const onAbort = (): void => leave(aborted(what, signal));
      signal?.addEventListener('abort', onAbort);
      if (Number.isFinite(timeoutMs)) {
        timer = this.#clock.setTimer(timeoutMs, () => {
          leave(new PipevineError('timeout', `Waited ${timeoutMs} ms for ${what}.`));
        });
      }
      this.#line.push(waiter);
    });
  }

  /** Something has changed: serves the line until somebody must wait on. */
  progress(): void {
    while (this.#line.length > 0) {
      const [first] = this.#line;
      if (first === undefined) return;
      let error: unknown;
      try {
        if (!first.attempt()) return;
      } catch (cause) {
        error = cause;
      }
      // The attempt may have failed the whole line.
      if (this.#line[0] === first) this.#line.shift();
      first.settle(error);
    }
  }

  /** Nobody needs to wait any more. */
  fail(error: PipevineError): void {
    for (const waiter of this.#line.splice(0)) waiter.settle(error);
  }
}

function aborted(what: string, signal: AbortSignal | undefined): PipevineError {
  return new PipevineError('aborted', `Waiting for ${what} was aborted by the caller.`, { cause: signal?.reason });
}
