import { expect, test } from 'vitest';
import { encodePacket, PacketFramer } from './packet-framer.ts';
import { PacketScanner } from './packet-scanner.ts';

const publish = (body: number) => encodePacket(0x30, [new Uint8Array(body).fill(body & 0xff)]);
/** Lengths around each border of the remaining length's encoding that is cheap to make. */
const packets = [0, 1, 127, 128, 300, 16_383, 16_384].map(publish);
const stream = Buffer.concat(packets);

function inPieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

test.each([1, 2, 3, 7, 130, 1_000, 16_500, 100_000])(
  'passed packets come through unchanged in pieces of %i',
  (size) => {
    const lengths: number[] = [];
    const scanner = new PacketScanner((_firstByte, bodyBytes) => {
      lengths.push(bodyBytes);
      return 'pass';
    });
    const out = inPieces(stream, size).flatMap((piece) => scanner.push(piece));
    expect(Buffer.concat(out).equals(stream)).toBe(true);
    expect(lengths).toEqual([0, 1, 127, 128, 300, 16_383, 16_384]);
    expect(scanner.partialBytes).toBe(0);
  },
);

test.each([1, 2, 3, 7, 130, 1_000, 100_000])('dropped packets vanish whole in pieces of %i', (size) => {
  const scanner = new PacketScanner((_firstByte, bodyBytes) => (bodyBytes % 2 === 0 ? 'drop' : 'pass'));
  const out = inPieces(stream, size).flatMap((piece) => scanner.push(piece));
  expect(Buffer.concat(out).equals(Buffer.concat([1, 127, 16_383].map(publish)))).toBe(true);
});

test('the judge hears of a packet when its header is whole, before any of its body', () => {
  const seen: number[] = [];
  const scanner = new PacketScanner((_firstByte, bodyBytes) => {
    seen.push(bodyBytes);
    return 'pass';
  });
  scanner.push(Uint8Array.of(0x30, 0xff, 0xff, 0xff));
  expect(seen).toEqual([]);
  scanner.push(Uint8Array.of(0x7f));
  expect(seen).toEqual([268_435_455]);
});

test('a fifth byte of length is malformed', () => {
  const scanner = new PacketScanner(() => 'pass');
  expect(() => scanner.push(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80))).toThrow(
    expect.objectContaining({ code: 'malformed' }),
  );
});

test('what has arrived of an unfinished packet is counted', () => {
  const scanner = new PacketScanner(() => 'pass');
  scanner.push(Uint8Array.of(0x30, 10, 1, 2, 3));
  expect(scanner.partialBytes).toBe(4);
  scanner.push(new Uint8Array(7));
  expect(scanner.partialBytes).toBe(0);
});

test.each([1, 2, 5, 129, 100_000])('the framer gives whole packets from pieces of %i', (size) => {
  const framer = new PacketFramer();
  const bodies: number[] = [];
  for (const piece of inPieces(stream, size)) {
    framer.push(piece);
    for (let packet = framer.next(); packet !== undefined; packet = framer.next()) bodies.push(packet.body.length);
  }
  expect(bodies).toEqual([0, 1, 127, 128, 300, 16_383, 16_384]);
  expect(framer.takeRest()).toHaveLength(0);
});
