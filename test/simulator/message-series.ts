import assert from 'node:assert/strict';
import { type SeededRandom, seededRandom } from '@pipevine/transports';

/** A share of messages, and the most bytes that one of them has. */
export type Sizes = readonly (readonly [share: number, maxBytes: number])[];

/** Mostly commands and readings, now and then a picture: half a kilobyte on average. */
export const MIXED_SIZES: Sizes = [
  [0.8, 100],
  [0.189, 2_000],
  [0.009, 20_000],
  [0.002, 200_000],
];

/** The same with few large ones, for many messages: 100 bytes on average. */
export const SMALL_SIZES: Sizes = [
  [0.98, 64],
  [0.0195, 2_000],
  [0.0005, 200_000],
];

const POOL_BYTES = 400_000;
let pool: Uint8Array | undefined;

/** The messages of one direction: the n-th is the same for whoever makes the series from the same random numbers. */
class MessageSeries {
  readonly #random: SeededRandom;
  readonly #sizes: Sizes;

  constructor(random: SeededRandom, sizes: Sizes) {
    this.#random = random;
    this.#sizes = sizes;
  }

  /** Only lent. */
  next(): Uint8Array {
    pool ??= seededRandom('what messages are cut from').bytes(POOL_BYTES);
    const length = this.#random.integer(this.#maxBytes() + 1);
    const at = this.#random.integer(POOL_BYTES - length);
    return pool.subarray(at, at + length);
  }

  #maxBytes(): number {
    let share = this.#random.fraction();
    for (const [part, maxBytes] of this.#sizes) {
      share -= part;
      if (share < 0) return maxBytes;
    }
    return this.#sizes.at(-1)?.[1] ?? 0;
  }
}

/** One direction of a pipe: what is sent, and whether it comes exactly once, in order, byte for byte. */
export class MessageStream {
  readonly name: string;
  readonly count: number;
  readonly #sent: MessageSeries;
  readonly #expected: MessageSeries;
  #sentCount = 0;
  #received = 0;
  #failure: unknown;

  constructor(name: string, random: SeededRandom, count: number, sizes: Sizes) {
    this.name = name;
    this.count = count;
    this.#sent = new MessageSeries(random.fork(name), sizes);
    this.#expected = new MessageSeries(random.fork(name), sizes);
  }

  get sent(): number {
    return this.#sentCount;
  }

  get received(): number {
    return this.#received;
  }

  /** The next to send, only lent. */
  next(): Uint8Array {
    this.#sentCount++;
    return this.#sent.next();
  }

  /** What has come; it is compared with what must come next. Never throws: `check` does. */
  take(message: Uint8Array): void {
    if (this.#failure !== undefined) return;
    try {
      assert(this.#received < this.count, `${this.name}: more has come than was sent`);
      const expected = this.#expected.next();
      assert(
        Buffer.compare(expected, message) === 0,
        `${this.name}: message ${this.#received} of ${expected.length} bytes was due, others came, ${message.length} bytes`,
      );
      this.#received++;
    } catch (error) {
      this.#failure = error;
    }
  }

  /** Throws when something came that was not due. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Throws also when something is missing. */
  checkComplete(): void {
    this.check();
    assert.equal(this.#received, this.count, `${this.name}: messages that came`);
  }
}
