import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { BoardsError } from '../boards-error.ts';

/** DER of an Ed25519 public key (RFC 8410) up to the key itself. */
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PUBLIC_BYTES = 32;

/** By the XDG Base Directory Specification: $XDG_CONFIG_HOME/pipevine, or ~/.config/pipevine. */
export function keyFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), '.config'), 'pipevine');
}

const signingFile = (folder: string) => join(folder, 'signing.key');
const trustedFolder = (folder: string) => join(folder, 'trusted-keys');

export interface TrustedKey {
  readonly name: string;
  /** 32 bytes as base64. */
  readonly publicKey: string;
  /** Whether its private half is here. */
  readonly isOwn: boolean;
}

/** The key that signs releases made here; PEM (PKCS #8), mode 0600. Undefined: there is none yet. */
export function readSigningKey(folder: string): KeyObject | undefined {
  const file = signingFile(folder);
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    if (Object(error).code === 'ENOENT') return undefined;
    throw new BoardsError('environment', `the signing key ${file} cannot be read (${Object(error).code})`, {
      cause: error,
    });
  }
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new BoardsError('refused', `others can read the signing key ${file}; run: chmod 600 ${file}`);
  }
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below: what stands there is no key.
  }
  throw new BoardsError(
    'usage',
    `${file} is no Ed25519 key in PEM; put it back from a copy, or remove it and run: pipevine keys create`,
  );
}

/** Makes a signing key. Throws `refused` where there is one. */
export function createSigningKey(folder: string): KeyObject {
  if (readSigningKey(folder) !== undefined) {
    throw new BoardsError(
      'refused',
      `there is a signing key already in ${signingFile(folder)}; who trusts it would not trust a new one`,
    );
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(signingFile(folder), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  chmodSync(signingFile(folder), 0o600);
  return privateKey;
}

/** The public half as 32 bytes in base64. */
export function publicKeyText(key: KeyObject): string {
  const der = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
  return der.subarray(PUBLIC_PREFIX.length).toString('base64');
}

export function publicKeyOf(text: string): KeyObject {
  const raw = Buffer.from(text, 'base64');
  if (raw.length !== PUBLIC_BYTES || raw.toString('base64') !== text) {
    throw new BoardsError('usage', `expected an Ed25519 public key, 32 bytes in base64 (44 characters), not "${text}"`);
  }
  return createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), type: 'spki', format: 'der' });
}

/** Keys whose releases count as good here, one's own first. */
export function trustedKeys(folder: string): readonly TrustedKey[] {
  const own = readSigningKey(folder);
  let names: string[] = [];
  try {
    names = readdirSync(trustedFolder(folder)).sort();
  } catch {
    // None yet.
  }
  const others = names.map((name): TrustedKey => {
    const publicKey = readFileSync(join(trustedFolder(folder), name), 'utf8').trim();
    publicKeyOf(publicKey);
    return { name, publicKey, isOwn: false };
  });
  return own === undefined ? others : [{ name: 'own', publicKey: publicKeyText(own), isOwn: true }, ...others];
}

/** From now on, what this key signed counts as good. */
export function trustKey(folder: string, name: string, publicKey: string): void {
  publicKeyOf(publicKey);
  const file = join(trustedFolder(folder), checkedName(name));
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${publicKey}\n`, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    if (Object(error).code !== 'EEXIST') throw error;
    throw new BoardsError('refused', `there is a trusted key "${name}" already; first: pipevine keys forget ${name}`, {
      cause: error,
    });
  }
}

export function forgetKey(folder: string, name: string): void {
  try {
    rmSync(join(trustedFolder(folder), checkedName(name)));
  } catch (error) {
    throw new BoardsError('not-found', `there is no trusted key "${name}"; \`pipevine keys list\` shows them`, {
      cause: error,
    });
  }
}

function checkedName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/i.test(name) && name !== 'own') return name;
  throw new BoardsError(
    'usage',
    `expected a name of letters, digits, dots and hyphens, other than "own", not "${name}"`,
  );
}

export const signWith = (key: KeyObject, content: Uint8Array): string => sign(null, content, key).toString('base64');
export const isSignedBy = (publicKey: string, content: Uint8Array, signature: string): boolean =>
  verify(null, content, publicKeyOf(publicKey), Buffer.from(signature, 'base64'));
