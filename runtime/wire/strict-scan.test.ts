import { describe, expect, it } from 'vitest';
import { CborTag } from './cbor-value.ts';
import { decodeStrict } from './decode.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
/** The budget is 5 ms; ten times that tells a cost that is not linear from a machine that is busy or slow. */
const LIMIT_US = 50_000;
const malformed = expect.objectContaining({ name: 'PipevineError', code: 'malformed' });

describe('strict decoding refuses', () => {
  it.each([
    ['nothing at all', ''],
    ['a head that is cut short', '19 01'],
    ['a byte string that is cut short', '43 01 02'],
    ['text that is cut short', '63 61'],
    ['an array that is cut short', '82 01'],
    ['a map that is cut short', 'a1 01'],
    ['a map without its last value', 'a2 01 02 03'],
    ['bytes after the item', '01 02'],
    ['an integer in 1 byte too many', '18 17'],
    ['an integer in 2 bytes instead of 1', '19 00ff'],
    ['an integer in 4 bytes instead of 2', '1a 0000ffff'],
    ['an integer in 8 bytes instead of 4', '1b 00000000ffffffff'],
    ['a negative integer not in its shortest form', '38 05'],
    ['a length not in its shortest form', '58 01 00'],
    ['an array length not in its shortest form', '98 01 00'],
    ['an indefinite byte string', '5f 41 00 ff'],
    ['an indefinite text', '7f 61 61 ff'],
    ['an indefinite array', '9f 01 ff'],
    ['an indefinite map', 'bf 01 02 ff'],
    ['a break', 'ff'],
    ['reserved lengths', '1c'],
    ['undefined', 'f7'],
    ['a simple value', 'f0'],
    ['a simple value of two bytes', 'f8 ff'],
    ['a positive bignum', 'c2 41 01'],
    ['a negative bignum', 'c3 41 01'],
    ['a date', 'c1 1a 5f000000'],
    ['a tag of COSE where none is allowed', 'd2 80'],
    ['a shared reference', 'd8 1c 80'],
    ['a record of cbor-x', 'd9 dfff 83 19 e000 81 61 61 01'],
    ['a key that comes twice, in order', 'a2 01 00 01 00'],
    ['a key that comes twice, out of order', 'a3 02 00 01 00 02 00'],
    ['a text key that comes twice, out of order', 'a3 61 62 00 61 61 00 61 62 00'],
    ['a key that comes twice around a map of its own', 'a3 02 a2 01 00 00 00 01 00 02 00'],
    ['a byte string as a key', 'a1 41 00 00'],
    ['an array as a key', 'a1 80 00'],
    ['a float as a key', 'a1 f9 3c00 00'],
    ['a byte order mark in a key', 'a1 63 efbbbf 00'],
    ['a lone continuation byte', '61 80'],
    ['an overlong form of 2 bytes', '62 c0 80'],
    ['an overlong form of 3 bytes', '63 e0 9f bf'],
    ['an overlong form of 4 bytes', '64 f0 8f bf bf'],
    ['half of a surrogate pair', '63 ed a0 80'],
    ['a code point beyond U+10FFFF', '64 f4 90 80 80'],
    ['a character that the end of the text cuts', '62 61 c3'],
    ['a character with a bad last byte', '63 e2 82 41'],
    ['17 arrays in each other', `${'81'.repeat(17)}00`],
    ['17 maps in each other', `${'a100'.repeat(17)}00`],
    ['an array of more items than there are bytes', '9a ffffffff 00'],
    ['a map of more entries than there are bytes', 'ba ffffffff 00'],
    ['a byte string of 2^63 bytes', '5b 8000000000000000 00'],
    ['a tag of 64 bits', 'db ffffffffffffffff 00'],
  ])('%s', (_, bytes) => {
    expect(() => decodeStrict(hex(bytes))).toThrowError(malformed);
  });

  it('more bytes than it was told to take', () => {
    const tooLarge = expect.objectContaining({ name: 'PipevineError', code: 'too-large' });
    expect(() => decodeStrict(new Uint8Array(65_536))).toThrowError(tooLarge);
    expect(() => decodeStrict(hex('43 010203'), { maxBytes: 3 })).toThrowError(tooLarge);
    expect(decodeStrict(hex('43 010203'), { maxBytes: 4 })).toEqual(hex('010203'));
  });
});

describe('strict decoding takes only so many', () => {
  const array = (count: number, item: number) =>
    Uint8Array.from([0x99, count >> 8, count & 0xff, ...Array(count).fill(item)]);
  const tooLarge = expect.objectContaining({ code: 'too-large' });

  it('items', () => {
    expect(decodeStrict(array(16_383, 0))).toHaveLength(16_383);
    expect(() => decodeStrict(array(16_384, 0))).toThrowError(tooLarge);
  });

  it('arrays and maps', () => {
    expect(decodeStrict(array(4_095, 0x80))).toHaveLength(4_095);
    expect(() => decodeStrict(array(4_096, 0xa0))).toThrowError(tooLarge);
  });
});

