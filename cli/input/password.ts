import { readFile } from 'node:fs/promises';
import { PipevineError } from '@pipevine/runtime';
import type { Arguments } from '../arguments/command-spec.ts';
import type { Input } from './input.ts';

const MAX_PASSWORD_BYTES = 256;

export interface PasswordOptions {
  /** Asked twice. */
  readonly isNew?: boolean;
  /** Which option names a file with it; default: `password-file`. */
  readonly option?: string;
}

/**
 * A password from --password-file or from the person at the terminal, in NFC: the same for all keyboards. Never an
 * argument, which every process of the machine could see. Throws `invalid-argument`.
 */
export async function readPassword(
  input: Input,
  options: Arguments['local'],
  question: string,
  { isNew = false, option = 'password-file' }: PasswordOptions = {},
): Promise<string> {
  const file = options[option]?.[0];
  const typed = file === undefined ? await askFor(input, question, isNew, option) : await fromFile(input, file, option);
  const password = typed.normalize('NFC');
  const length = Buffer.byteLength(password);
  if (length >= 1 && length <= MAX_PASSWORD_BYTES) return password;
  return fail(`expected a password of 1 to ${MAX_PASSWORD_BYTES} bytes, not of ${length}`);
}

async function askFor(input: Input, question: string, isNew: boolean, option: string): Promise<string> {
  if (!input.interactive) {
    return fail(`a password is needed, and nobody can be asked here; give it by --${option} FILE, - for stdin`);
  }
  const password = await input.ask(`${question}: `, { secret: true });
  if (isNew && (await input.ask('The same again: ', { secret: true })) !== password) {
    return fail('the two passwords are not the same; nothing was done');
  }
  return password;
}

async function fromFile(input: Input, file: string, option: string): Promise<string> {
  if (file === '-') return input.firstLine();
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/, 1)[0] ?? '';
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PipevineError('invalid-argument', `--${option}: ${file} cannot be read (${reason})`, { cause });
  }
}

function fail(message: string): never {
  throw new PipevineError('invalid-argument', message);
}
