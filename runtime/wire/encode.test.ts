import { decode as decodeIndependently } from 'cborg';
import { describe, expect, it } from 'vitest';
import { CborTag } from './cbor-value.ts';
import { decodeStrict } from './decode.ts';
import { type CborInput, encodeCanonical } from './encode.ts';

const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('encodeCanonical', () => {
  // RFC 8949, appendix A, as far as it is in the subset and deterministic.
  it.each<[CborInput, string]>([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [1000, '1903e8'],
    [1_000_000, '1a000f4240'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
    [18446744073709551615n, '1bffffffffffffffff'],
    [-18446744073709551616n, '3bffffffffffffffff'],
    [-1, '20'],
    [-1000, '3903e7'],
    [-0, 'f98000'],
    [1.1, 'fb3ff199999999999a'],
    [1.5, 'f93e00'],
    [0.000_061_035_156_25, 'f90400'],
    [2 ** -24, 'f90001'],
    [3.402_823_466_385_288_6e38, 'fa7f7fffff'],
    [1e300, 'fb7e37e43c8800759c'],
    [-4.1, 'fbc010666666666666'],
    [Infinity, 'f97c00'],
    [-Infinity, 'f9fc00'],
    [NaN, 'f97e00'],
    [100_000.5, 'fa47c35040'],
    [false, 'f4'],
    [true, 'f5'],
    [null, 'f6'],
    [new Uint8Array([1, 2, 3, 4]), '4401020304'],
    ['', '60'],
    ['ü', '62c3bc'],
    ['𐅑', '64f0908591'],
    [[], '80'],
    [[1, [2, 3]], '8201820203'],
    [new Map(), 'a0'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
    [new CborTag(18, []), 'd280'],
    [1n, '01'],
  ])('writes %o as RFC 8949 has it', (value, expected) => {
    expect(toHex(encodeCanonical(value))).toBe(expected);
  });

  it('sorts keys by their encoded bytes, whatever their order and type', () => {
    const keys = [100, -1, 'z', 'aa', 10, 'b', 24n, -100];
    const map = new Map<number | string | bigint, CborInput>(keys.map((key) => [key, 0]));
    expect(toHex(encodeCanonical(map))).toBe('a80a0018180018640020003863006162006 17a0062616100'.replaceAll(' ', ''));
  });

  it('leaves out members that are undefined', () => {
    expect(toHex(encodeCanonical({ a: undefined, b: 1 }))).toBe('a1616201');
  });

  it('is read back as it was, by the strict decoder and by an independent one', () => {
    const value = new Map<number | string, CborInput>([
      [1, new Uint8Array(300).fill(9)],
      [-5, ['text', 1.25, -7, 2 ** 40, null, true]],
      ['nested', new Map<number, CborInput>([[2, 'ü'.repeat(100)]])],
    ]);
    const encoded = encodeCanonical(value);
    expect(decodeStrict(encoded)).toEqual(value);
    expect(decodeIndependently(encoded, { useMaps: true, strict: true })).toEqual(value);
  });

  it('reads its own half-precision numbers back exactly', () => {
    for (let bits = 0; bits < 0x7c00; bits += 7) {
      const value = decodeStrict(Uint8Array.from([0xf9, bits >> 8, bits & 0xff])) as number;
      const encoded = encodeCanonical(value);
      if (Number.isInteger(value)) expect(decodeStrict(encoded)).toBe(value);
      else expect(toHex(encoded)).toBe(`f9${bits.toString(16).padStart(4, '0')}`);
    }
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 0],
    ['a symbol', Symbol('x')],
    ['a date', new Date(0)],
    ['a lone surrogate', '\ud800'],
    ['an integer of 65 bits', 2n ** 64n],
    ['a fraction as a key', new Map([[1.5, 0]])],
    [
      'one key as number and bigint',
      new Map<number | bigint, number>([
        [1, 0],
        [1n, 0],
      ]),
    ],
    ['nesting deeper than the decoder takes', JSON.parse(`${'['.repeat(17)}${']'.repeat(17)}`)],
  ])('refuses %s', (_, value) => {
    // The types forbid it; programs without types do it all the same.
    expect(() => encodeCanonical(value as CborInput)).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});
