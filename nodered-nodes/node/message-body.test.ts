import { describe, expect, it } from 'vitest';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { decodeBody, encodeBody } from './message-body.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));

describe('CBOR', () => {
  // RFC 8949, appendix A.
  it.each([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [1000, '1903e8'],
    [1000000, '1a000f4240'],
    [1000000000000, '1b000000e8d4a51000'],
    [-1, '20'],
    [-1000, '3903e7'],
    [1.1, 'fb3ff199999999999a'],
    [false, 'f4'],
    [null, 'f6'],
    [undefined, 'f7'],
    ['IETF', '6449455446'],
    ['水', '63e6b0b4'],
    [[1, [2, 3]], '8201820203'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
  ])('%j is %s', (value, encoded) => {
    expect(hex(encodeCbor(value))).toBe(encoded);
    expect(decodeCbor(bytes(encoded))).toEqual(value);
  });

  it.each([
    ['f93e00', 1.5],
    ['f90001', 2 ** -24],
    ['f97c00', Number.POSITIVE_INFINITY],
    ['fa47c35000', 100000.0],
    ['c074323031332d30332d32315432303a30343a30305a', '2013-03-21T20:04:00Z'],
  ])('reads %s', (encoded, value) => expect(decodeCbor(bytes(encoded))).toBe(value));

  it('byte strings are Buffers, and come back as they were', () => {
    const value = { raw: Buffer.from([1, 2, 255]) };
    expect(decodeCbor(encodeCbor(value))).toEqual(value);
  });

  it('refuses, fast and with one kind of error, what is cut, padded, endless, too deep or huge', () => {
    const whole = encodeCbor({ list: [1, 'two', { three: 3.5 }], raw: new Uint8Array(40) });
    for (let cut = 0; cut < whole.length; cut++) {
      expect(() => decodeCbor(whole.subarray(0, cut))).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
    for (const evil of [
      '0000',
      '9f01ff',
      '9bffffffffffffffff',
      'bb0000000fffffffff',
      '5affffffff',
      '62c328',
      'f8ff',
      'a1a000',
    ]) {
      expect(() => decodeCbor(bytes(evil)), evil).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
    expect(() => decodeCbor(new Uint8Array(60_000).fill(0x81))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('a key of __proto__ pollutes nothing', () => {
    const value = decodeCbor(bytes('a1695f5f70726f746f5f5fa1617801')) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('refuses to express what it cannot', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const value of [circle, { f: () => 1 }, 2n ** 60n, Symbol('x')]) {
      expect(() => encodeCbor(value)).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });
});

describe('a body', () => {
  it('is of the chosen format', () => {
    const payload = { a: [1, 'two'] };
    for (const format of ['json', 'cbor'] as const)
      expect(decodeBody(encodeBody(payload, format), format)).toEqual(payload);
    expect(decodeBody(encodeBody('grün', 'text'), 'text')).toBe('grün');
    expect(decodeBody(encodeBody(Buffer.from([0, 255]), 'buffer'), 'buffer')).toEqual(Buffer.from([0, 255]));
    expect(decodeBody(encodeBody(21.5, 'auto'), 'auto')).toBe('21.5');
    expect(decodeBody(encodeBody(Buffer.from([255]), 'auto'), 'auto')).toEqual(Buffer.from([255]));
  });

  it('is refused when it is not of the format, or too large', () => {
    expect(() => decodeBody(new Uint8Array([255]), 'text')).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(() => decodeBody(encodeBody('{', 'text'), 'json')).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(() => encodeBody(undefined, 'json')).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(() => encodeBody({}, 'buffer')).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(() => encodeBody('xxxx', 'text', 3)).toThrow(expect.objectContaining({ code: 'too-large' }));
    expect(() => decodeBody(new Uint8Array(4), 'buffer', 3)).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});
