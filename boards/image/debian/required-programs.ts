import { BoardsError } from '../../boards-error.ts';
import { isOnPath } from '../is-on-path.ts';
import { SYSTEM_PATH } from './apart.ts';

/** Each program and the Debian package that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  mmdebstrap: 'mmdebstrap',
  'arch-test': 'arch-test',
  'qemu-aarch64-static': 'qemu-user-static',
  unshare: 'util-linux',
  zstd: 'zstd',
  'mkfs.fat': 'dosfstools',
  mcopy: 'mtools',
  mke2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  sfdisk: 'fdisk',
};

/** Throws one error that names all that is missing for an image from Debian packages. */
export function requirePrograms(searchPath = SYSTEM_PATH, isRoot = process.getuid?.() === 0): void {
  const needed = Object.entries(PROGRAMS).filter(
    ([program]) => process.arch !== 'arm64' || !program.startsWith('qemu-'),
  );
  const missing = needed.filter(([program]) => !isOnPath(program, searchPath));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, each]) => each))].sort().join(' ');
    throw new BoardsError(
      'environment',
      `an image from Debian packages needs ${missing.map(([program]) => program).join(', ')}; run: apt-get install ${packages}`,
    );
  }
  if (!isRoot) {
    throw new BoardsError(
      'refused',
      'an image from Debian packages is made by root only, as its files belong to many users; run it with sudo, or use --base with a stock image, which needs no root',
    );
  }
}
