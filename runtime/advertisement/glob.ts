import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_PATTERN_LENGTH } from './advertisement-defaults.ts';

/**
 * A pattern in which `*` stands for any run of characters, the empty one included, and all else for itself, case
 * included. Never backtracks: the parts between stars are looked for from left to right, each where it first occurs,
 * by Knuth-Morris-Pratt, so that matching costs at most the lengths of pattern and text together.
 */
export class Glob {
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #middle: readonly SubstringSearch[];
  readonly #minLength: number;

  /** Throws `invalid-argument` when the pattern is longer than MAX_PATTERN_LENGTH. */
  constructor(pattern: string) {
    if (pattern.length > MAX_PATTERN_LENGTH) {
      throw new PipevineError(
        'invalid-argument',
        `A pattern may have ${MAX_PATTERN_LENGTH} characters at most, not ${pattern.length}.`,
      );
    }
    const parts = pattern.split('*');
    this.#prefix = parts[0] ?? '';
    this.#suffix = parts.length > 1 ? (parts.at(-1) ?? '') : '';
    this.#middle = parts
      .slice(1, -1)
      .filter((part) => part !== '')
      .map((part) => new SubstringSearch(part));
    this.#minLength = parts.reduce((sum, part) => sum + part.length, 0);
    this.exact = parts.length === 1 ? pattern : undefined;
  }

  /** The text itself when the pattern has no star. */
  readonly exact: string | undefined;

  matches(text: string): boolean {
    if (this.exact !== undefined) return text === this.exact;
    if (text.length < this.#minLength || !text.startsWith(this.#prefix) || !text.endsWith(this.#suffix)) return false;
    let from = this.#prefix.length;
    const end = text.length - this.#suffix.length;
    for (const part of this.#middle) {
      from = part.endOfFirst(text, from, end);
      if (from < 0) return false;
    }
    return true;
  }
}

/** Looks for one non-empty text in others. */
class SubstringSearch {
  readonly #text: string;
  /** For each position, the length of the longest proper border of the text up to there. */
  readonly #borders: Uint16Array;

  constructor(text: string) {
    this.#text = text;
    this.#borders = new Uint16Array(text.length);
    for (let i = 1, length = 0; i < text.length; ) {
      if (text.charCodeAt(i) === text.charCodeAt(length)) this.#borders[i++] = ++length;
      else if (length > 0) length = this.#borders[length - 1] ?? 0;
      else i++;
    }
  }

  /** Where the first occurrence within [from, end) of `text` ends, or -1. */
  endOfFirst(text: string, from: number, end: number): number {
    for (let i = from, length = 0; i < end; ) {
      if (text.charCodeAt(i) === this.#text.charCodeAt(length)) {
        i++;
        if (++length === this.#text.length) return i;
      } else if (length > 0) length = this.#borders[length - 1] ?? 0;
      else i++;
    }
    return -1;
  }
}
