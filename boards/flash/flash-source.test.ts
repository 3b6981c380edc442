import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from './flash-source.ts';

const IMAGE = Buffer.concat([randomBytes(1_500_000), Buffer.alloc(3_000_000, 'text')]);
const SKIPPABLE = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
const half = IMAGE.length / 2;

let folder: string;
let files: Record<string, Buffer>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-source-'));
  const raw = put('raw', IMAGE);
  files = {
    none: IMAGE,
    gzip: gzipSync(IMAGE),
    xz: execFileSync('xz', ['-0', '--stdout', raw], { maxBuffer: 10_000_000 }),
    zstd: zstdCompressSync(IMAGE, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  };
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function contentOf(path: string): Promise<Buffer> {
  const chunks = (await openSource(path)).chunks();
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk.slice());
  return Buffer.concat(all);
}

describe.each(['none', 'gzip', 'xz', 'zstd'] as const)('an image with compression %s', (kind) => {
  const file = () => files[kind] ?? Buffer.alloc(0);

  it('is known by its bytes, and read from its beginning each time', async () => {
    const source = await openSource(put('a.img', file()));
    expect(source).toMatchObject({ compression: kind, name: 'a.img', fileBytes: file().length });
    if (kind === 'none' || kind === 'xz') expect(source.imageBytes).toBe(IMAGE.length);
    expect((await contentOf(source.path)).equals(IMAGE)).toBe(true);
    const chunks = source.chunks();
    for await (const _chunk of chunks) break;
    for await (const _chunk of chunks);
    expect(chunks.readBytes).toBe(file().length);
  });
});

describe.each(['gzip', 'xz', 'zstd'])('an image with compression %s', (kind) => {
  it('is refused when it is not whole, or damaged', async () => {
    const bytes = Buffer.from(files[kind] ?? '');
    const cut = put('cut.img', bytes.subarray(0, -10));
    await expect(contentOf(cut)).rejects.toThrow('damaged or not whole');
    const middle = Math.floor(bytes.length / 2);
    bytes.fill(0x55, middle, middle + 4);
    await expect(contentOf(put('bad.img', bytes))).rejects.toThrow('damaged or not whole');
  });
});

describe('zstd', () => {
  it('of several frames is read to its end', async () => {
    const [first, second] = [zstdCompressSync(IMAGE.subarray(0, half)), zstdCompressSync(IMAGE.subarray(half))];
    const frames = Buffer.concat([SKIPPABLE, first, SKIPPABLE, second]);
    expect((await contentOf(put('frames.zst', frames))).equals(IMAGE)).toBe(true);
  });

  it('with something else behind it is refused', async () => {
    const path = put('garbage', Buffer.concat([files.zstd ?? IMAGE, Buffer.from('something else')]));
    await expect(contentOf(path)).rejects.toThrow('damaged or not whole');
  });

  it('says how much it holds at least, or exactly', async () => {
    const plain = put('plain', IMAGE);
    const known = execFileSync('zstd', ['-q', '--stdout', plain], { maxBuffer: 10_000_000 });
    const unknown = execFileSync('zstd', ['-q', '--stdout'], { input: IMAGE, maxBuffer: 10_000_000 });
    const sizes = { leastBytes: IMAGE.length, imageBytes: IMAGE.length };
    expect(await openSource(put('known', known))).toMatchObject(sizes);
    expect(await openSource(put('both', Buffer.concat([known, unknown])))).toMatchObject({
      ...sizes,
      imageBytes: undefined,
    });
  });
});

it.each([
  ['gone.img', undefined, 'there is no image'],
  ['empty.img', '', 'is empty'],
  ['a.zip', 'PK\x03\x04....', 'a zip archive; unpack it'],
  ['b.deb', '!<arch>\n', 'a Debian package'],
  ['c.img.xz', '<html>not found</html>', 'is not what its name says, a .xz'],
])('%s is no image', async (name, content, message) => {
  const path = content === undefined ? join(folder, name) : put(name, Buffer.from(content));
  await expect(openSource(path)).rejects.toThrow(message);
  await expect(openSource(folder)).rejects.toThrow('is no file');
});
