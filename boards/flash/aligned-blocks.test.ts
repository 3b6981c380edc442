import { expect, it } from 'vitest';
import { alignedBlocks } from './aligned-blocks.ts';
import { alignedLength, alignedMemory } from './aligned-memory.ts';

const BLOCK = 8_192;

async function blocksOf(chunks: readonly Uint8Array[]) {
  async function* source() {
    yield* chunks;
  }
  const blocks: { index: number; bytes: number; content: Buffer }[] = [];
  for await (const { index, bytes, padded } of alignedBlocks(source(), [alignedMemory(BLOCK), alignedMemory(BLOCK)])) {
    expect(padded.byteOffset % 4_096).toBe(0);
    blocks.push({ index, bytes, content: Buffer.from(padded) });
  }
  return blocks;
}

it.each([0, 1, 4_095, 4_096, 4_097, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5_000])(
  'cuts %d bytes into blocks, whatever the chunks are, and pads with zeros',
  async (length) => {
    const image = Buffer.from(Uint8Array.from({ length }, (_, index) => (index % 255) + 1));
    for (const size of [1_000, 4_096, BLOCK, 100_000]) {
      const chunks = Array.from({ length: Math.ceil(length / size) }, (_, i) =>
        image.subarray(i * size, (i + 1) * size),
      );
      const blocks = await blocksOf(chunks);
      const all = Buffer.concat(blocks.map(({ content }) => content));
      expect(blocks.map(({ index }) => index)).toEqual(blocks.map((_block, index) => index));
      expect(blocks.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(length);
      expect(all.length).toBe(alignedLength(length));
      expect(all.subarray(0, length).equals(image)).toBe(true);
      expect(all.subarray(length).every((byte) => byte === 0)).toBe(true);
    }
  },
);

it('leaves a block alone until the one after the next is filled', async () => {
  async function* source() {
    for (let value = 1; value <= 3; value++) yield new Uint8Array(BLOCK).fill(value);
  }
  const blocks = alignedBlocks(source(), [alignedMemory(BLOCK), alignedMemory(BLOCK)]);
  const first = (await blocks.next()).value;
  await blocks.next();
  expect(first?.padded[0]).toBe(1);
});