describe('strict decoding takes', () => {
  it.each([
    ['integers', '86 00 17 18 18 19 0100 1a 00010000 1b 0000000100000000', [0, 23, 24, 256, 65_536, 2 ** 32]],
    ['negative integers', '84 20 38 18 3a 7fffffff 3b 0000019aae1f0000', [-1, -25, -(2 ** 31), -1_763_857_858_561]],
    ['the largest safe integers', '82 1b 001fffffffffffff 3b 001ffffffffffffe', [2 ** 53 - 1, 1 - 2 ** 53]],
    ['integers beyond as bigint', '82 1b 0020000000000000 3b ffffffffffffffff', [2n ** 53n, -(2n ** 64n)]],
    ['floats of each size', '83 f9 3e00 fa 47c35000 fb 3ff199999999999a', [1.5, 100_000, 1.1]],
    ['false, true and null', '83 f4 f5 f6', [false, true, null]],
    ['16 arrays in each other', `${'81'.repeat(16)}00`, JSON.parse(`${'['.repeat(16)}0${']'.repeat(16)}`)],
    ['keys out of order', 'a3 03 00 01 01 02 02', new Map([3, 1, 2].map((key, value) => [key, value]))],
    ['a key named __proto__', 'a1 69 5f5f70726f746f5f5f 01', new Map([['__proto__', 1]])],
    ['characters of 1 to 4 bytes', '6a 61 c3a9 e282ac f09f9880', 'aé€😀'],
  ])('%s', (_, bytes, value) => {
    expect(decodeStrict(hex(bytes))).toEqual(value);
  });

  it('a tag that the caller allows', () => {
    expect(decodeStrict(hex('d2 81 1b 0000000100000000'), { allowedTags: [18] })).toEqual(new CborTag(18, [2 ** 32]));
  });

  it('a byte order mark at the start of a text of any length, and keeps it', () => {
    for (const length of [0, 10, 40, 100]) {
      const text = `\ufeff${'x'.repeat(length)}`;
      const encoded = new TextEncoder().encode(text);
      const head = encoded.length < 24 ? [0x60 | encoded.length] : [0x78, encoded.length];
      // Texts before and after must not be taken for it.
      const bytes = Uint8Array.from([0x83, 0x61, 0x61, ...head, ...encoded, 0x61, 0x62]);
      expect(decodeStrict(bytes)).toEqual(['a', text, 'b']);
    }
  });

  it('gives byte strings that are plain, and do not keep the input alive', () => {
    const value = decodeStrict(Buffer.from('82 41 07 41 08'.replaceAll(' ', ''), 'hex')) as Uint8Array[];
    expect(Object.getPrototypeOf(value[0])).toBe(Uint8Array.prototype);
    expect(value[0]?.buffer.byteLength).toBe(1);
  });
});

describe('64 KiB of hostile bytes cost a bounded time', () => {
  const size = 65_535;
  /** Repeats a pattern as the content of one array or map with that many members. */
  function filled(major: number, count: number, body: (index: number) => number[]): Uint8Array {
    const bytes: number[] = [(major << 5) | 25, count >> 8, count & 0xff];
    for (let i = 0; i < count; i++) bytes.push(...body(i));
    return Uint8Array.from(bytes.slice(0, size));
  }
  const text3 = (i: number) => [0x63, 0x61 + (i % 26), 0x61 + (Math.floor(i / 26) % 26), 0x61 + Math.floor(i / 676)];
  const inputs: [string, Uint8Array][] = [
    ['as many items as are taken', filled(4, 16_383, () => [0])],
    ['more items', filled(4, size - 3, () => [0])],
    ['as many arrays as are taken', filled(4, 4_095, () => [0x80])],
    ['as many maps as are taken', filled(4, 4_095, () => [0xa0])],
    ['more maps', filled(4, size - 3, () => [0xa0])],
    ['empty texts', filled(4, 16_383, () => [0x60])],
    ['one long text', filled(3, size - 3, () => [0x61])],
    ['one long text of 2-byte characters', filled(3, size - 4, (i) => [i % 2 === 0 ? 0xc3 : 0xa9])],
    ['short texts of 4-byte characters', filled(4, 13_000, () => [0x64, 0xf0, 0x9f, 0x98, 0x80])],
    ['floats', filled(4, 16_383, () => [0xf9, 0x3c, 0x01])],
    ['64-bit integers', filled(4, 7_000, () => [0x1b, 0, 1, 0, 0, 0, 0, 0, 0])],
    ['a map with keys in order', filled(5, 8_191, (i) => [0x19, (i + 256) >> 8, i & 0xff, 0])],
    ['a map with keys in falling order', filled(5, 8_191, (i) => [0x19, (65_535 - i) >> 8, (65_535 - i) & 0xff, 0])],
    ['a map with text keys in no order', filled(5, 8_191, (i) => [...text3((i * 7919) % 8_192), 0])],
    ['nesting to the limit, again and again', filled(4, 272, () => [...Array(15).fill(0x81), 0])],
    ['nesting without end', new Uint8Array(size).fill(0x81)],
    ['maps in maps without end', new Uint8Array(size).fill(0xa1)],
    ['tags without end', new Uint8Array(size).fill(0xd2)],
    ['a key twice at the very end', filled(5, 8_192, (i) => [0x19, 1 + ((i % 8_191) >> 8), (i % 8_191) & 0xff, 0])],
    ['texts with byte order marks', filled(4, 16_000, () => [0x63, 0xef, 0xbb, 0xbf])],
  ];

  it.each(inputs)('%s', (_, bytes) => {
    let best = Infinity;
    // The best of several: what is measured is the decoder and not the machine's other work.
    for (let i = 0; i < 8 && best > LIMIT_US; i++) {
      const before = process.cpuUsage();
      try {
        decodeStrict(bytes, { allowedTags: [18] });
      } catch (error) {
        expect(error).toEqual(expect.objectContaining({ code: expect.stringMatching(/^(malformed|too-large)$/) }));
      }
      const spent = process.cpuUsage(before);
      best = Math.min(best, spent.user + spent.system);
    }
    expect(best).toBeLessThan(LIMIT_US);
  });
});
