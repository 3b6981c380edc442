import { createReadStream } from 'node:fs';
import * as zlib from 'node:zlib';
import { BoardsError } from '../boards-error.ts';
import { messageOf } from '../message-of.ts';
import { type OnRead, READ_BYTES } from './image-chunks.ts';

type Decompressor = zlib.Gunzip | zlib.ZstdDecompress;

export function gunzip(path: string, _fileBytes: number, onRead: OnRead): AsyncIterable<Uint8Array> {
  return decompressed(path, 0, () => zlib.createGunzip({ chunkSize: READ_BYTES }), onRead);
}

/**
 * RFC 8878. A file may have several frames, as parallel compressors write them; Node's decompressor ends after one, without
 * a word, so that each further one gets a decompressor of its own.
 */
export async function* unzstd(path: string, fileBytes: number, onRead: OnRead): AsyncGenerator<Uint8Array> {
  if (typeof zlib.createZstdDecompress !== 'function') {
    throw new BoardsError(
      'environment',
      'zstd needs Node 22.15 or newer; or unpack the image first: zstd -d IMAGE.zst',
    );
  }
  for (let from = 0; from < fileBytes; ) {
    const start = from;
    yield* decompressed(
      path,
      start,
      () => zlib.createZstdDecompress({ chunkSize: READ_BYTES }),
      (at) => {
        from = at;
        onRead(at);
      },
    );
    if (from === start) throw damaged(path, 'it does not go on');
  }
}

/** What the header of the first frame says of its length; 0 when it is silent. RFC 8878, section 3.1.1.1. */
export function zstdLeastBytes(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const descriptor = head[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizes = { 0: isSingleSegment ? 1 : 0, 1: 2, 2: 4, 3: 8 } as const;
  const size = sizes[((descriptor >> 6) & 3) as keyof typeof sizes]; // two bits
  if (size === 0 || at + size > head.length) return 0;
  if (size === 1) return view.getUint8(at);
  if (size === 2) return view.getUint16(at, true) + 256;
  if (size === 4) return view.getUint32(at, true);
  const bytes = view.getBigUint64(at, true);
  return bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : Number.MAX_SAFE_INTEGER;
}

async function* decompressed(
  path: string,
  start: number,
  make: () => Decompressor,
  onRead: OnRead,
): AsyncGenerator<Uint8Array> {
  const input = createReadStream(path, { start, highWaterMark: READ_BYTES });
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

function damaged(path: string, why: string, cause?: unknown): BoardsError {
  return new BoardsError('environment', `the image ${path} is damaged or not whole (${why}); fetch it again`, {
    cause,
  });
}
