import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The Debian package of each program that makes images, or works on them. */
const PACKAGES = {
  'arch-test': 'arch-test',
  debugfs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  'fsck.vfat': 'dosfstools',
  mcopy: 'mtools',
  mke2fs: 'e2fsprogs',
  'mkfs.fat': 'dosfstools',
  mmdebstrap: 'mmdebstrap',
  mtype: 'mtools',
  'qemu-aarch64-static': 'qemu-user-static',
  resize2fs: 'e2fsprogs',
  sfdisk: 'fdisk',
  unshare: 'util-linux',
  xz: 'xz-utils',
  zstd: 'zstd',
} as const;

export type Program = keyof typeof PACKAGES;

/** The command by which Debian gets these. */
export function installing(programs: readonly Program[]): string {
  return `apt-get install ${[...new Set(programs.map((program) => PACKAGES[program]))].sort().join(' ')}`;
}

/** Whether a program is in one of the folders of a search path. */
export function isOnPath(program: Program, searchPath: string): boolean {
  return searchPath.split(delimiter).some((folder) => folder !== '' && isProgram(join(folder, program)));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
