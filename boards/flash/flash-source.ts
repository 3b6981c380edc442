import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { type OnRead, READ_BYTES } from './image-chunks.ts';
import { unxz, xzBytes } from './xz-chunks.ts';
import { gunzip, unzstd } from './zlib-chunks.ts';
import { zstdFrames } from './zstd-frames.ts';

export type ImageCompression = 'none' | 'gzip' | 'xz' | 'zstd';

/** An image file as the bytes that belong on the card. */
export interface FlashSource {
  readonly path: string;
  /** Without its folder. */
  readonly name: string;
  readonly compression: ImageCompression;
  readonly fileBytes: number;
  /** Of the image, where its file says so: never one of gzip, seldom one of zstd that was packed from a pipe. */
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
  // What is to be skipped, as pzstd begins.
  ['zstd', 'zstd', [0x50, 0x2a, 0x4d, 0x18]],
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
  const { chunks, ...size } = await CONTENT[kind](path, fileBytes);
  return {
    path,
    name: basename(path),
    compression: kind,
    fileBytes,
    ...size,
    chunks: () => new CountedChunks(chunks),
  };
}

interface Content {
  readonly imageBytes: number | undefined;
  readonly leastBytes: number;
  /** The bytes of the image, from the beginning. A chunk stands until the next one is asked for; until then it may be changed. */
  chunks(onRead: OnRead): AsyncIterable<Uint8Array>;
}

/** What a file says of its content. Throws `environment` where it says that it is not whole. */
const CONTENT: Readonly<Record<ImageCompression, (path: string, fileBytes: number) => Promise<Content>>> = {
  none: async (path, fileBytes) => ({
    imageBytes: fileBytes,
    leastBytes: fileBytes,
    chunks: (onRead) => plain(path, fileBytes, onRead),
  }),
  gzip: async (path) => ({ imageBytes: undefined, leastBytes: 0, chunks: (onRead) => gunzip(path, onRead) }),
  xz: async (path) => {
    const imageBytes = await xzBytes(path);
    return { imageBytes, leastBytes: imageBytes ?? 0, chunks: (onRead) => unxz(path, onRead) };
  },
  zstd: async (path, fileBytes) => {
    const frames = await zstdFrames(path, fileBytes);
    const leastBytes = frames.reduce((sum, { contentBytes = 0 }) => sum + contentBytes, 0);
    const isKnown = frames.every(({ contentBytes }) => contentBytes !== undefined);
    return {
      imageBytes: isKnown ? leastBytes : undefined,
      leastBytes,
      chunks: (onRead) => unzstd(path, frames, onRead),
    };
  },
};

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
