import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import { MAX_REASON_CHARACTERS } from '../wire/wire-defaults.ts';

/** The code of UNBIND and CLOSE that means: in good order. */
export const DONE = 'done';

// A record, so that the compiler notices a code that is missing here.
const CODES: Readonly<Record<ErrorCode, true>> = {
  'invalid-argument': true,
  'invalid-address': true,
  'not-found': true,
  ambiguous: true,
  aborted: true,
  closed: true,
  busy: true,
  malformed: true,
  protocol: true,
  'wrong-peer': true,
  forged: true,
  expired: true,
  replayed: true,
  refused: true,
  revoked: true,
  'too-large': true,
  unsupported: true,
  unreachable: true,
  timeout: true,
  'address-in-use': true,
  'permission-denied': true,
  'multicast-unavailable': true,
  'storage-full': true,
  'storage-failed': true,
  overloaded: true,
  internal: true,
};

/** The error that a code and reason of UNBIND or CLOSE stand for; undefined for `done`. An unknown code reads as `refused`. */
export function errorFromWire(code: string, reason: string): PipevineError | undefined {
  if (code === DONE) return undefined;
  const known = Object.hasOwn(CODES, code) ? (code as ErrorCode) : 'refused'; // Proven by the lookup.
  return new PipevineError(known, reason === '' ? `The other peer said no, with code ${code}.` : reason);
}

/** A reason cut to what a frame holds, without half of a surrogate pair at its end. */
export function reasonForWire(reason: string): string {
  return reason.toWellFormed().slice(0, MAX_REASON_CHARACTERS).toWellFormed();
}
