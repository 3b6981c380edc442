import { seededRandom } from '@pipevine/transports';
import { decode } from 'cborg';
import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { decodeRequestMessage, encodeRequestMessage, type RequestMessage } from './request-codec.ts';

/** Array head, type, id, then what the type has. */
const VECTORS: readonly (readonly [hex: string, message: RequestMessage])[] = [
  ['83 00 00 40', { type: 0, id: 0, body: new Uint8Array(0) }],
  ['83 00 18 18 42 0102', { type: 0, id: 24, body: new Uint8Array([1, 2]) }],
  ['83 01 19 0100 41 ff', { type: 1, id: 256, body: new Uint8Array([255]) }],
  [`83 02 1a 00010000 58 18 ${'00'.repeat(24)}`, { type: 2, id: 65_536, body: new Uint8Array(24) }],
  ['82 03 05', { type: 3, id: 5 }],
  ['84 04 05 64 62757379 64 6c616d70', { type: 4, id: 5, code: 'busy', message: 'lamp' }],
  ['82 05 1b 001fffffffffffff', { type: 5, id: Number.MAX_SAFE_INTEGER }],
];

describe('a request message', () => {
  test.each(VECTORS)('%s', (hex, message) => {
    const bytes = new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    expect(encodeRequestMessage(message)).toEqual(bytes);
    expect(decodeRequestMessage(bytes)).toEqual(message);
    expect(decode(bytes)[0]).toBe(message.type);
  });

  test('cut anywhere, or with any byte changed, is read or refused with one kind of error', () => {
    const random = seededRandom(1);
    for (const [hex] of VECTORS) {
      const bytes = new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeRequestMessage(bytes.subarray(0, length))).toThrow(PipevineError);
      }
      for (let i = 0; i < 500; i++) {
        const changed = bytes.slice();
        changed[random.integer(changed.length)] = random.integer(256);
        try {
          decodeRequestMessage(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(PipevineError);
        }
      }
    }
  });

  test('takes a body of many megabytes', () => {
    const body = new Uint8Array(10_000_000).fill(3);
    const message = decodeRequestMessage(encodeRequestMessage({ type: 0, id: 1, body }));
    expect('body' in message && message.body.length).toBe(10_000_000);
  });

  test('of a failure is cut to what is taken', () => {
    const message = decodeRequestMessage(
      encodeRequestMessage({ type: 4, id: 1, code: 'busy', message: '😀'.repeat(1_500) }),
    );
    expect('message' in message && message.message.length).toBeLessThanOrEqual(2_000);
  });
});
