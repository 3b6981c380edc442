import { expect, it } from 'vitest';
import type { CborValue } from './cbor-value.ts';
import { CborTag } from './cbor-value.ts';
import { readArray, readInteger, readMap, readTag } from './shape.ts';

const map = readMap(
  new Map<number | string, CborValue>([
    [1, new Uint8Array(3)],
    [2, 'grüße'],
    [3, 7],
    [4, [1, 2]],
    [5, new Map([[1, true]])],
    ['x', 1.5],
  ]),
  'Advertisement',
);

it('gives members of the right type', () => {
  expect(map.bytes(1, 'key', { length: 3 })).toEqual(new Uint8Array(3));
  expect(map.text(2, 'name', { maxBytes: 7 })).toBe('grüße');
  expect(map.integer(3, 'sequence')).toBe(7);
  expect(map.array(4, 'list', { length: 2 })).toEqual([1, 2]);
  expect(map.child(5, 'limits').boolean(1, 'flag')).toBe(true);
  expect(map.number('x', 'x')).toBe(1.5);
  expect(map.optionalInteger(9, 'absent')).toBeUndefined();
  expect(readTag(new CborTag(18, 1), 'Envelope', 18)).toBe(1);
});

it.each<[string, () => unknown, RegExp]>([
  ['a wrong type', () => map.text(1, 'key'), /Advertisement: key must be text, not a byte string/],
  ['a missing member', () => map.bytes(9, 'key'), /Advertisement: key must be a byte string, not missing/],
  ['a wrong length', () => map.bytes(1, 'key', { length: 32 }), /key must have 32 bytes, not 3/],
  ['too many bytes', () => map.bytes(1, 'key', { maxLength: 2 }), /key may have 2 bytes at most, not 3/],
  ['too much text', () => map.text(2, 'name', { maxBytes: 6 }), /name may have 6 bytes of UTF-8 at most/],
  ['a fraction for an integer', () => map.integer('x', 'x'), /x must be an integer/],
  ['an integer out of range', () => map.integer(3, 'sequence', { max: 6 }), /sequence must be from 0 to 6, not 7/],
  ['a bigint', () => readInteger(2n ** 60n, 'Time'), /Time must be an integer/],
  ['an optional member of a wrong type', () => map.optionalText(3, 'name'), /name must be text/],
  ['an array too long', () => readArray([1, 2, 3], 'List', { maxLength: 2 }), /List must have 0 to 2 members, not 3/],
  ['another tag', () => readTag(new CborTag(17, 1), 'Envelope', 18), /Envelope must be tag 18, not tag 17/],
  ['no map', () => readMap([], 'Envelope'), /Envelope must be a map, not an array/],
  ['an error of a nested member', () => map.child(5, 'limits').text(1, 'unit'), /Advertisement: limits: unit must be/],
])('names the member in case of %s', (_, read, message) => {
  expect(read).toThrowError(expect.objectContaining({ code: 'malformed', message: expect.stringMatching(message) }));
});
