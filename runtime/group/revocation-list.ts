/**
 * Revocation list on the wire: a COSE_Sign1 in the domain `pipevine/1 revocations`, signed by the group's authority:
 * `{1: group, 2: sequence, 3: [* [serial, untilMs]]}`. Of two lists the one with the higher sequence counts. A serial may
 * leave the list at `untilMs`, when no credential with it can be valid or renewed any more.
 */
import { decodeCose, equalBytes, signCose, verifyCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Decode, base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import type { Crypto, SigningKey } from '../platform/crypto.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readMap } from '../wire/shape.ts';
import { MAX_REVOCATION_LIST_BYTES, MAX_REVOKED_SERIALS, SERIAL_BYTES } from './group-defaults.ts';

const DOMAIN = 'pipevine/1 revocations';
const WHAT = 'A revocation list';

export interface RevocationList {
  readonly group: GroupId;
  readonly sequence: number;
  /** Serial to the wall-clock time until which it must be listed. */
  readonly serials: ReadonlyMap<string, number>;
  readonly encoded: Uint8Array;
}

export function signRevocationList(signing: SigningKey, list: Omit<RevocationList, 'encoded'>): RevocationList {
  if (list.serials.size > MAX_REVOKED_SERIALS) {
    throw new PipevineError('overloaded', `${MAX_REVOKED_SERIALS} revocations are the most that a group can have.`);
  }
  const serials = [...list.serials].map(([serial, untilMs]) => [serialToBytes(serial), untilMs]);
  const payload = encodeCanonical(
    new Map<number, CborInput>([
      [1, groupIdToBytes(list.group)],
      [2, list.sequence],
      [3, serials],
    ]),
  );
  return { ...list, encoded: signCose(signing, DOMAIN, payload) };
}

/** Throws `too-large`, `malformed` or `forged`. */
export function verifyRevocationList(crypto: Crypto, encoded: Uint8Array): RevocationList {
  const cose = decodeCose(encoded, WHAT, MAX_REVOCATION_LIST_BYTES);
  const reader = readMap(decodeStrict(cose.payload), WHAT);
  const group = reader.bytes(1, 'group', { length: 32 });
  const serials = new Map<string, number>();
  for (const member of reader.array(3, 'serials', { maxLength: MAX_REVOKED_SERIALS })) {
    const [serial, untilMs] = readArray(member, `${WHAT}: entry`, { length: 2 });
    const bytes = readBytes(serial, `${WHAT}: serial`, { length: SERIAL_BYTES });
    serials.set(base32Encode(bytes), readInteger(untilMs, `${WHAT}: untilMs`));
  }
  if (!equalBytes(cose.signer, group)) {
    throw new PipevineError('forged', "A revocation list must be signed by the group's authority.");
  }
  verifyCose(crypto, DOMAIN, cose, WHAT);
  return { group: groupIdFromBytes(group), sequence: reader.integer(2, 'sequence'), serials, encoded };
}

export function serialToBytes(serial: string): Uint8Array {
  const bytes = base32Decode(serial);
  if (bytes?.length !== SERIAL_BYTES) {
    throw new PipevineError(
      'invalid-argument',
      `A serial is ${SERIAL_BYTES} bytes as base32, not "${serial.slice(0, 40)}".`,
    );
  }
  return bytes;
}
