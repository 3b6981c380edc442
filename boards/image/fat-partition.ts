import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { runTool, type ToolInit } from './system-tool.ts';

/** The FAT file system of an image's boot partition, without mounting it: mtools(1). All names are of its root folder. */
export class FatPartition {
  readonly #tool: ToolInit;
  readonly #device: string;

  /** `image` is the name of the image in the tool's folder. */
  constructor(image: string, offset: number, tool: ToolInit) {
    this.#tool = tool;
    this.#device = `${image}@@${offset}`;
  }

  /** A text of UTF-8; undefined where there is none. Throws `refused` for one of more than 4 MiB. */
  async readText(name: string): Promise<string | undefined> {
    const { code, stdout, stderr } = await runTool('mtype', ['-i', this.#device, `::/${name}`], this.#tool);
    if (code === 0) return stdout.toString('utf8');
    if (/ not found\s*$/.test(stderr)) return undefined;
    throw new BoardsError('refused', `${name} on the boot partition of the image cannot be read: ${firstLine(stderr)}`);
  }

  /** Writes a file, also over one that is there. Throws `refused` when it does not fit. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    const copy = join(this.#tool.folder, 'content');
    try {
      await writeFile(copy, content, { mode: 0o600 });
      const { code, stderr } = await runTool('mcopy', ['-o', '-i', this.#device, 'content', `::/${name}`], this.#tool);
      if (code === 0) return;
      throw new BoardsError(
        'refused',
        `${name} cannot be written on the boot partition of the image: ${firstLine(stderr)}`,
      );
    } finally {
      await rm(copy, { force: true });
    }
  }
}

const firstLine = (text: string) => text.trim().split('\n')[0] || 'no reason was given';
