import { open } from 'node:fs/promises';
import { BoardsError } from '../boards-error.ts';
import { openSource } from '../flash/flash-source.ts';
import { SECTOR_BYTES } from './disk/partition-table.ts';
import { writeSparse } from './disk/sparse-write.ts';

/** The largest images for boards have 16 GB unpacked. */
const MAX_IMAGE_BYTES = 64 * 2 ** 30;

export interface UnpackOptions {
  readonly signal?: AbortSignal | undefined;
  /** From 0 to 1, of the packed bytes. */
  readonly onProgress?: ((part: number) => void) | undefined;
}

/**
 * Writes an image, packed by xz, zstd or gzip or not at all, into a new file with holes for its zeros. Resolves with the unpacked
 * length. Throws a BoardsError for what is no image or is cut off, and whatever `signal` aborts with.
 */
export async function unpackImage(base: string, target: string, options: UnpackOptions): Promise<number> {
  const { signal, onProgress } = options;
  const source = await openSource(base);
  const file = await open(target, 'wx', 0o600);
  let bytes = 0;
  try {
    const chunks = source.chunks();
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      if (bytes + chunk.length > MAX_IMAGE_BYTES) {
        throw new BoardsError(
          'refused',
          `${base} unpacks to more than ${MAX_IMAGE_BYTES / 2 ** 30} GB; that is no image for a board`,
        );
      }
      await writeSparse(file, chunk, bytes);
      bytes += chunk.length;
      onProgress?.(chunks.readBytes / source.fileBytes);
    }
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
  if (bytes === 0 || bytes % SECTOR_BYTES !== 0) {
    throw new BoardsError('refused', `${base} unpacks to ${bytes} bytes, which is no image of a disk; was it cut off?`);
  }
  return bytes;
}
