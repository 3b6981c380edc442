import { createReadStream } from 'node:fs';
import * as zlib from 'node:zlib';
import { BoardsError } from '../boards-error.ts';
import { messageOf } from '../message-of.ts';
import { damaged } from './damaged.ts';
import { type OnRead, READ_BYTES } from './image-chunks.ts';
import type { ZstdFrame } from './zstd-frames.ts';

type Decompressor = zlib.Gunzip | zlib.ZstdDecompress;

export function gunzip(path: string, onRead: OnRead): AsyncIterable<Uint8Array> {
  return decompressed(path, { start: 0 }, () => zlib.createGunzip({ chunkSize: READ_BYTES }), onRead);
}

/** RFC 8878. Parallel compressors write several frames; each gets a decompressor of its own, as Node's ends after one. */
export async function* unzstd(path: string, frames: readonly ZstdFrame[], onRead: OnRead): AsyncGenerator<Uint8Array> {
  if (typeof zlib.createZstdDecompress !== 'function') {
    throw new BoardsError(
      'environment',
      'zstd needs Node 22.15 or newer; or unpack the image first: zstd -d IMAGE.zst',
    );
  }
  for (const { start, end } of frames) {
    yield* decompressed(
      path,
      { start, end: end - 1 },
      () => zlib.createZstdDecompress({ chunkSize: READ_BYTES }),
      onRead,
    );
  }
}

async function* decompressed(
  path: string,
  /** Places of the first and last byte; default: to the end. */
  { start, end }: { readonly start: number; readonly end?: number },
  make: () => Decompressor,
  onRead: OnRead,
): AsyncGenerator<Uint8Array> {
  const input = createReadStream(path, { start, highWaterMark: READ_BYTES, ...(end !== undefined && { end }) });
  const output = make();
  input.on('error', (error) => output.destroy(error));
  input.pipe(output);
  try {
    for await (const chunk of output) {
      onRead(start + output.bytesWritten);
      yield chunk;
    }
    onRead(start + output.bytesWritten);
  } catch (error) {
    if (error instanceof BoardsError) throw error;
    throw damaged(path, messageOf(error), error);
  } finally {
    input.destroy();
    output.destroy();
  }
}
