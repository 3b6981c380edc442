import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zstdFrames } from './zstd-frames.ts';

/** Text, and so many of the same bytes that they become a block of one. */
const CONTENT = Buffer.concat([Buffer.from('some text, some more text'), Buffer.alloc(300_000)]);
const CHECKED = zstdCompressSync(CONTENT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const UNCHECKED = zstdCompressSync(CONTENT);
const SKIPPED = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-zstd-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function framesOf(content: Uint8Array) {
  const path = join(folder, 'file');
  writeFileSync(path, content);
  return zstdFrames(path, content.length);
}

describe('the frames of a zstd file', () => {
  it('are found one after the other, without what is to be skipped', async () => {
    const file = Buffer.concat([SKIPPED, CHECKED, SKIPPED, UNCHECKED, SKIPPED]);
    const first = SKIPPED.length;
    const second = first + CHECKED.length + SKIPPED.length;
    expect(await framesOf(file)).toMatchObject([
      { start: first, end: first + CHECKED.length },
      { start: second, end: second + UNCHECKED.length },
    ]);
  });

  it.each([0, 1, 255, 256, 65_000, 70_000, 5_000_000])('say that they hold %d bytes', async (bytes) => {
    const path = join(folder, 'plain');
    writeFileSync(path, Buffer.alloc(bytes));
    const [frame] = await framesOf(execFileSync('zstd', ['-q', '--stdout', path]));
    expect(frame?.contentBytes).toBe(bytes);
  });

  it('do not know, when they were packed from a pipe', async () => {
    const [frame] = await framesOf(execFileSync('zstd', ['-q', '--stdout'], { input: CONTENT }));
    expect(frame).toMatchObject({ start: 0, contentBytes: undefined });
  });

  it('are missed wherever the file was cut off', async () => {
    for (const whole of [CHECKED, UNCHECKED, SKIPPED]) {
      const file = Buffer.concat([UNCHECKED, whole]);
      for (let length = UNCHECKED.length + 1; length < file.length; length++) {
        await expect(framesOf(file.subarray(0, length))).rejects.toThrow('not whole (it ends too early)');
      }
    }
  });

  it('are nothing else', async () => {
    await expect(framesOf(Buffer.concat([CHECKED, Buffer.from('something else')]))).rejects.toThrow('something else');
    await expect(framesOf(Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0, 6, 0, 0, 0))).rejects.toThrow('no known type');
  });
});
