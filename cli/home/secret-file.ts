import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { PipevineError } from '@pipevine/runtime';
import { fileFailure } from './home.ts';

/** A secret is a few lines; this keeps a wrong file from filling the memory. */
const MAX_SECRET_BYTES = 64 * 1024;

/**
 * The text of a file that only its owner may read; undefined when there is none. Throws `permission-denied` when others may,
 * saying `what` it is and what they could do with it, and `too-large`.
 */
export function readSecretFile(file: string, what: string, danger: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw fileFailure(`${what} cannot be read`, error);
  }
  try {
    const { mode, size } = fstatSync(descriptor);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new PipevineError(
        'permission-denied',
        `${file} is open to others (mode ${(mode & 0o777).toString(8)}): ${danger}; run: chmod 600 ${file}`,
      );
    }
    if (size > MAX_SECRET_BYTES) {
      throw new PipevineError('too-large', `${file} is larger than ${MAX_SECRET_BYTES} bytes: is it the right file?`);
    }
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}
