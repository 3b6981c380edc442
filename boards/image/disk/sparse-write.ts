import type { FileHandle } from 'node:fs/promises';
import type { ReadAt } from './partition-table.ts';

/** Zeros in pieces of this length become holes. */
const HOLE_BYTES = 64 * 1024;
const COPY_BYTES = 2 ** 20;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/** Writes into a new file, and leaves out zeros; the file's end may have to be set at last. */
export async function writeSparse(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; at += HOLE_BYTES) {
    const piece = chunk.subarray(at, at + HOLE_BYTES);
    if (ZEROS.compare(piece, 0, piece.length, 0, piece.length) === 0) continue;
    for (let done = 0; done < piece.length; ) {
      done += (await file.write(piece, done, piece.length - done, position + at + done)).bytesWritten;
    }
  }
}

/** Copies bytes from one place to another, where the file has none yet. */
export async function copySparse(
  readAt: ReadAt,
  { offset, bytes }: { readonly offset: number; readonly bytes: number },
  file: FileHandle,
  position: number,
): Promise<void> {
  for (let at = 0; at < bytes; at += COPY_BYTES) {
    await writeSparse(file, await readAt(offset + at, Math.min(COPY_BYTES, bytes - at)), position + at);
  }
  await file.truncate(position + bytes);
}
