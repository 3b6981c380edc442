/**
 * The frames of a zstd file, found by their headers alone (RFC 8878, section 3.1).
 *
 * | bytes   | meaning                                                                                             |
 * |---------|-----------------------------------------------------------------------------------------------------|
 * | 4       | `28 b5 2f fd`; `5x 2a 4d 18` begins what is to be skipped, whose length follows in four bytes        |
 * | 1       | bits 7 and 6: length of the content's length; 5: no window byte; 2: checksum; 1 and 0: dictionary id |
 * | 0 to 13 | window, dictionary id, length of the content                                                        |
 * | blocks  | each three bytes, little-endian: bit 0: the last; 1 and 2: type; the rest: its length                |
 * | 0 or 4  | checksum                                                                                            |
 */
import { type FileHandle, open } from 'node:fs/promises';
import { damaged } from './damaged.ts';

/** One that has content. */
export interface ZstdFrame {
  /** Places in the file, bytes; `end` is the first behind it. */
  readonly start: number;
  readonly end: number;
  /** Unpacked, where the frame says so. */
  readonly contentBytes: number | undefined;
}

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const HEAD_BYTES = 18;
const BLOCK_HEAD_BYTES = 3;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];

/**
 * Walks over the whole file. So one that was cut off is known before anything is unpacked: not every decompressor says so at
 * its end. Throws `environment` for a file that is not whole, or has something else in it.
 */
export async function zstdFrames(path: string, fileBytes: number): Promise<readonly ZstdFrame[]> {
  const file = await open(path, 'r');
  try {
    const frames: ZstdFrame[] = [];
    for (let at = 0; at < fileBytes; ) {
      const { end, frame } = await partAt(file, path, at);
      if (end > fileBytes) throw cutOff(path);
      if (frame !== undefined) frames.push(frame);
      at = end;
    }
    return frames;
  } finally {
    await file.close();
  }
}

async function partAt(file: FileHandle, path: string, start: number): Promise<{ end: number; frame?: ZstdFrame }> {
  const head = await bytesAt(file, start, HEAD_BYTES);
  if (head.byteLength < 8) throw cutOff(path);
  const magic = head.getUint32(0, true);
  if ((magic & ~0xf) === SKIPPABLE) return { end: start + 8 + head.getUint32(4, true) };
  if (magic !== MAGIC) throw damaged(path, `something else begins at byte ${start}`);
  const descriptor = head.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0);
  const [sizeBytes, contentBytes] = contentSize(head, sizeAt, descriptor >> 6, isSingleSegment) ?? [];
  if (sizeBytes === undefined) throw cutOff(path);
  let at = start + sizeAt + sizeBytes;
  for (let isLast = false; !isLast; ) {
    const block = await bytesAt(file, at, BLOCK_HEAD_BYTES);
    if (block.byteLength < BLOCK_HEAD_BYTES) throw cutOff(path);
    const value = block.getUint16(0, true) | (block.getUint8(2) << 16);
    const type = (value >> 1) & 3;
    if (type === 3) throw damaged(path, `a block of no known type at byte ${at}`);
    isLast = (value & 1) === 1;
    // One byte stands for as many of the same.
    at += BLOCK_HEAD_BYTES + (type === 1 ? 1 : value >> 3);
  }
  const end = at + ((descriptor & 4) === 0 ? 0 : CHECKSUM_BYTES);
  return { end, frame: { start, end, contentBytes } };
}

/** How many bytes say the length of the content, and what they say; undefined when they are not all there. */
function contentSize(
  head: DataView,
  at: number,
  flag: number,
  isSingleSegment: boolean,
): readonly [bytes: number, content: number | undefined] | undefined {
  const bytes = flag === 0 ? Number(isSingleSegment) : 2 ** flag;
  if (at + bytes > head.byteLength) return undefined;
  if (bytes === 0) return [0, undefined];
  if (bytes === 1) return [1, head.getUint8(at)];
  if (bytes === 2) return [2, head.getUint16(at, true) + 256];
  if (bytes === 4) return [4, head.getUint32(at, true)];
  return [8, Number(head.getBigUint64(at, true))];
}

/** Fewer at the end of the file. */
async function bytesAt(file: FileHandle, at: number, length: number): Promise<DataView> {
  const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, at);
  return new DataView(buffer.buffer, buffer.byteOffset, bytesRead);
}

function cutOff(path: string) {
  return damaged(path, 'it ends too early');
}
