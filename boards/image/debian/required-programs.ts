import { BoardsError } from '../../boards-error.ts';
import { installing, isOnPath, type Program } from '../programs.ts';
import { SYSTEM_PATH } from './apart.ts';

const NEEDED: readonly Program[] = [
  'mmdebstrap',
  'arch-test',
  'qemu-aarch64-static',
  'unshare',
  'zstd',
  'mkfs.fat',
  'mcopy',
  'mke2fs',
  'e2fsck',
  'sfdisk',
];

/** Throws one error that names all that is missing for an image from Debian packages. */
export function requirePrograms(searchPath = SYSTEM_PATH, isRoot = process.getuid?.() === 0): void {
  const needed = NEEDED.filter((program) => process.arch !== 'arm64' || !program.startsWith('qemu-'));
  const missing = needed.filter((program) => !isOnPath(program, searchPath));
  if (missing.length > 0) {
    throw new BoardsError(
      'environment',
      `an image from Debian packages needs ${missing.join(', ')}; run: ${installing(missing)}`,
    );
  }
  if (!isRoot) {
    throw new BoardsError(
      'refused',
      'an image from Debian packages is made by root only, as its files belong to many users; run it with sudo, or use --base with a stock image, which needs no root',
    );
  }
}
