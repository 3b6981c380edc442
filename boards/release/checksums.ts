import { createHash, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BoardsError } from '../boards-error.ts';
import { isSignedBy, publicKeyText, signWith, type TrustedKey } from './signing-key.ts';

/**
 * A release is a folder with SHA256SUMS, as sha256sum(1) writes it, behind one line that says what it is: nothing else that
 * the same key signs begins like this. SHA256SUMS.sig has two lines: the public key and the signature (Ed25519, RFC 8032) over
 * all bytes of SHA256SUMS, both in base64.
 */
const SUMS = 'SHA256SUMS';
const SIGNATURE = 'SHA256SUMS.sig';
const FIRST_LINE = '# pipevine release 1';
/** A release has a dozen files; what is longer is none. */
const MAX_SUMS_BYTES = 64 * 1024;

/** Writes both files into the folder. Without a key there is no signature. */
export async function writeChecksums(
  folder: string,
  names: readonly string[],
  key: KeyObject | undefined,
): Promise<void> {
  const lines: string[] = [];
  for (const name of [...names].sort()) lines.push(`${await sha256Of(join(folder, name))}  ${name}\n`);
  const content = `${FIRST_LINE}\n${lines.join('')}`;
  await writeFile(join(folder, SUMS), content);
  if (key === undefined) return;
  await writeFile(join(folder, SIGNATURE), `${publicKeyText(key)}\n${signWith(key, Buffer.from(content))}\n`);
}

export interface Verified {
  readonly file: string;
  /** Name of the key that signed. */
  readonly signer: string;
  readonly sha256: string;
}

/**
 * Checks a file against the checksums beside it, and these against the keys. Throws `not-found` without checksums or signature, and
 * `refused` when anything does not agree.
 */
export async function verifyFile(file: string, keys: readonly TrustedKey[]): Promise<Verified> {
  const folder = dirname(file);
  const sums = await readRelease(join(folder, SUMS));
  const [publicKey = '', signature = ''] = (await readRelease(join(folder, SIGNATURE))).toString('utf8').split('\n');
  const signer = keys.find((key) => key.publicKey === publicKey);
  if (signer === undefined) {
    throw new BoardsError(
      'refused',
      `${SIGNATURE} is by the key ${publicKey.slice(0, 64)}, which is not trusted here; if you know whose it is: pipevine keys trust KEY NAME`,
    );
  }
  const text = sums.toString('utf8');
  if (!isSignedBy(publicKey, sums, signature) || !text.startsWith(`${FIRST_LINE}\n`)) {
    throw new BoardsError(
      'refused',
      `${join(folder, SUMS)} is not what "${signer.name}" has signed; get the release again`,
    );
  }
  const name = basename(file);
  const line = text.split('\n').find((each) => each.slice(66) === name);
  if (line === undefined) {
    throw new BoardsError('not-found', `"${name}" is no part of the signed release in ${folder}; was it renamed?`);
  }
  const sha256 = await sha256Of(file);
  if (line.slice(0, 64) !== sha256) {
    throw new BoardsError(
      'refused',
      `${file} has the SHA-256 ${sha256}, the release says ${line.slice(0, 64)}; get it again`,
    );
  }
  return { file, signer: signer.name, sha256 };
}

async function readRelease(file: string): Promise<Buffer> {
  const content = await readFile(file).catch((error: unknown) => {
    throw new BoardsError(
      'not-found',
      `${file} cannot be read (${Object(error).code}); it belongs beside the file to verify`,
      { cause: error },
    );
  });
  if (content.length <= MAX_SUMS_BYTES) return content;
  throw new BoardsError('refused', `${file} has ${content.length} bytes, expected at most ${MAX_SUMS_BYTES}`);
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    throw new BoardsError('not-found', `${file} cannot be read (${Object(error).code})`, { cause: error });
  }
  return hash.digest('hex');
}
