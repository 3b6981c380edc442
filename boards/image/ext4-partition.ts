import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { debugfsCommands, type FileChange } from './debugfs-commands.ts';
import { runTool, type ToolInit } from './system-tool.ts';

export interface FoundFile {
  readonly type: 'file' | 'folder' | 'link' | 'other';
  readonly bytes: number;
  /** Of a symbolic link. */
  readonly target?: string;
}

const TYPES: Readonly<Record<string, FoundFile['type']>> = { regular: 'file', directory: 'folder', symlink: 'link' };

/** An ext4 file system inside an image, without mounting it: debugfs(8). */
export class Ext4Partition {
  readonly #tool: ToolInit;
  readonly #device: string;

  /** `image` is the name of the image in the tool's folder. */
  constructor(image: string, offset: number, tool: ToolInit) {
    this.#tool = tool;
    this.#device = `${image}?offset=${offset}`;
  }

  /** What stands at absolute paths; those where nothing stands are missing. */
  async find(paths: readonly string[]): Promise<ReadonlyMap<string, FoundFile>> {
    const { stdout } = await this.#run(paths.map((path) => `stat ${path}\n`).join(''), []);
    return foundFiles(stdout.toString('utf8'), paths);
  }

  /** The content of a file of at most `maxBytes`; undefined where there is none. */
  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const found = (await this.find([path])).get(path);
    if (found?.type !== 'file') return undefined;
    if (found.bytes > maxBytes) {
      throw new BoardsError('refused', `${path} of the image has ${found.bytes} bytes, expected ${maxBytes} at most`);
    }
    const copy = join(this.#tool.folder, 'dumped');
    try {
      await this.#run(`dump ${path} dumped\n`, []);
      return await readFile(copy);
    } finally {
      await rm(copy, { force: true });
    }
  }

  /** Makes all changes. Throws `refused` when one of them cannot be made; the file system is damaged then. */
  async change(changes: readonly FileChange[]): Promise<void> {
    const { commands, contents } = debugfsCommands(changes);
    const { stderr } = await this.#run(commands, contents, '-w');
    const faults = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('debugfs '));
    if (faults.length > 0)
      throw new BoardsError('refused', `the root file system of the image cannot be written: ${faults[0]?.trim()}`);
  }

  /** What is wrong with the file system (e2fsck(8)), if something is. */
  async fault(): Promise<string | undefined> {
    const { code, stdout, stderr } = await runTool('e2fsck', ['-f', '-n', this.#device], this.#tool);
    if (code === 0) return undefined;
    const lines = `${stderr}\n${stdout.toString('utf8')}`.split('\n');
    const unsupported = lines.find((line) => line.includes('unsupported feature'));
    const first = lines.find((line) => line.trim() !== '' && !/^(Pass \d|e2fsck )/.test(line));
    return (unsupported ?? first ?? `e2fsck ended with ${code}`).trim();
  }

  async #run(commands: string, contents: readonly Uint8Array[], ...options: string[]) {
    const { folder } = this.#tool;
    const names = contents.map((_content, index) => `content${index}`);
    try {
      await Promise.all(
        contents.map((content, index) => writeFile(join(folder, `content${index}`), content, { mode: 0o600 })),
      );
      await writeFile(join(folder, 'commands'), commands);
      return await runTool('debugfs', [...options, '-f', 'commands', this.#device], this.#tool);
    } finally {
      for (const name of ['commands', ...names]) await rm(join(folder, name), { force: true });
    }
  }
}

/**
 * Reads what debugfs prints for one `stat` after the other: a line with the command, then, where something stands, lines about
 * it. Whatever else a hostile image prints there can deny its own files only.
 */
export function foundFiles(output: string, paths: readonly string[]): ReadonlyMap<string, FoundFile> {
  const found = new Map<string, FoundFile>();
  let next = 0;
  let type: FoundFile['type'] | undefined;
  for (const line of output.split('\n')) {
    if (next < paths.length && line === `debugfs: stat ${paths[next]}`) {
      next += 1;
      type = undefined;
      continue;
    }
    const path = paths[next - 1];
    if (path === undefined) continue;
    const kind = /^Inode: \d+ +Type: (\w+)/.exec(line)?.[1];
    if (kind !== undefined && type === undefined) type = TYPES[kind] ?? 'other';
    const bytes = /^User: .* Size: (\d{1,15})$/.exec(line)?.[1];
    if (bytes !== undefined && type !== undefined && !found.has(path)) found.set(path, { type, bytes: Number(bytes) });
    const target = /^Fast link dest: "(.*)"$/.exec(line)?.[1];
    const file = found.get(path);
    if (target !== undefined && file?.type === 'link' && file.target === undefined)
      found.set(path, { ...file, target });
  }
  return found;
}
