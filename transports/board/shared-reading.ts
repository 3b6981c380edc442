import type { Clock } from '@pipevine/runtime';

/**
 * A reading that many may ask for at once: one access to the hardware serves all who ask while it is under way, and
 * shortly after. A failure is not kept.
 */
export class SharedReading<T> {
  readonly #read: () => Promise<T>;
  readonly #clock: Clock;
  readonly #keptMs: number;
  #running: Promise<T> | undefined;
  #last: { readonly value: T; readonly atMs: number } | undefined;

  constructor(clock: Clock, keptMs: number, read: () => Promise<T>) {
    this.#clock = clock;
    this.#keptMs = keptMs;
    this.#read = read;
  }

  get(): Promise<T> {
    const last = this.#last;
    if (last !== undefined && this.#clock.monotonicMs() - last.atMs < this.#keptMs) return Promise.resolve(last.value);
    this.#running ??= this.#fresh().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #fresh(): Promise<T> {
    const value = await this.#read();
    this.#last = { value, atMs: this.#clock.monotonicMs() };
    return value;
  }
}
