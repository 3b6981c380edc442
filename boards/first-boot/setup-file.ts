import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { type BoardSetup, decodeBoardSetup, encodeBoardSetup, SETUP_BYTES, SETUP_FILE } from '../setup/board-setup.ts';

/** Where boards mount their boot partition: now, and before Debian 12. */
export const BOOT_FOLDERS = ['/boot/firmware', '/boot'] as const;

/** The setup file of this system, if it has one. */
export function findSetupFile(root: string): string | undefined {
  return BOOT_FOLDERS.map((folder) => join(root, folder, SETUP_FILE)).find((path) => existsSync(path));
}

/** Throws `usage` for what is no setup, and the error of the file system. */
export function readSetupFile(path: string): BoardSetup {
  const file = openSync(path, 'r');
  try {
    return decode(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Takes the used code and the Wi-Fi network out, so that who reads the card later learns neither. The new text is written over
 * the old one and not beside it: on the card as the board sees it, nothing of the old is left. The network goes as a whole,
 * because a name without a password is an open network. Other codes stay.
 */
export function wipeSetupFile(path: string, usedCode: string): void {
  const file = openSync(path, 'r+');
  try {
    const { joinCode, wifi: _, ...rest } = decode(file);
    const isOther = joinCode !== undefined && joinCode !== usedCode;
    const wiped = encodeBoardSetup(isOther ? { joinCode, ...rest } : rest);
    for (let at = 0; at < wiped.length; ) at += writeSync(file, wiped, at, wiped.length - at, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function decode(file: number): BoardSetup {
  if (!fstatSync(file).isFile()) throw new BoardsError('usage', 'the setup is no file');
  // One byte more than allowed: the decoder sees that it is too long.
  const bytes = new Uint8Array(SETUP_BYTES + 1);
  let length = 0;
  for (;;) {
    const read = readSync(file, bytes, length, bytes.length - length, length);
    length += read;
    if (read === 0) return decodeBoardSetup(bytes.subarray(0, length));
  }
}
