/**
 * CBOR (RFC 8949) for payloads: integers to 2^53, floats, texts, byte strings, lists, maps with text keys, true, false, null and
 * undefined. Of definite length, except that lengths of any width are read. Tags are read and left out.
 *
 * | major | meaning                      | major | meaning                       |
 * |-------|------------------------------|-------|-------------------------------|
 * | 0, 1  | integer n, -1 - n            | 4, 5  | list of n, map of n pairs     |
 * | 2, 3  | n bytes, n bytes of UTF-8    | 6, 7  | tag n, simple value or float  |
 */
import { PipevineError } from '@pipevine/runtime';

const MAX_DEPTH = 64;

/** Throws `malformed` for what CBOR, or a reader of it, could not express: functions, symbols, cycles. */
export function encodeCbor(value: unknown): Uint8Array {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.bytes();
}

/** Throws `malformed`. Byte strings become Buffers. Costs no more than its input: a length is checked before it is believed. */
export function decodeCbor(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.left > 0) throw malformed(`${reader.left} bytes follow the value`);
  return value;
}

class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  value(value: unknown, depth: number): void {
    if (depth > MAX_DEPTH) throw malformed(`it is nested more than ${MAX_DEPTH} levels deep, or contains itself`);
    switch (typeof value) {
      case 'undefined':
        return this.#byte(0xf7);
      case 'boolean':
        return this.#byte(value ? 0xf5 : 0xf4);
      case 'number':
        return this.#number(value);
      case 'bigint':
        if (value < BigInt(Number.MIN_SAFE_INTEGER) || value > BigInt(Number.MAX_SAFE_INTEGER)) {
          throw malformed('an integer in it is beyond 2^53');
        }
        return this.#number(Number(value));
      case 'string':
        return this.#run(3, new TextEncoder().encode(value));
      case 'object':
        return this.#object(value, depth);
      default:
        throw malformed(`a ${typeof value} is in it`);
    }
  }

  #object(value: object | null, depth: number): void {
    if (value === null) return this.#byte(0xf6);
    if (value instanceof Uint8Array) return this.#run(2, value);
    if (value instanceof Date) return this.#run(3, new TextEncoder().encode(value.toJSON() ?? ''));
    if (Array.isArray(value)) {
      this.#head(4, value.length);
      for (const member of value) this.value(member, depth + 1);
      return;
    }
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    this.#head(5, entries.length);
    for (const [key, member] of entries) {
      this.value(String(key), depth + 1);
      this.value(member, depth + 1);
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      return value < 0 ? this.#head(1, -1 - value) : this.#head(0, value);
    }
    this.#room(9);
    this.#view.setUint8(this.#at, 0xfb);
    this.#view.setFloat64(this.#at + 1, value);
    this.#at += 9;
  }

  #run(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #head(major: number, n: number): void {
    this.#room(9);
    const first = major << 5;
    if (n < 24) this.#byte(first | n);
    else if (n < 0x100) {
      this.#byte(first | 24);
      this.#byte(n);
    } else if (n < 0x10000) {
      this.#byte(first | 25);
      this.#view.setUint16(this.#at, n);
      this.#at += 2;
    } else if (n < 0x100000000) {
      this.#byte(first | 26);
      this.#view.setUint32(this.#at, n);
      this.#at += 4;
    } else {
      this.#byte(first | 27);
      this.#view.setBigUint64(this.#at, BigInt(n));
      this.#at += 8;
    }
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = byte;
  }

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw malformed(`it is nested more than ${MAX_DEPTH} levels deep`);
    const first = this.#take(1);
    const major = first >> 5;
    const low = first & 31;
    if (major === 7) return this.#simple(low);
    const n = this.#argument(low);
    switch (major) {
      case 0:
        return n;
      case 1:
        return -1 - n;
      case 2:
        return Buffer.from(this.#run(n));
      case 3:
        return this.#text(n);
      case 4:
        this.#count(n);
        return Array.from({ length: n }, () => this.value(depth + 1));
      case 5:
        this.#count(n * 2);
        return this.#map(n, depth);
      default:
        return this.value(depth + 1);
    }
  }

  #map(pairs: number, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (let i = 0; i < pairs; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number') throw malformed('a key in it is no text');
      // `__proto__` among the keys is a member like any other.
      Object.defineProperty(map, key, {
        value: this.value(depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return map;
  }

  #simple(low: number): unknown {
    if (low === 20 || low === 21) return low === 21;
    if (low === 22) return null;
    if (low === 23) return undefined;
    const at = this.#at;
    if (low === 25) {
      this.#take(2);
      return halfFloat(this.#view.getUint16(at));
    }
    if (low === 26) {
      this.#take(4);
      return this.#view.getFloat32(at);
    }
    if (low === 27) {
      this.#take(8);
      return this.#view.getFloat64(at);
    }
    throw malformed(`the simple value ${low} has no meaning here`);
  }

  #argument(low: number): number {
    if (low < 24) return low;
    const at = this.#at;
    if (low === 24) return this.#take(1);
    if (low === 25) {
      this.#take(2);
      return this.#view.getUint16(at);
    }
    if (low === 26) {
      this.#take(4);
      return this.#view.getUint32(at);
    }
    if (low !== 27) throw malformed('its lengths are indefinite');
    this.#take(8);
    const n = this.#view.getBigUint64(at);
    if (n > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('an integer in it is beyond 2^53');
    return Number(n);
  }

  #text(length: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#run(length));
    } catch (error) {
      throw error instanceof PipevineError ? error : malformed('a text in it is no UTF-8');
    }
  }

  #run(length: number): Uint8Array {
    this.#count(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Each of `n` takes one byte at least. */
  #count(n: number): void {
    if (n > this.left) throw malformed('it ends too early');
  }

  #take(length: number): number {
    this.#count(length);
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += length;
    return byte;
  }
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const malformed = (why: string) =>
  new PipevineError('malformed', `This is no CBOR value that a payload can be: ${why}.`);
