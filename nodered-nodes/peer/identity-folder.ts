import {
  chmodSync,
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { base32Decode, base32Encode, PipevineError } from '@pipevine/runtime';

/** The same file that the command line keeps: `pipevine-identity-1:` and the base32 of the 32-byte seed. */
const PREFIX = 'pipevine-identity-1:';
const SEED_BYTES = 32;
/** Longer is no identity. */
const MAX_BYTES = 1024;

/** Where a peer of Node-RED keeps what makes it this peer. */
export interface IdentityFolder {
  readonly path: string;
  readonly identityFile: string;
  readonly databaseFile: string;
}

/** `<userDir>/pipevine/<id of the config node>`. */
export function identityFolder(userDir: string, configNodeId: string): IdentityFolder {
  // Ids are hexadecimal, and those of subflows have a dash; nothing else may choose a path.
  const path = join(userDir, 'pipevine', configNodeId.replace(/[^0-9A-Za-z_-]/g, '_'));
  return { path, identityFile: join(path, 'identity.key'), databaseFile: join(path, 'pipevine.db') };
}

/**
 * The seed of the folder's peer: made when there is none. Throws `permission-denied` when others may read it, or it cannot be
 * written, `storage-failed` when it is damaged.
 */
export function identitySeed(folder: IdentityFolder, randomBytes: (length: number) => Uint8Array): Uint8Array {
  try {
    const made = mkdirSync(folder.path, { recursive: true, mode: 0o700 });
    if (made !== undefined) chmodSync(folder.path, 0o700);
    return readSeed(folder.identityFile) ?? createSeed(folder.identityFile, randomBytes);
  } catch (cause) {
    if (cause instanceof PipevineError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = /EACCES|EPERM|EROFS/.test(reason) ? 'permission-denied' : 'storage-failed';
    throw new PipevineError(code, `The identity in ${folder.path} cannot be kept: ${reason}`, { cause });
  }
}

function readSeed(file: string): Uint8Array | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { mode, size } = fstatSync(descriptor);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new PipevineError('permission-denied', `${file} is open to others; run: chmod 600 ${file}`);
    }
    const text = size > MAX_BYTES ? '' : readFileSync(descriptor, 'utf8').trim();
    const seed = text.startsWith(PREFIX) ? base32Decode(text.slice(PREFIX.length)) : undefined;
    if (seed?.length === SEED_BYTES) return seed;
    throw new PipevineError(
      'storage-failed',
      `${file} is damaged; restore it from a backup, or remove its folder to become a new peer.`,
    );
  } finally {
    closeSync(descriptor);
  }
}

/** The file appears whole, synced and readable by its owner alone, or not at all. Who comes second gets the first one's. */
function createSeed(file: string, randomBytes: (length: number) => Uint8Array): Uint8Array {
  const seed = randomBytes(SEED_BYTES);
  const temporary = `${file}.${base32Encode(randomBytes(5))}`;
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
    return seed;
  } catch (error) {
    const earlier = readSeed(file);
    if (earlier !== undefined) return earlier;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}
