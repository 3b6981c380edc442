import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { PipevineError } from '@pipevine/runtime';

/** scrypt (RFC 7914) with N = 2^14, r = 8, p = 1: 16 MiB and about 50 ms for each try. */
const COST = { N: 16_384, r: 8, p: 1 };
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const MAX_PASSWORD_BYTES = 1_024;
const MAX_USERS = 10_000;

interface PasswordHash {
  readonly salt: Buffer;
  readonly key: Buffer;
}

/** Checks logins against the users of a password file. */
export interface PasswordFile {
  readonly users: number;
  authenticate(username: string, password: string): Promise<boolean>;
}

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, COST, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Makes a line of a password file: `user:$scrypt$SALT$KEY`, both base64url. Throws `invalid-argument`. */
export async function passwordLine(username: string, password: string): Promise<string> {
  if (username === '' || /[:\r\n]/.test(username)) {
    throw new PipevineError('invalid-argument', 'MQTT user: expected a name without colon or line break, not empty');
  }
  if (password === '' || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    throw new PipevineError('invalid-argument', `MQTT password: expected 1 to ${MAX_PASSWORD_BYTES} bytes`);
  }
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt);
  return `${username}:$scrypt$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

/**
 * Reads a password file: a line a user as `passwordLine` makes it; empty lines and those that begin with `#` are
 * skipped. Throws `invalid-argument` that names the line, never its content.
 */
export function parsePasswordFile(text: string): PasswordFile {
  const users = new Map<string, PasswordHash>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const match = /^([^:]+):\$scrypt\$([\w-]+)\$([\w-]+)$/.exec(line.trimEnd());
    const salt = Buffer.from(match?.[2] ?? '', 'base64url');
    const key = Buffer.from(match?.[3] ?? '', 'base64url');
    const username = match?.[1];
    if (username === undefined || salt.length !== SALT_BYTES || key.length !== KEY_BYTES) {
      throw new PipevineError(
        'invalid-argument',
        `MQTT password file, line ${index + 1}: expected USER:$scrypt$SALT$KEY (a plain password is not accepted)`,
      );
    }
    if (users.has(username)) {
      throw new PipevineError('invalid-argument', `MQTT password file, line ${index + 1}: this user comes twice`);
    }
    users.set(username, { salt, key });
    if (users.size > MAX_USERS) {
      throw new PipevineError('invalid-argument', `MQTT password file: expected at most ${MAX_USERS} users`);
    }
  }
  // An unknown user costs as much time as a known one, so that names cannot be guessed by it.
  const nobody: PasswordHash = { salt: randomBytes(SALT_BYTES), key: randomBytes(KEY_BYTES) };
  return {
    users: users.size,
    async authenticate(username, password) {
      if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return false;
      const hash = users.get(username);
      const { salt, key } = hash ?? nobody;
      return timingSafeEqual(await derive(password, salt), key) && hash !== undefined;
    },
  };
}
