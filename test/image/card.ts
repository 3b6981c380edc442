import { copyFile, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageLayout, readLayout } from '../../boards/image/disk/image-layout.ts';
import { type BoardSetup, encodeBoardSetup, SETUP_FILE } from '../../boards/setup/board-setup.ts';
import { runTool } from './run-tool.ts';

/** An image as a board's card: a copy that the board writes to, as large as a card. Its boot partition is read by mtools, as any computer would. */
export class Card {
  readonly file: string;
  readonly #layout: ImageLayout;

  private constructor(file: string, layout: ImageLayout) {
    this.file = file;
    this.#layout = layout;
  }

  static async of(image: string, file: string, bytes: number): Promise<Card> {
    await copyFile(image, file);
    const handle = await open(file, 'r+');
    try {
      await handle.truncate(bytes);
      const readAt = async (offset: number, length: number) => {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      };
      return new Card(file, await readLayout(readAt, bytes));
    } finally {
      await handle.close();
    }
  }

  /** Puts files of the boot partition whose names begin so beside the card; gives their paths. */
  async takeOut(prefix: string, folder: string): Promise<string> {
    const names = (await runTool('mdir', ['-b', '-i', this.#boot, '::/']))
      .split('\n')
      .map((line) => line.slice('::/'.length));
    const name = names.find((each) => each.startsWith(prefix));
    if (name === undefined) throw new Error(`no ${prefix}* among ${names.join(' ')}`);
    const target = join(folder, name);
    await runTool('mcopy', ['-n', '-o', '-i', this.#boot, `::/${name}`, target]);
    return target;
  }

  /** A text file of the boot partition; undefined when it has none of this name. */
  async text(name: string): Promise<string | undefined> {
    return runTool('mtype', ['-i', this.#boot, `::/${name}`]).catch(() => undefined);
  }

  /** A text file of the system, by debugfs; empty when it has none of this name. */
  async systemText(path: string): Promise<string> {
    return runTool('debugfs', ['-R', `cat ${path}`, this.#root]);
  }

  /** Names in a folder of the system. */
  async systemNames(folder: string): Promise<readonly string[]> {
    const listing = await runTool('debugfs', ['-R', `ls -p ${folder}`, this.#root]);
    return listing.split('\n').flatMap((line) => line.split('/')[5] || []);
  }

  /** Fails with what e2fsck finds. */
  async checkSystem(): Promise<void> {
    await runTool('e2fsck', ['-f', '-n', this.#root]);
  }

  /** Changes the setup as flashing does: where it stands. */
  async setUp(setup: BoardSetup): Promise<void> {
    const source = `${this.file}.setup`;
    const handle = await open(source, 'w');
    await handle.writeFile(encodeBoardSetup(setup));
    await handle.close();
    await runTool('mcopy', ['-n', '-o', '-i', this.#boot, source, `::/${SETUP_FILE}`]);
    await rm(source);
  }

  /** The sectors of the boot partition as they are, with what deleted files have left. */
  async bootSectors(): Promise<Buffer> {
    const handle = await open(this.file);
    try {
      const { offset, bytes } = this.#layout.boot;
      return (await handle.read(Buffer.alloc(bytes), 0, bytes, offset)).buffer;
    } finally {
      await handle.close();
    }
  }

  get #root(): string {
    return `${this.file}?offset=${this.#layout.root.offset}`;
  }

  get #boot(): string {
    return `${this.file}@@${this.#layout.boot.offset}`;
  }
}
