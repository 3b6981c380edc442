import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unpackImage } from './base-image.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-base-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Content at both ends, and zeros between. */
const IMAGE = Buffer.concat([Buffer.alloc(100_000, 'a'), Buffer.alloc(8 * 2 ** 20), Buffer.alloc(69_984, 'b')]);
const xz = (content: Buffer) => execFileSync('xz', ['-1', '--stdout'], { input: content, maxBuffer: 2 ** 26 });
const PACKED: readonly (readonly [string, Buffer])[] = [
  ['nothing', IMAGE],
  ['xz', xz(IMAGE)],
  ['gzip', gzipSync(IMAGE)],
  ['gzip in two members', Buffer.concat([gzipSync(IMAGE.subarray(0, 5_000)), gzipSync(IMAGE.subarray(5_000))])],
  ['zstd', zstdCompressSync(IMAGE)],
  [
    'zstd in two frames',
    Buffer.concat([zstdCompressSync(IMAGE.subarray(0, 5_000)), zstdCompressSync(IMAGE.subarray(5_000))]),
  ],
];

function unpack(content: Buffer, options = {}) {
  writeFileSync(join(folder, 'base'), content);
  return unpackImage(join(folder, 'base'), join(folder, 'image'), options);
}

test.each(PACKED)('is unpacked from %s, with holes for zeros', async (_packing, content) => {
  const parts: number[] = [];
  expect(await unpack(content, { onProgress: (part: number) => parts.push(part) })).toBe(IMAGE.length);
  expect(readFileSync(join(folder, 'image')).equals(IMAGE)).toBe(true);
  expect(statSync(join(folder, 'image')).blocks * 512).toBeLessThan(1_000_000);
  expect(parts.at(-1)).toBe(1);
});

test.each(PACKED.slice(1))('is refused when %s is cut off', async (_packing, content) => {
  await expect(unpack(content.subarray(0, content.length - 40))).rejects.toThrow(/damaged|cut off/);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['half a sector', Buffer.alloc(700, 'a')],
])('is refused when it is %s', async (_case, content) => {
  await expect(unpack(content)).rejects.toThrow(/is empty|which is no image of a disk/);
});

test('an archive is named, and so is a file that is not there', async () => {
  await expect(unpack(Buffer.from('PK\x03\x04.............'))).rejects.toThrow('a zip archive; unpack it');
  await expect(unpackImage(join(folder, 'none'), join(folder, 'image'), {})).rejects.toThrow('there is no image');
});

test('ends at once when it is stopped', async () => {
  const stop = new AbortController();
  const ended = unpack(PACKED[1]?.[1] ?? IMAGE, { signal: stop.signal, onProgress: () => stop.abort() });
  await expect(ended).rejects.toThrow('abort');
});
