import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ChrootResult {
  readonly code: number;
  /** Both streams. */
  readonly output: string;
}

/**
 * This Debian as a system of its own, for trying packages: its files below, an overlay above that keeps all changes. Mounted only
 * for each command, in a mount namespace of that, so that nothing stays mounted whatever happens. Needs root.
 */
export class Chroot {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(): Promise<Chroot> {
    const folder = await mkdtemp(join(tmpdir(), 'pipevine-chroot-'));
    for (const part of ['upper', 'work', 'root']) await mkdir(join(folder, part));
    return new Chroot(folder);
  }

  /** Runs a shell script inside; `shared` is a folder of this machine that it sees as /mnt. */
  run(script: string, shared: string): Promise<ChrootResult> {
    const outside = [
      'set -e',
      'mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"',
      'mount -t proc proc "$1/root/proc"',
      'mount --bind /dev "$1/root/dev"',
      'mount --bind "$2" "$1/root/mnt"',
      'exec chroot "$1/root" /bin/sh -c "$3"',
    ].join('\n');
    const args = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      outside,
      'sh',
      this.#folder,
      shared,
      `exec 2>&1; ${script}`,
    ];
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      DEBIAN_FRONTEND: 'noninteractive',
      HOME: '/root',
      LC_ALL: 'C',
    };
    return new Promise((resolve) => {
      const child = execFile('unshare', args, { env, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
      );
      child.stdin?.end();
    });
  }

  /** What the commands have made or changed, as paths from the root; what they removed again is not among it. */
  async changes(): Promise<readonly string[]> {
    const upper = join(this.#folder, 'upper');
    const entries = await readdir(upper, { recursive: true, withFileTypes: true });
    // An overlay remembers a removed file of the system below as a character device.
    return entries
      .filter((entry) => !entry.isCharacterDevice())
      .map((entry) => join(entry.parentPath, entry.name).slice(upper.length));
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
