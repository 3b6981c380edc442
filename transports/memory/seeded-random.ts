import type { Random } from '@pipevine/runtime';

/**
 * A reproducible source of random numbers: the same seed, the same numbers, on every platform. The generator is sfc32,
 * seeded by hashing the text. Not for secrets of a real peer.
 */
export function seededRandom(seed: number | string): SeededRandom {
  return new SeededRandom(seed);
}

export class SeededRandom implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number | string) {
    this.#seed = String(seed);
    this.#a = hashText(this.#seed, 0x9e3779b9);
    this.#b = hashText(this.#seed, 0x243f6a88);
    this.#c = hashText(this.#seed, 0xb7e15162);
    // Seeds that differ in one bit differ in all bits of the output after this many rounds.
    for (let i = 0; i < 15; i++) this.#next();
  }

  /** An own stream for one part of a scenario: what that part draws does not shift the others. */
  fork(name: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${name}`);
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      let word = this.#next();
      for (let j = i; j < Math.min(i + 4, length); j++) {
        bytes[j] = word & 0xff;
        word >>>= 8;
      }
    }
    return bytes;
  }

  fraction(): number {
    return this.#next() / 2 ** 32;
  }

  /** An integer from 0 to `below` - 1. */
  integer(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  #next(): number {
    const result = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) >>> 0;
    return result;
  }
}

/** FNV-1a with a final mix: spreads short texts over 32 bits. */
function hashText(text: string, start: number): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
