import type { Pipe } from '@pipevine/runtime';

/** Senders that one node hears at a time. */
export const MAX_ACCEPTED = 1_024;
const CLOSE_TIMEOUT_MS = 2_000;

/** The pipes that a listener has accepted, so that they end with it. */
export class AcceptedPipes {
  readonly #pipes = new Set<Pipe>();

  /** False, and the pipe is closed, when there are too many. */
  add(pipe: Pipe): boolean {
    if (this.#pipes.size >= MAX_ACCEPTED) {
      void pipe.close({ timeoutMs: 0 }).catch(() => {});
      return false;
    }
    this.#pipes.add(pipe);
    void pipe.closed.then(() => this.#pipes.delete(pipe));
    return true;
  }

  /** Those at the other end bind anew to whoever listens next. */
  async close(): Promise<void> {
    await Promise.all([...this.#pipes].map((pipe) => pipe.close({ timeoutMs: CLOSE_TIMEOUT_MS }).catch(() => {})));
  }
}
