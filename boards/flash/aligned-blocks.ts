import { alignedLength } from './aligned-memory.ts';

export interface ImageBlock {
  readonly index: number;
  /** Of the image; less than a whole block at its end. */
  readonly bytes: number;
  /** With zeros up to the next multiple of the alignment. In the memory of the generator: see there. */
  readonly padded: Uint8Array<ArrayBuffer>;
}

/**
 * Chunks of any size as blocks of the size of the given memories, which take turns: a block stands until as many further
 * ones were asked for as there are memories, so that one can be written while the next is filled.
 */
export async function* alignedBlocks(
  chunks: AsyncIterable<Uint8Array>,
  memories: readonly [Uint8Array<ArrayBuffer>, ...Uint8Array<ArrayBuffer>[]],
): AsyncGenerator<ImageBlock> {
  let index = 0;
  let filled = 0;
  let memory = memories[0];
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length; ) {
      const part = chunk.subarray(taken, taken + memory.length - filled);
      memory.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled < memory.length) continue;
      yield { index, bytes: filled, padded: memory };
      index++;
      filled = 0;
      memory = memories[index % memories.length] ?? memory;
    }
  }
  if (filled === 0) return;
  const padded = memory.subarray(0, alignedLength(filled));
  padded.fill(0, filled);
  yield { index, bytes: filled, padded };
}
