/**
 * Typed reading of decoded CBOR: each getter checks one member and throws `malformed`, naming it. Unknown members are
 * ignored, so that a later version may add some.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { type CborKey, CborTag, type CborValue } from './cbor-value.ts';

export interface BytesRule {
  /** Exact length in bytes. */
  readonly length?: number;
  readonly maxLength?: number;
}

export interface TextRule {
  /** In bytes of UTF-8. */
  readonly maxBytes?: number;
  /** In UTF-16 units. */
  readonly maxLength?: number;
}

export interface IntegerRule {
  /** 0 by default. */
  readonly min?: number;
  /** Number.MAX_SAFE_INTEGER by default. */
  readonly max?: number;
}

export interface ArrayRule {
  readonly length?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

const encoder = new TextEncoder();

/** `value` as bytes; `what` names it in the error. */
export function readBytes(value: CborValue | undefined, what: string, rule?: BytesRule): Uint8Array {
  if (!(value instanceof Uint8Array)) return wrong(what, 'a byte string', value);
  if (rule?.length !== undefined && value.length !== rule.length) {
    throw new PipevineError('malformed', `${what} must have ${rule.length} bytes, not ${value.length}.`);
  }
  if (rule?.maxLength !== undefined && value.length > rule.maxLength) {
    throw new PipevineError('malformed', `${what} may have ${rule.maxLength} bytes at most, not ${value.length}.`);
  }
  return value;
}

export function readText(value: CborValue | undefined, what: string, rule?: TextRule): string {
  if (typeof value !== 'string') return wrong(what, 'text', value);
  if (rule?.maxLength !== undefined && value.length > rule.maxLength) {
    throw new PipevineError('malformed', `${what} may have ${rule.maxLength} characters at most, not ${value.length}.`);
  }
  // One UTF-16 unit becomes three bytes at most: what is short enough need not be encoded to be counted.
  const most = rule?.maxBytes ?? Infinity;
  if (value.length > most || (3 * value.length > most && encoder.encode(value).length > most)) {
    throw new PipevineError('malformed', `${what} may have ${most} bytes of UTF-8 at most.`);
  }
  return value;
}

export function readInteger(value: CborValue | undefined, what: string, rule?: IntegerRule): number {
  const min = rule?.min ?? 0;
  const max = rule?.max ?? Number.MAX_SAFE_INTEGER;
  // The decoder gives a float with a whole value as the same number: both mean the same here.
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    if (value >= min && value <= max) return value;
    throw new PipevineError('malformed', `${what} must be from ${min} to ${max}, not ${value}.`);
  }
  return wrong(what, `an integer from ${min} to ${max}`, value);
}

/** Any number, integers and floats alike. */
export function readNumber(value: CborValue | undefined, what: string): number {
  return typeof value === 'number' ? value : wrong(what, 'a number', value);
}

export function readBoolean(value: CborValue | undefined, what: string): boolean {
  return typeof value === 'boolean' ? value : wrong(what, 'true or false', value);
}

export function readArray(value: CborValue | undefined, what: string, rule?: ArrayRule): readonly CborValue[] {
  if (!Array.isArray(value)) return wrong(what, 'an array', value);
  const min = rule?.length ?? rule?.minLength ?? 0;
  const max = rule?.length ?? rule?.maxLength ?? Infinity;
  if (value.length < min || value.length > max) {
    throw new PipevineError('malformed', `${what} must have ${min} to ${max} members, not ${value.length}.`);
  }
  return value;
}

/** `value` as a map with typed getters; `what` names it in every error of theirs. */
export function readMap(value: CborValue | undefined, what: string): MapReader {
  return value instanceof Map ? new MapReader(value, what) : wrong(what, 'a map', value);
}

/** The value inside a tag of this number. */
export function readTag(value: CborValue | undefined, what: string, tag: number): CborValue {
  return value instanceof CborTag && value.tag === tag ? value.value : wrong(what, `tag ${tag}`, value);
}

/** Reads members of one map. `key` is the key on the wire, `name` what people call the member. */
export class MapReader {
  readonly map: ReadonlyMap<CborKey | bigint, CborValue>;
  readonly what: string;

  constructor(map: ReadonlyMap<CborKey | bigint, CborValue>, what: string) {
    this.map = map;
    this.what = what;
  }

  has(key: CborKey): boolean {
    return this.map.has(key);
  }

  /** The member as it is, or undefined. */
  value(key: CborKey): CborValue | undefined {
    return this.map.get(key);
  }

  bytes(key: CborKey, name: string, rule?: BytesRule): Uint8Array {
    return readBytes(this.map.get(key), this.#of(name), rule);
  }

  text(key: CborKey, name: string, rule?: TextRule): string {
    return readText(this.map.get(key), this.#of(name), rule);
  }

  integer(key: CborKey, name: string, rule?: IntegerRule): number {
    return readInteger(this.map.get(key), this.#of(name), rule);
  }

  number(key: CborKey, name: string): number {
    return readNumber(this.map.get(key), this.#of(name));
  }

  boolean(key: CborKey, name: string): boolean {
    return readBoolean(this.map.get(key), this.#of(name));
  }

  array(key: CborKey, name: string, rule?: ArrayRule): readonly CborValue[] {
    return readArray(this.map.get(key), this.#of(name), rule);
  }

  child(key: CborKey, name: string): MapReader {
    return readMap(this.map.get(key), this.#of(name));
  }

  optionalBytes(key: CborKey, name: string, rule?: BytesRule): Uint8Array | undefined {
    return this.map.has(key) ? this.bytes(key, name, rule) : undefined;
  }

  optionalText(key: CborKey, name: string, rule?: TextRule): string | undefined {
    return this.map.has(key) ? this.text(key, name, rule) : undefined;
  }

  optionalInteger(key: CborKey, name: string, rule?: IntegerRule): number | undefined {
    return this.map.has(key) ? this.integer(key, name, rule) : undefined;
  }

  optionalNumber(key: CborKey, name: string): number | undefined {
    return this.map.has(key) ? this.number(key, name) : undefined;
  }

  optionalBoolean(key: CborKey, name: string): boolean | undefined {
    return this.map.has(key) ? this.boolean(key, name) : undefined;
  }

  optionalArray(key: CborKey, name: string, rule?: ArrayRule): readonly CborValue[] | undefined {
    return this.map.has(key) ? this.array(key, name, rule) : undefined;
  }

  optionalChild(key: CborKey, name: string): MapReader | undefined {
    return this.map.has(key) ? this.child(key, name) : undefined;
  }

  #of(name: string): string {
    return `${this.what}: ${name}`;
  }
}

function wrong(what: string, expected: string, value: CborValue | undefined): never {
  throw new PipevineError('malformed', `${what} must be ${expected}, not ${kindOf(value)}.`);
}

function kindOf(value: CborValue | undefined): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return 'a byte string';
  if (value instanceof Map) return 'a map';
  if (value instanceof CborTag) return `tag ${value.tag}`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'string' ? 'text' : `${typeof value} ${String(value)}`;
}
