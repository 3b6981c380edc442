import { decodeStrict, encodeCanonical } from '@pipevine/runtime/protocol';
import { codecVector } from '../codec-vector.ts';
import type { VectorSet } from '../vector-set.ts';

/** Annotated values: what stands left is CBOR diagnostic notation (RFC 8949 section 8). */
const VALUES: readonly (readonly [string, Parameters<typeof encodeCanonical>[0]])[] = [
  ['0', 0],
  ['23', 23],
  ['24', 24],
  ['256', 256],
  ['65536', 65_536],
  ['4294967296', 2 ** 32],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ['18446744073709551615', 2n ** 64n - 1n],
  ['-1', -1],
  ['-9223372036854775808', -(2n ** 63n)],
  ['1.5_1', 1.5],
  ['100000.5_2', 100_000.5],
  ['1.1_3', 1.1],
  ["h''", new Uint8Array(0)],
  ["h'0102'", Uint8Array.of(1, 2)],
  ['"ü"', 'ü'],
  ['[]', []],
  ['[1, [null, true, false]]', [1, [null, true, false]]],
  ['{}', new Map()],
  [
    '{10: 1, 100: 2, -1: 3, "z": 4, "aa": 5}, in this order',
    new Map<string | number, number>([
      ['aa', 5],
      ['z', 4],
      [-1, 3],
      [100, 2],
      [10, 1],
    ]),
  ],
];

export const CANONICAL_CBOR: VectorSet = {
  name: 'canonical-cbor',
  description:
    'Deterministic encoding as RFC 8949 section 4.2.1 has it: shortest forms, map keys in the bytewise order of their encoding. Maps stand as pairs in that order; what JSON cannot hold stands as text with an n.',
  document: 'docs/protocol/link.md',
  vectors: VALUES.map(([name, value]) =>
    // The pairs of a map stand in the order in which they are read.
    codecVector({
      name,
      value: decodeStrict(encodeCanonical(value)),
      encode: () => encodeCanonical(value),
      decode: decodeStrict,
    }),
  ),
};
