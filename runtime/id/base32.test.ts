import { describe, expect, it } from 'vitest';
import { base32Decode, base32Encode } from './base32.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('base32', () => {
  it.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('writes and reads %j as RFC 4648 section 10 says, without padding', (text, encoded) => {
    expect(base32Encode(bytes(text))).toBe(encoded);
    expect(base32Decode(encoded)).toEqual(bytes(text));
  });

  it('reads what it wrote, for every length', () => {
    for (let length = 0; length < 300; length++) {
      const value = Uint8Array.from({ length }, (_, index) => (index * 37 + length) & 255);
      expect(base32Decode(base32Encode(value))).toEqual(value);
    }
  });

  it('reads upper case', () => {
    expect(base32Decode('MZXW6')).toEqual(bytes('foo'));
  });

  it.each([
    ['a foreign character', 'mzxw1'],
    ['padding', 'mzxw6==='],
    ['a length that no bytes have', 'mzxw6y'],
    ['trailing bits that are not zero', 'mz'],
  ])('refuses %s', (_, text) => {
    expect(base32Decode(text)).toBeUndefined();
  });
});
