import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { type ChunksOf, type OnRead, READ_BYTES } from './image-chunks.ts';
import { unxz, xzBytes } from './xz-chunks.ts';
import { gunzip, unzstd, zstdLeastBytes } from './zlib-chunks.ts';

export type ImageCompression = 'none' | 'gzip' | 'xz' | 'zstd';

/** An image file as the bytes that belong on the card. */
export interface FlashSource {
  readonly path: string;
  /** Without its folder. */
  readonly name: string;
  readonly compression: ImageCompression;
  readonly fileBytes: number;
  /** Of the image, where its file says so; undefined for gzip and zstd. */
  readonly imageBytes: number | undefined;
  /** The image has at least as many; 0 when nothing is known. */
  readonly leastBytes: number;
  /** From the beginning. A chunk stands until the next one is asked for; until then it may be changed. */
  chunks(): ImageChunks;
}

export interface ImageChunks extends AsyncIterable<Uint8Array> {
  /** Of the file, up to now. */
  readonly readBytes: number;
}

const MAGIC_BYTES = 16;

const MAGIC: readonly (readonly [ImageCompression | 'other', string, readonly number[]])[] = [
  ['gzip', 'gzip', [0x1f, 0x8b]],
  ['xz', 'xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', 'zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['other', 'a zip archive; unpack it', [0x50, 0x4b, 0x03, 0x04]],
  ['other', 'a bzip2 file; unpack it with bunzip2', [0x42, 0x5a, 0x68]],
  ['other', 'a 7z archive; unpack it', [0x37, 0x7a, 0xbc, 0xaf]],
  ['other', 'a Debian package; install it on the board', [0x21, 0x3c, 0x61, 0x72, 0x63, 0x68]],
];

/** How it is compressed is told by its first bytes. Throws `not-found`, `usage` for what is no image, `environment`. */
export async function openSource(path: string): Promise<FlashSource> {
  const { head, fileBytes } = await readHead(path);
  const [kind, what] = MAGIC.find(([, , magic]) => magic.every((byte, index) => head[index] === byte)) ?? ['none', ''];
  if (kind === 'other') throw new BoardsError('usage', `${path} is no image but ${what}`);
  const named = /\.(xz|zst|zstd|gz)$/.exec(path)?.[1];
  if (kind === 'none' && named !== undefined) {
    throw new BoardsError('usage', `${path} is not what its name says, a .${named}; was it fetched to its end?`);
  }
  const imageBytes = kind === 'none' ? fileBytes : kind === 'xz' ? await xzBytes(path) : undefined;
  return {
    path,
    name: basename(path),
    compression: kind,
    fileBytes,
    imageBytes,
    leastBytes: imageBytes ?? (kind === 'zstd' ? zstdLeastBytes(head) : 0),
    chunks: () => new CountedChunks((onRead) => CHUNKS[kind](path, fileBytes, onRead)),
  };
}

const CHUNKS: Readonly<Record<ImageCompression, ChunksOf>> = { none: plain, gzip: gunzip, xz: unxz, zstd: unzstd };

class CountedChunks implements ImageChunks {
  readonly #make: (onRead: OnRead) => AsyncIterable<Uint8Array>;
  #readBytes = 0;

  constructor(make: (onRead: OnRead) => AsyncIterable<Uint8Array>) {
    this.#make = make;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const chunks = this.#make((bytes) => {
      this.#readBytes = bytes;
    });
    return chunks[Symbol.asyncIterator]();
  }
}

async function* plain(path: string, fileBytes: number, onRead: OnRead): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const buffer = new Uint8Array(READ_BYTES);
    for (let at = 0; at < fileBytes; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, fileBytes - at), at);
      if (bytesRead === 0)
        throw new BoardsError('environment', `${path} became shorter while it was read: ${at} bytes`);
      at += bytesRead;
      onRead(at);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function readHead(path: string): Promise<{ head: Uint8Array; fileBytes: number }> {
  try {
    const about = await stat(path);
    if (!about.isFile()) throw new BoardsError('usage', `${path} is no file; expected an image, such as pi.img.xz`);
    if (about.size === 0) throw new BoardsError('usage', `${path} is empty; was it fetched to its end?`);
    const file = await open(path, 'r');
    try {
      const head = new Uint8Array(MAGIC_BYTES);
      await file.read(head, 0, head.length, 0);
      return { head, fileBytes: about.size };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof BoardsError) throw error;
    const code = Object(error).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new BoardsError('not-found', `there is no image ${path}`);
    throw new BoardsError('environment', `the image ${path} cannot be read (${code})`, { cause: error });
  }
}
