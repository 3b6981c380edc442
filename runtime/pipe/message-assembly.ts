import { PipevineError } from '../error/pipevine-error.ts';

/** Room that is taken at once, in first fragments: enough for the most usual sizes to need no second. */
const FIRST_FRAGMENTS = 5;

/** Puts fragments together. Its memory is bounded by what has come: five times the first fragment, then twice the whole. */
export class MessageAssembly {
  readonly #maxBytes: number;
  #bytes = new Uint8Array(0);
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Throws `too-large`, before any memory is taken for it. */
  append(fragment: Uint8Array): void {
    const needed = this.#used + fragment.length;
    if (needed > this.#maxBytes) {
      throw new PipevineError(
        'too-large',
        `A message has ${needed} bytes or more; at most ${this.#maxBytes} are taken.`,
      );
    }
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(
        Math.min(this.#maxBytes, Math.max(needed, this.#bytes.length * 2, FIRST_FRAGMENTS * fragment.length)),
      );
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    this.#bytes.set(fragment, this.#used);
    this.#used = needed;
  }

  /** The whole; the next one starts empty. */
  take(): Uint8Array {
    const whole = this.#bytes.subarray(0, this.#used);
    this.#bytes = new Uint8Array(0);
    this.#used = 0;
    return whole;
  }
}
