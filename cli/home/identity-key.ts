import { closeSync, fsyncSync, linkSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { base32Decode, base32Encode, PipevineError } from '@pipevine/runtime';
import { fileFailure } from './home.ts';
import { readSecretFile } from './secret-file.ts';

/** `pipevine-identity-1:` and the base32 of the 32-byte seed that the peer's keys are derived from. */
const PREFIX = 'pipevine-identity-1:';
const SEED_BYTES = 32;

/**
 * The seed of this home's identity; undefined when it has none yet. Throws `permission-denied` when others may read it,
 * `storage-failed` when it is damaged.
 */
export function readIdentitySeed(file: string): Uint8Array | undefined {
  const text = readSecretFile(file, `the identity ${file}`, 'whoever reads it can be this peer')?.trim();
  if (text === undefined) return undefined;
  const seed = text.startsWith(PREFIX) ? base32Decode(text.slice(PREFIX.length)) : undefined;
  if (seed?.length !== SEED_BYTES) {
    throw new PipevineError(
      'storage-failed',
      `${file} is damaged: expected ${PREFIX} and 52 characters; restore it from a backup, or remove it to become a new peer`,
    );
  }
  return seed;
}

/**
 * Stores a new identity and returns its seed; if another process was faster, that one's. The file appears whole, synced
 * and readable by its owner alone, or not at all.
 */
export function createIdentitySeed(file: string, randomBytes: (length: number) => Uint8Array): Uint8Array {
  const seed = randomBytes(SEED_BYTES);
  const temporary = `${file}.${base32Encode(randomBytes(5))}`;
  try {
    const descriptor = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(descriptor, `${PREFIX}${base32Encode(seed)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      // Unlike a rename, a link never replaces an identity that is there.
      linkSync(temporary, file);
    } finally {
      unlinkSync(temporary);
    }
    syncFolder(dirname(file));
    return seed;
  } catch (error) {
    const existing = readIdentitySeed(file);
    if (existing !== undefined) return existing;
    throw fileFailure(`the identity ${file} cannot be stored`, error);
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
