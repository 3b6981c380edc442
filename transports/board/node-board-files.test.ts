import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeBoardFiles } from './node-board-files.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pipevine-board-'));
  mkdirSync(join(root, 'sys/class'), { recursive: true });
});

afterEach(() => rmSync(root, { recursive: true }));

describe('the files of a board', () => {
  it('are read, at most 64 KiB of each', async () => {
    writeFileSync(join(root, 'sys/short'), '42\n');
    writeFileSync(join(root, 'sys/long'), 'x'.repeat(100_000));
    const files = nodeBoardFiles(root);
    expect(await files.read('/sys/short')).toBe('42\n');
    expect((await files.read('/sys/long'))?.length).toBe(65_536);
  });

  it('that are absent are nothing to read, and an empty folder', async () => {
    const files = nodeBoardFiles(root);
    expect(await files.read('/sys/none')).toBeUndefined();
    expect(await files.read('/sys/class/none/temp')).toBeUndefined();
    expect(await files.list('/sys/none')).toEqual([]);
    expect(await files.space('/sys/none')).toBeUndefined();
    files.watch('/sys/none', () => undefined).close();
  });

  it('that are no files give the reason', async () => {
    await expect(nodeBoardFiles(root).read('/sys/class')).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('are written where they are, and not made', async () => {
    const files = nodeBoardFiles(root);
    writeFileSync(join(root, 'sys/brightness'), '');
    await files.write('/sys/brightness', '128');
    expect(readFileSync(join(root, 'sys/brightness'), 'utf8')).toBe('128');
    chmodSync(join(root, 'sys/brightness'), 0o200);
    await expect(files.write('/sys/export', '1')).rejects.toMatchObject({ code: 'not-found' });
    expect(await files.list('/sys')).toEqual(['brightness', 'class']);
  });

  it('tell when entries of a folder come', async () => {
    const files = nodeBoardFiles(root);
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = files.watch('/sys/class', resolve);
    writeFileSync(join(root, 'sys/class/new'), '');
    await promise;
    watcher.close();
  });
});
