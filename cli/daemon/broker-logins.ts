import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { PipevineError } from '@pipevine/runtime';
import type { BrokerLogin } from '@pipevine/transports';
import { readSecretFile } from '../home/secret-file.ts';

const MEMBERS = ['username', 'password', 'ca'];
const EXPECTED =
  'expected {"mqtts://host:8883": {"username": "...", "password": "...", "ca": "FILE"}}, each member as needed';

/** Where the logins at MQTT brokers stand that carry links: they are secrets, and so not in the configuration. */
export const brokersFileOf = (home: string): string => join(home, 'brokers.json');

/**
 * Logins by broker, as the file has them; none when there is no file. `ca` names a PEM file, beside this one unless its path
 * says more. Throws `permission-denied` when others may read it, `invalid-argument` when it is no such file.
 */
export function brokerLogins(file: string): ReadonlyMap<string, BrokerLogin> {
  const text = readSecretFile(file, `the logins ${file}`, 'whoever reads it can use these brokers');
  if (text === undefined) return new Map();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong(file, cause instanceof Error ? cause.message : String(cause));
  }
  if (!isObject(value)) throw wrong(file, 'it is no object');
  return new Map(Object.entries(value).map(([broker, login]) => [broker, loginOf(file, broker, login)]));
}

function loginOf(file: string, broker: string, value: unknown): BrokerLogin {
  const what = `"${broker}"`;
  if (!isObject(value)) throw wrong(file, `${what} has no object`);
  const { username, password, ca, ...unknown } = value;
  const [other] = Object.keys(unknown);
  if (other !== undefined) throw wrong(file, `${what} has "${other}"; known are ${MEMBERS.join(', ')}`);
  const text = (name: string, member: unknown): string => {
    if (typeof member === 'string' && member !== '') return member;
    throw wrong(file, `"${name}" of ${what} is no text`);
  };
  return {
    ...(username !== undefined && { username: text('username', username) }),
    ...(password !== undefined && { password: text('password', password) }),
    ...(ca !== undefined && { ca: pemOf(resolve(dirname(file), text('ca', ca)), file) }),
  };
}

function pemOf(path: string, file: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw wrong(file, `the "ca" ${path} cannot be read (${code})`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(file: string, why: string): PipevineError {
  return new PipevineError('invalid-argument', `${file}: ${why}; ${EXPECTED}`);
}
