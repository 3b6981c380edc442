import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from './sync-folder.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

export interface ReplacedFile {
  /** Permissions. */
  readonly mode: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Puts a file in place of an earlier one, or of a symbolic link. A power cut leaves the one or the other, whole: content, name and
 * permissions are on the disk when it returns. Not for FAT: there, syncing the folder does not write the size of what was renamed.
 */
export function replaceFile(path: string, content: string | Uint8Array, { mode, owner }: ReplacedFile): void {
  const folder = dirname(path);
  const beside = join(folder, `.${basename(path)}.new`);
  rmSync(beside, { force: true });
  const file = openSync(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeFileSync(file, content);
    fchmodSync(file, mode);
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  syncFolder(folder);
}

/** The same for a file of the system, whose folder is made when it is missing. */
export function replaceSystemFile(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  replaceFile(path, content, { mode });
}
