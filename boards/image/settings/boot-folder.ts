import { BoardsError } from '../../boards-error.ts';
import { BOOT_FOLDERS } from '../../first-boot/setup-file.ts';

export const FSTAB_FILE = '/etc/fstab';
export const MAX_FSTAB_BYTES = 64 * 1024;

/** Throws `refused` for a system (fstab(5)) that does not mount a FAT partition where the first boot looks for the setup. */
export function checkBootFolder(fstab: string): void {
  const mounted = fstab.split('\n').flatMap((line) => {
    const [, folder, type] = /^\s*[^#\s]\S*\s+(\S+)\s+(vfat|msdos|auto)\s/.exec(`${line} `) ?? [];
    return folder === undefined || type === undefined ? [] : [folder.replace(/(?<=.)\/$/, '')];
  });
  if (mounted.some((folder) => BOOT_FOLDERS.some((each) => each === folder))) return;
  const where = mounted.length === 0 ? 'none' : `one at ${mounted.join(', ')}`;
  throw new BoardsError(
    'refused',
    `the base image cannot be used: expected a FAT partition that is mounted at ${BOOT_FOLDERS.join(' or ')}, found ${where} in ${FSTAB_FILE}`,
  );
}
