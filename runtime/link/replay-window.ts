/** Remembers which of the last `size` counters were seen. What is older counts as seen. */
export class ReplayWindow {
  readonly #size: number;
  readonly #words: Uint32Array;
  #highest = -1;

  /** `size` is a multiple of 32. */
  constructor(size: number) {
    this.#size = size;
    this.#words = new Uint32Array(size / 32);
  }

  /** Whether this counter could still be new; a cheap look before authentication. */
  isFresh(counter: number): boolean {
    if (counter > this.#highest) return true;
    if (counter <= this.#highest - this.#size) return false;
    const slot = counter % this.#size;
    return ((this.#words[slot >>> 5] ?? 0) & (1 << (slot & 31))) === 0;
  }

  /** Marks a counter as seen; only after its packet was authenticated. Returns false when it had been seen before. */
  accept(counter: number): boolean {
    if (!this.isFresh(counter)) return false;
    if (counter - this.#highest >= this.#size) {
      this.#words.fill(0);
    } else {
      for (let skipped = this.#highest + 1; skipped < counter; skipped++) this.#set(skipped, false);
    }
    if (counter > this.#highest) this.#highest = counter;
    this.#set(counter, true);
    return true;
  }

  #set(counter: number, seen: boolean): void {
    const slot = counter % this.#size;
    const bit = 1 << (slot & 31);
    const word = this.#words[slot >>> 5] ?? 0;
    this.#words[slot >>> 5] = seen ? word | bit : word & ~bit;
  }
}
