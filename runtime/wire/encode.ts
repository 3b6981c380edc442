import { PipevineError } from '../error/pipevine-error.ts';
import { ByteWriter } from './byte-writer.ts';
import { type CborKey, CborTag, type CborValue } from './cbor-value.ts';
import { MAX_DEPTH } from './wire-defaults.ts';

/** What can be encoded: every CborValue, and plain objects, whose members become a map with text keys. */
export type CborInput =
  | CborValue
  | readonly CborInput[]
  | ReadonlyMap<CborKey | bigint, CborInput | undefined>
  | { readonly [name: string]: CborInput | undefined };

const encoder = new TextEncoder();

/** UTF-16 units of a text that is written by hand when it is ASCII: an array for its bytes would cost more than they do. */
const MAX_SHORT_TEXT = 64;

/**
 * Encodes deterministically (RFC 8949 section 4.2.1): shortest forms, definite lengths, map keys in bytewise order of
 * their encoding, the shortest float that keeps the value. A number that is a safe integer becomes an integer; a map
 * entry or member that is undefined is left out. Throws `invalid-argument` for what has no encoding.
 */
export function encodeCanonical(value: CborInput): Uint8Array {
  const writer = new ByteWriter();
  write(writer, value, MAX_DEPTH);
  return writer.toBytes();
}

function write(writer: ByteWriter, value: CborInput, depthLeft: number): void {
  switch (typeof value) {
    case 'number':
      return writeNumber(writer, value);
    case 'bigint':
      return writeBigint(writer, value);
    case 'string':
      return writeText(writer, value);
    case 'boolean':
      return writer.uint8(value ? 0xf5 : 0xf4);
    case 'object':
      break;
    default:
      return refuse(`a ${typeof value}`);
  }
  if (value === null) return writer.uint8(0xf6);
  if (value instanceof Uint8Array) {
    writer.head(2, value.length);
    return writer.append(value);
  }
  if (depthLeft === 0) refuse(`nesting deeper than ${MAX_DEPTH}`);
  if (Array.isArray(value)) {
    writer.head(4, value.length);
    // Array.isArray loses the element type of a readonly array.
    for (const member of value as readonly CborInput[]) write(writer, member, depthLeft - 1);
    return;
  }
  if (value instanceof CborTag) {
    writer.head(6, value.tag);
    return write(writer, value.value, depthLeft - 1);
  }
  if (value instanceof Map) return writeMap(writer, value, depthLeft - 1);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) refuse(`an object of class ${value.constructor.name}`);
  writeMap(writer, Object.entries(value), depthLeft - 1);
}

function writeMap(
  writer: ByteWriter,
  entries: Iterable<readonly [unknown, CborInput | undefined]>,
  depthLeft: number,
): void {
  const encoded: [key: Uint8Array, value: CborInput][] = [];
  for (const [key, value] of entries) {
    if (value === undefined) continue;
    if (typeof key !== 'string' && typeof key !== 'bigint' && !Number.isSafeInteger(key)) {
      refuse(`a map key that is neither an integer nor text: ${String(key)}`);
    }
    const keyWriter = new ByteWriter();
    write(keyWriter, key as CborKey, 0); // Proven just above.
    encoded.push([keyWriter.toBytes(), value]);
  }
  encoded.sort((a, b) => compareBytes(a[0], b[0]));
  writer.head(5, encoded.length);
  let previous: Uint8Array | undefined;
  for (const [key, value] of encoded) {
    if (previous !== undefined && compareBytes(previous, key) === 0) refuse('a map that has 1 and 1n as two keys');
    previous = key;
    writer.append(key);
    write(writer, value, depthLeft);
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function writeText(writer: ByteWriter, text: string): void {
  if (text.length <= MAX_SHORT_TEXT && isAscii(text)) {
    writer.head(3, text.length);
    for (let i = 0; i < text.length; i++) writer.uint8(text.charCodeAt(i));
    return;
  }
  // Bytes that stand for a lone surrogate do not exist in UTF-8; the encoder would quietly put U+FFFD.
  if (!text.isWellFormed()) refuse('text with a lone surrogate');
  const bytes = encoder.encode(text);
  writer.head(3, bytes.length);
  writer.append(bytes);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function writeNumber(writer: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    return value >= 0 ? writer.head(0, value) : writer.head(1, -1 - value);
  }
  const half = toFloat16(value);
  if (half !== undefined) {
    writer.uint8(0xf9);
    return writer.uint16(half);
  }
  if (Math.fround(value) === value) {
    writer.uint8(0xfa);
    return writer.float32(value);
  }
  writer.uint8(0xfb);
  writer.float64(value);
}

function writeBigint(writer: ByteWriter, value: bigint): void {
  const argument = value >= 0n ? value : -1n - value;
  const major = value >= 0n ? 0 : 1;
  if (argument <= BigInt(Number.MAX_SAFE_INTEGER)) return writer.head(major, Number(argument));
  if (argument > 0xffff_ffff_ffff_ffffn) refuse('an integer of more than 64 bits');
  writer.wideHead(major, argument);
}

/** The bits of a value that IEEE 754 binary16 holds exactly, or undefined. */
function toFloat16(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return sign;
  if (magnitude === Infinity) return sign | 0x7c00;
  if (magnitude > 65_504) return undefined;
  // Below 2^-14 the numbers are subnormal: multiples of 2^-24.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const significand = magnitude / 2 ** (exponent - 10);
  if (!Number.isInteger(significand)) return undefined;
  return significand < 1024 ? sign | significand : sign | ((exponent + 15) << 10) | (significand - 1024);
}

function refuse(what: string): never {
  throw new PipevineError('invalid-argument', `CBOR cannot hold ${what}; use numbers, text, bytes, arrays and maps.`);
}
