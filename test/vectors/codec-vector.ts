import assert from 'node:assert/strict';
import { asJson } from './as-json.ts';
import { fromHex, toHex } from './hex.ts';
import type { Vector } from './vector-set.ts';

export interface CodecVectorInit<T> {
  readonly name: string;
  readonly value: T;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
  /** Rule of the set's CDDL. */
  readonly cddl?: string;
}

/** A value and the bytes that it is written as and read from. */
export function codecVector<T>({ name, value, encode, decode, cddl }: CodecVectorInit<T>): Vector {
  const bytes = toHex(encode(value));
  return {
    data: { name, ...(cddl === undefined ? {} : { cddl }), value: asJson(value), bytes },
    check: (data) => assert.deepEqual(asJson(decode(fromHex(data.bytes))), data.value),
  };
}
