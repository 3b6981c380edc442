/**
 * Content of a `revocations` statement: an array of `[serial, untilMs, ? version, ? depth]`.
 *
 * | member  | value                                                                                       |
 * |---------|---------------------------------------------------------------------------------------------|
 * | serial  | 16 bytes                                                                                    |
 * | untilMs | no credential with the serial can be valid or renewed then: the entry may go                |
 * | version | credentials with a lower one are void; 0 or absent: all with the serial                     |
 * | depth   | of an entry adopted from another's list: how near to the authority that issuer was, 1 to 3  |
 */

import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger } from '../wire/shape.ts';
import { MAX_CREDENTIAL_CHAIN, MAX_REVOKED_SERIALS, SERIAL_BYTES } from './group-defaults.ts';
import { serialToBytes } from './serial.ts';

const WHAT = 'A revocation list';

export interface RevocationEntry {
  readonly serial: string;
  readonly untilMs: number;
  /** Credentials with a lower version are void; Infinity: all. */
  readonly below: number;
  /** Counts as from an issuer this far from the authority, or as far as its issuer, whichever is farther. */
  readonly depth: number;
}

export function encodeRevocationList(entries: readonly RevocationEntry[]): Uint8Array {
  if (entries.length > MAX_REVOKED_SERIALS) {
    throw new PipevineError(
      'overloaded',
      `A revocation list has ${MAX_REVOKED_SERIALS} entries at most; let some run out, or revoke by another administrator.`,
    );
  }
  return encodeCanonical(
    entries.map(({ serial, untilMs, below, depth }): CborInput => {
      const version = below === Infinity ? 0 : below;
      const entry = [serialToBytes(serial), untilMs];
      if (depth > 0) return [...entry, version, depth];
      return version > 0 ? [...entry, version] : entry;
    }),
  );
}

/** Throws `malformed`. */
export function readRevocationList(content: Uint8Array): RevocationEntry[] {
  return readArray(decodeStrict(content), WHAT, { maxLength: MAX_REVOKED_SERIALS }).map((value) => {
    const [serial, untilMs, version, depth] = readArray(value, `${WHAT}: entry`, { minLength: 2, maxLength: 4 });
    return {
      serial: base32Encode(readBytes(serial, `${WHAT}: serial`, { length: SERIAL_BYTES })),
      untilMs: readInteger(untilMs, `${WHAT}: untilMs`),
      below: (version === undefined ? 0 : readInteger(version, `${WHAT}: version`)) || Infinity,
      depth: depth === undefined ? 0 : readInteger(depth, `${WHAT}: depth`, { max: MAX_CREDENTIAL_CHAIN }),
    };
  });
}
