import { PipevineError } from '../error/pipevine-error.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import type { CborInput } from '../wire/encode.ts';
import { MAX_VALUE_BYTES, MAX_VALUE_DEPTH } from './thing-defaults.ts';
import type { JsonValue } from './thing-description.ts';

/**
 * A JSON value as it is encoded; a lone surrogate in a text becomes U+FFFD. Throws `invalid-argument` for what JSON cannot
 * carry: NaN, the infinities, functions, and for deeper nesting than 12.
 */
export function jsonToCbor(value: unknown, depth = 0): CborInput {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new PipevineError('invalid-argument', `JSON has no ${value}: give a finite number, text or null.`);
  }
  if (depth > MAX_VALUE_DEPTH) {
    throw new PipevineError('invalid-argument', `A value is nested deeper than ${MAX_VALUE_DEPTH}; make it flatter.`);
  }
  if (Array.isArray(value)) return value.map((entry) => jsonToCbor(entry, depth + 1));
  const prototype: unknown = typeof value === 'object' && Object.getPrototypeOf(value);
  if (typeof value !== 'object' || (prototype !== Object.prototype && prototype !== null)) {
    throw new PipevineError('invalid-argument', `A value must be JSON, not ${String(value).slice(0, 40)}.`);
  }
  const map = new Map<string, CborInput>();
  for (const [key, entry] of Object.entries(value)) {
    if (key === '__proto__') throw new PipevineError('invalid-argument', 'A value must not have a key "__proto__".');
    if (entry !== undefined) map.set(key.toWellFormed(), jsonToCbor(entry, depth + 1));
  }
  return map;
}

/** The JSON value of decoded CBOR. Throws `malformed` for bytes, tags, integer keys, wide integers, a key `__proto__`. */
export function cborToJson(value: CborValue, what: string): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw new PipevineError('malformed', `${what} must be a finite number.`);
      return value;
    case 'bigint':
      return Number(value);
    default:
  }
  if (value === null) return null;
  if (Array.isArray(value)) return (value as readonly CborValue[]).map((entry) => cborToJson(entry, what));
  if (value instanceof Map) {
    const entries: [string, JsonValue][] = [];
    for (const [key, entry] of value) {
      if (typeof key !== 'string' || key === '__proto__') {
        throw new PipevineError('malformed', `${what} must be a JSON value; it has the key ${String(key)}.`);
      }
      entries.push([key, cborToJson(entry, what)]);
    }
    return Object.fromEntries(entries);
  }
  throw new PipevineError('malformed', `${what} must be a JSON value, not bytes or a tag.`);
}

export function checkValueSize(bytes: number, what: string): void {
  if (bytes <= MAX_VALUE_BYTES) return;
  throw new PipevineError(
    'too-large',
    `${what} has ${bytes} bytes; a value may have ${MAX_VALUE_BYTES}. Send a reference to it instead.`,
  );
}
