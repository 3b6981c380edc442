import { closeSync, constants, fsyncSync, openSync } from 'node:fs';

/** What names a folder has is on the disk when it returns. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
