import type { Clock, Timer } from '@pipevine/runtime';

/**
 * Names waiting to be worked on, each once however often it was added: a little later, so that what changes together is
 * published together, and a batch at a time, so that a thousand devices at once leave the loop its turns.
 */
export class PublishQueue {
  readonly #clock: Clock;
  readonly #work: (name: string) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  readonly #times: { readonly delayMs: number; readonly retryMs: number; readonly batch: number };
  readonly #waiting = new Set<string>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(init: {
    readonly clock: Clock;
    readonly delayMs: number;
    readonly retryMs: number;
    readonly batch: number;
    /** When it rejects, the name waits for another try. */
    readonly work: (name: string) => Promise<void>;
    readonly onError: (error: unknown) => void;
  }) {
    this.#clock = init.clock;
    this.#work = init.work;
    this.#onError = init.onError;
    this.#times = init;
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(name: string): void {
    if (this.#closed) return;
    this.#waiting.add(name);
    this.#arm(this.#times.delayMs);
  }

  delete(name: string): void {
    this.#waiting.delete(name);
  }

  /** Waits for the work under way; what still waits is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#waiting.clear();
    await this.#running;
  }

  #arm(delayMs: number): void {
    if (this.#closed || this.#timer !== undefined || this.#running !== undefined || this.#waiting.size === 0) return;
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#running = this.#runBatch().then((failed) => {
        this.#running = undefined;
        this.#arm(failed ? this.#times.retryMs : 0);
      });
    });
  }

  async #runBatch(): Promise<boolean> {
    const batch = [...this.#waiting].slice(0, this.#times.batch);
    for (const name of batch) this.#waiting.delete(name);
    const results = await Promise.allSettled(batch.map((name) => this.#work(name)));
    let failed = false;
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') return;
      failed = true;
      this.#onError(result.reason);
      const name = batch[index];
      if (name !== undefined && !this.#closed) this.#waiting.add(name);
    });
    return failed;
  }
}
