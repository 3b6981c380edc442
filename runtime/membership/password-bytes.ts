import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_PASSWORD_BYTES, MIN_PASSWORD_BYTES } from './membership-defaults.ts';

/** A password as it is stretched: the same characters are the same bytes whatever keyboard they came from. */
export function passwordBytes(password: string): Uint8Array {
  return new TextEncoder().encode(password.normalize('NFKC'));
}

/** The same of a password that is about to be set. Throws `invalid-argument` when it is too short or too long. */
export function newPasswordBytes(password: string): Uint8Array {
  const bytes = passwordBytes(password);
  if (bytes.length >= MIN_PASSWORD_BYTES && bytes.length <= MAX_PASSWORD_BYTES) return bytes;
  throw new PipevineError(
    'invalid-argument',
    `A group's password has ${MIN_PASSWORD_BYTES} to ${MAX_PASSWORD_BYTES} bytes of UTF-8, not ${bytes.length}.`,
  );
}
