/**
 * The gate in front of the CBOR decoder. One pass over the bytes proves that an item is well formed (RFC 8949 section 5)
 * and in the subset that Pipevine uses, so that the decoder behind it meets no surprise:
 *
 * - definite lengths only, each integer and length in its shortest form;
 * - depth at most `maxDepth`, counted over arrays, maps and tags;
 * - tags only from `allowedTags` (so no bignums, no dates);
 * - map keys are integers or text (without a byte order mark), and none comes twice;
 * - text is valid UTF-8;
 * - at most MAX_ITEMS items, of which MAX_CONTAINERS arrays, maps and tags;
 * - of the simple values only false, true and null; floats of 16, 32 and 64 bits.
 *
 * Cost is linear in the bytes. Byte order is big-endian throughout.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_CONTAINERS, MAX_DEPTH, MAX_ITEMS } from './wire-defaults.ts';

export interface StrictLimits {
  /** Tags that may occur; none by default. */
  readonly allowedTags?: readonly number[];
  /** Deepest nesting; MAX_DEPTH by default. */
  readonly maxDepth?: number;
}

/** What the scan saw on its way and the decoder's caller must know. */
export interface ScanResult {
  /** Offset just after the item. */
  readonly end: number;
  /** Whether an integer of more than 32 bits or a tag occurs. */
  readonly wideOrTagged: boolean;
  /** Which text strings, counted from 0 in document order, start with a byte order mark; undefined when none does. */
  readonly markedTexts: readonly number[] | undefined;
  /** How many arrays, maps and tags there are. */
  readonly containers: number;
}

const NO_TAGS: readonly number[] = [];

/** Checks the one item that starts at `start` and ends at or before `end`. Throws `malformed` or, for too many items, `too-large`. */
export function scanItem(bytes: Uint8Array, start: number, end: number, limits?: StrictLimits): ScanResult {
  const scanner = new Scanner(bytes, start, end, limits?.allowedTags ?? NO_TAGS);
  scanner.item(limits?.maxDepth ?? MAX_DEPTH);
  return scanner.result();
}

class Scanner {
  position: number;
  wideOrTagged = false;
  markedTexts: number[] | undefined;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #allowedTags: readonly number[];
  #texts = 0;
  #itemsLeft = MAX_ITEMS;
  #containersLeft = MAX_CONTAINERS;
  /** Start and end of the keys of all maps that are open; a map removes its own when it ends. */
  readonly #keys: number[] = [];
  /** All bytes as one string with a character a byte; made only for maps whose keys are not in ascending order. */
  #characters: string | undefined;

