import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What Linux reads ahead from a card, in sectors of 512 bytes. Disks of virtual machines may read 8 MiB for each page. */
const READ_AHEAD_SECTORS = 256;

const run = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim();

/** A file system on a loop device that reads ahead as a board's card does. Needs root. */
export class BoardDisk {
  readonly folder: string;
  readonly #device: string;

  /** Throws where there are no loop devices. */
  constructor(folder: string, bytes: number) {
    const image = join(folder, 'disk.img');
    writeFileSync(image, '');
    truncateSync(image, bytes);
    run('mkfs.ext4', '-q', '-F', image);
    this.#device = run('losetup', '--find', '--show', '--direct-io=on', image);
    this.folder = join(folder, 'disk');
    mkdirSync(this.folder);
    run('blockdev', '--setra', String(READ_AHEAD_SECTORS), this.#device);
    run('mount', this.#device, this.folder);
  }

  /** Makes the kernel forget what it has read of a file. */
  forget(file: string): void {
    run('sync', file);
    run('dd', `if=${file}`, 'of=/dev/null', 'iflag=nocache', 'count=0', 'status=none');
  }

  remove(): void {
    run('umount', this.folder);
    run('losetup', '--detach', this.#device);
  }
}
