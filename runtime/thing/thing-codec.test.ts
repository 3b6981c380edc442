import { describe, expect, it } from 'vitest';
import { encodeCanonical } from '../wire/encode.ts';
import {
  decodeEventItem,
  decodeOutput,
  decodeReading,
  decodeReadingItem,
  decodeThingRequest,
  encodeEmptyAnswer,
  encodeEventItem,
  encodeOutput,
  encodeReading,
  encodeThingRequest,
} from './thing-codec.ts';
import type { JsonValue } from './thing-description.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('messages of the thing protocol', () => {
  it('are the bytes of the documented vectors', () => {
    expect(hex(encodeThingRequest({ operation: 'read', thing: 'device', name: 'power' }))).toBe(
      'a3' + '0001' + '0166646576696365' + '0265706f776572',
    );
    expect(hex(encodeThingRequest({ operation: 'write', thing: 'd', name: 'p', value: true }))).toBe(
      'a4' + '0002' + '016164' + '026170' + '03f5',
    );
    expect(hex(encodeReading({ value: 21.5, timestampMs: 1_000 }))).toBe('a2' + '01f94d60' + '021903e8');
    expect(hex(encodeEventItem({ data: 'x', timestampMs: 1, lost: 2 }))).toBe('a3' + '016178' + '0201' + '0302');
    expect(hex(encodeEmptyAnswer())).toBe('a0');
  });

  it('carry every JSON value there and back', () => {
    const values: JsonValue[] = [
      null,
      false,
      0,
      -1,
      1.5,
      2 ** 40,
      1e300,
      '',
      'K\u00fcche',
      [],
      {},
      { a: [{ b: null }], constructor: 1 },
    ];
    for (const value of values) {
      expect(decodeReading(encodeReading({ value, timestampMs: 5 }))).toEqual({ value, timestampMs: 5 });
      expect(decodeOutput(encodeOutput(value))).toEqual(value);
      const request = { operation: 'invoke', thing: 't', name: 'n', value } as const;
      expect(decodeThingRequest(encodeThingRequest(request))).toEqual(request);
    }
    expect(decodeOutput(encodeOutput(undefined))).toBeUndefined();
    expect(decodeReadingItem(encodeEmptyAnswer())).toBeUndefined();
    expect(decodeEventItem(encodeEmptyAnswer())).toBeUndefined();
    expect(decodeEventItem(encodeEventItem({ data: undefined, timestampMs: 1, lost: 0 }))).toEqual({
      data: undefined,
      timestampMs: 1,
      lost: 0,
    });
  });

  it('refuse to carry what is not JSON, or too large or too deep', () => {
    const deep = (n: number): JsonValue => (n === 0 ? 1 : [deep(n - 1)]);
    for (const value of [
      Number.NaN,
      Infinity,
      new Uint8Array(1),
      new Map(),
      () => 1,
      deep(20),
      JSON.parse('{"__proto__":1}'),
    ]) {
      expect(() => encodeReading({ value: value as JsonValue, timestampMs: 0 })).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
    expect(() => encodeReading({ value: 'x'.repeat(256 * 1024), timestampMs: 0 })).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });

  it('replace a lone surrogate rather than fail', () => {
    expect(decodeReading(encodeReading({ value: 'a\ud800b', timestampMs: 0 })).value).toBe('a\ufffdb');
  });

  it('are refused as malformed when they are cut anywhere, or hold what JSON cannot', () => {
    const bytes = encodeThingRequest({ operation: 'write', thing: 'device', name: 'power', value: { a: [1] } });
    for (let end = 0; end < bytes.length; end++) {
      expect(() => decodeThingRequest(bytes.subarray(0, end))).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
    const bad = [new Uint8Array(3), new Map([[1, 2]]), new Map([['__proto__', 1]]), [new Uint8Array(0)]];
    for (const value of bad) {
      const message = encodeCanonical(
        new Map<number, unknown>([
          [1, value],
          [2, 0],
        ]) as never,
      );
      expect(() => decodeReading(message)).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
    expect(() => decodeThingRequest(encodeCanonical(new Map([[0, 9]])))).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
  });
});