  constructor(bytes: Uint8Array, start: number, end: number, allowedTags: readonly number[]) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#allowedTags = allowedTags;
    this.position = start;
  }

  result(): ScanResult {
    const { position: end, wideOrTagged, markedTexts } = this;
    return { end, wideOrTagged, markedTexts, containers: MAX_CONTAINERS - this.#containersLeft };
  }

  item(depthLeft: number): void {
    if (--this.#itemsLeft < 0) this.#tooMany(`${MAX_ITEMS} items`);
    const at = this.position;
    const initial = this.#byte();
    const major = initial >> 5;
    if (major === 7) return this.#simpleOrFloat(initial & 31);
    const argument = this.#argument(initial & 31);
    switch (major) {
      case 0:
      case 1:
        if ((initial & 31) === 27) this.wideOrTagged = true;
        return;
      case 2:
        this.#skip(argument, 'byte string');
        return;
      case 3:
        this.#text(argument);
        return;
      case 4:
        this.#open(depthLeft, at);
        if (argument > this.#end - this.position) this.#fail('the array has more items than bytes left');
        for (let i = 0; i < argument; i++) this.item(depthLeft - 1);
        return;
      case 5:
        this.#open(depthLeft, at);
        if (argument * 2 > this.#end - this.position) this.#fail('the map has more entries than bytes left');
        this.#map(argument, depthLeft - 1);
        return;
      default:
        this.#open(depthLeft, at);
        if (!this.#allowedTags.includes(argument)) this.#fail(`tag ${argument} is not allowed here`);
        this.wideOrTagged = true;
        this.item(depthLeft - 1);
    }
  }

  #map(entries: number, depthLeft: number): void {
    const base = this.#keys.length;
    let seen: Set<string> | undefined;
    for (let i = 0; i < entries; i++) {
      const start = this.position;
      const major = (this.#bytes[start] ?? 0) >> 5;
      if (major !== 0 && major !== 1 && major !== 3) this.#fail('a map key must be an integer or text');
      const marked = this.markedTexts?.length;
      this.item(depthLeft);
      if (this.markedTexts?.length !== marked) this.#fail('a map key starts with a byte order mark');
      const end = this.position;
      const last = this.#keys.length;
      // Ascending keys cannot repeat; only when they are not in order is each one remembered.
      if (seen === undefined && i > 0) {
        const order = this.#compare(this.#keys[last - 2] ?? 0, this.#keys[last - 1] ?? 0, start, end);
        if (order === 0) this.#fail('a map key comes twice');
        if (order > 0) {
          seen = new Set();
          for (let k = base; k < last; k += 2) seen.add(this.#slice(this.#keys[k] ?? 0, this.#keys[k + 1] ?? 0));
        }
      }
      if (seen !== undefined) {
        const before = seen.size;
        seen.add(this.#slice(start, end));
        if (seen.size === before) this.#fail('a map key comes twice');
      } else {
        this.#keys.push(start, end);
      }
      this.item(depthLeft);
    }
    this.#keys.length = base;
  }

  #compare(aStart: number, aEnd: number, bStart: number, bEnd: number): number {
    const bytes = this.#bytes;
    let a = aStart;
    let b = bStart;
    while (a < aEnd && b < bEnd) {
      const difference = (bytes[a++] ?? 0) - (bytes[b++] ?? 0);
      if (difference !== 0) return difference;
    }
    return aEnd - a - (bEnd - b);
  }

  #slice(start: number, end: number): string {
    // windows-1252 as browsers and Node define it gives each of the 256 bytes a character of its own.
    this.#characters ??= new TextDecoder('windows-1252').decode(this.#bytes.subarray(this.#start, this.#end));
    return this.#characters.slice(start - this.#start, end - this.#start);
  }

  #text(length: number): void {
    const bytes = this.#bytes;
    let at = this.position;
    this.#skip(length, 'text string');
    const end = this.position;
    if (length >= 3 && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) {
      this.markedTexts ??= [];
      this.markedTexts.push(this.#texts);
    }
    this.#texts++;
    while (at < end) {
      const lead = bytes[at++] ?? 0;
      if (lead < 0x80) continue;
      // RFC 3629 section 4: the range of the second byte excludes overlong forms, surrogates and what is beyond U+10FFFF.
      let low = 0x80;
      let high = 0xbf;
      let more: number;
      if (lead >= 0xc2 && lead <= 0xdf) more = 1;
      else if (lead >= 0xe0 && lead <= 0xef) {
        more = 2;
        if (lead === 0xe0) low = 0xa0;
        else if (lead === 0xed) high = 0x9f;
      } else if (lead >= 0xf0 && lead <= 0xf4) {
        more = 3;
        if (lead === 0xf0) low = 0x90;
        else if (lead === 0xf4) high = 0x8f;
      } else return this.#fail('text is not valid UTF-8');
      if (at + more > end) this.#fail('text is not valid UTF-8');
      const second = bytes[at++] ?? 0;
      if (second < low || second > high) this.#fail('text is not valid UTF-8');
      while (--more > 0) if (((bytes[at++] ?? 0) & 0xc0) !== 0x80) this.#fail('text is not valid UTF-8');
    }
  }

  #simpleOrFloat(info: number): void {
    switch (info) {
      case 20:
      case 21:
      case 22:
        return;
      case 25:
        return this.#skip(2, 'float');
      case 26:
        return this.#skip(4, 'float');
      case 27:
        return this.#skip(8, 'float');
      default:
        this.#fail(`simple value ${info} is not allowed; only false, true, null and floats are`);
    }
  }

  #argument(info: number): number {
    if (info < 24) return info;
    switch (info) {
      case 24: {
        const value = this.#byte();
        if (value < 24) this.#fail('an integer or length is not in its shortest form');
        return value;
      }
      case 25: {
        const value = this.#byte() * 0x100 + this.#byte();
        if (value < 0x100) this.#fail('an integer or length is not in its shortest form');
        return value;
      }
      case 26: {
        const value = this.#uint32();
        if (value < 0x1_0000) this.#fail('an integer or length is not in its shortest form');
        return value;
      }
      case 27: {
        const high = this.#uint32();
        if (high === 0) this.#fail('an integer or length is not in its shortest form');
        // Inexact beyond 2^53, which matters to no one: as a length it is too long anyway, as a tag not allowed.
        return high * 0x1_0000_0000 + this.#uint32();
      }
      default:
        return this.#fail(info === 31 ? 'an indefinite length is not allowed' : 'a reserved length code');
    }
  }

  #uint32(): number {
    return this.#byte() * 0x100_0000 + ((this.#byte() << 16) | (this.#byte() << 8) | this.#byte());
  }

  #byte(): number {
    if (this.position >= this.#end) this.#fail('the item is cut short');
    return this.#bytes[this.position++] ?? 0;
  }

  #skip(length: number, what: string): void {
    if (length > this.#end - this.position) this.#fail(`a ${what} is cut short`);
    this.position += length;
  }

  #open(depthLeft: number, at: number): void {
    if (--this.#containersLeft < 0) this.#tooMany(`${MAX_CONTAINERS} arrays, maps and tags`);
    if (depthLeft > 0) return;
    this.position = at;
    this.#fail('nested too deep');
  }

  #tooMany(limit: string): never {
    throw new PipevineError('too-large', `A CBOR item may hold at most ${limit}; this one holds more.`);
  }

  #fail(what: string): never {
    throw new PipevineError('malformed', `Not strict CBOR at byte ${this.position - this.#start}: ${what}.`);
  }
}
