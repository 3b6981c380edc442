import { decode } from 'cborg';
import { describe, expect, test } from 'vitest';
import { checkPack, messageEnd, messageStart, packedBytes, packedMessage, packMessage } from './message-pack.ts';

function unpack(pack: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < pack.length; at = messageEnd(pack, at))
    lengths.push(messageEnd(pack, at) - messageStart(pack, at));
  return lengths;
}

describe('a pack of messages', () => {
  test('holds messages of all lengths, each a byte string that others can read', () => {
    const lengths = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 100_000];
    const pack = new Uint8Array(lengths.reduce((sum, length) => sum + packedBytes(length), 0));
    let at = 0;
    for (const length of lengths) {
      const message = new Uint8Array(length).fill(length & 255);
      expect(Buffer.compare(decode(packedMessage(message)), message)).toBe(0);
      at = packMessage(pack, at, message);
    }
    expect(at).toBe(pack.length);
    checkPack(pack, 100_000);
    expect(unpack(pack)).toEqual(lengths);
  });

  test('cut anywhere inside a message is refused, with one kind of error', () => {
    const pack = new Uint8Array([0x43, 1, 2, 3, 0x58, 24, ...new Uint8Array(24)]);
    for (let length = 0; length < pack.length; length++) {
      const check = () => checkPack(pack.subarray(0, length), 100);
      if (length === 4) expect(check).not.toThrow();
      else expect(check).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });

  test.each([
    ['text', [0x61, 1]],
    ['an indefinite length', [0x5f, 0xff]],
    ['64 bits of length', [0x5b, 0, 0, 0, 0, 0, 0, 0, 1, 1]],
    ['a length not in its shortest form', [0x58, 1, 1]],
    ['the same in 16 bits', [0x59, 0, 200, ...new Uint8Array(200)]],
  ])('is refused with %s in it', (_, bytes) => {
    expect(() => checkPack(new Uint8Array(bytes), 1_000)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  test('with a message beyond the limit is too large', () => {
    expect(() => checkPack(packedMessage(new Uint8Array(101)), 100)).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });
});
