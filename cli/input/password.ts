import { readFile } from 'node:fs/promises';
import { PipevineError } from '@pipevine/runtime';
import type { Arguments } from '../arguments/command-spec.ts';
import type { Input } from './input.ts';

const MAX_PASSWORD_BYTES = 256;

/**
 * A password from --password-file or from the person at the terminal, in NFC: the same for all keyboards. Never an
 * argument, which every process of the machine could see. `isNew`: asked twice. Throws `invalid-argument`.
 */
export async function readPassword(
  input: Input,
  options: Arguments['local'],
  question: string,
  { isNew = false }: { readonly isNew?: boolean } = {},
): Promise<string> {
  const file = options['password-file']?.[0];
  const typed = file === undefined ? await askFor(input, question, isNew) : await fromFile(input, file);
  const password = typed.normalize('NFC');
  const length = Buffer.byteLength(password);
  if (length >= 1 && length <= MAX_PASSWORD_BYTES) return password;
  return fail(`expected a password of 1 to ${MAX_PASSWORD_BYTES} bytes, not of ${length}`);
}

async function askFor(input: Input, question: string, isNew: boolean): Promise<string> {
  if (!input.interactive) {
    return fail('a password is needed, and nobody can be asked here; give it by --password-file FILE, - for stdin');
  }
  const password = await input.ask(`${question}: `, { secret: true });
  if (isNew && (await input.ask('The same again: ', { secret: true })) !== password) {
    return fail('the two passwords are not the same; nothing was done');
  }
  return password;
}

async function fromFile(input: Input, file: string): Promise<string> {
  if (file === '-') return input.firstLine();
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/, 1)[0] ?? '';
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PipevineError('invalid-argument', `--password-file: ${file} cannot be read (${reason})`, { cause });
  }
}

function fail(message: string): never {
  throw new PipevineError('invalid-argument', message);
}
