/**
 * A join code in the storage, table `join-code` under its id:
 * `[group, secret hash, createdAtMs, expiresAtMs, uses, [* role], [* [peer, serial, name]]]`.
 */
import { base32Decode, base32Encode } from '../id/base32.ts';
import { groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readText } from '../wire/shape.ts';
import type { IssuedJoinCode } from './join-code-book.ts';

export const JOIN_CODE_TABLE = 'join-code';

const WHAT = 'A stored join code';

export function encodeJoinCodeRecord(code: IssuedJoinCode): Uint8Array {
  return encodeCanonical([
    groupIdToBytes(code.group),
    code.secretHash,
    code.createdAtMs,
    code.expiresAtMs,
    code.uses,
    code.roles,
    code.redemptions.map(({ peer, serial, name }) => [
      peerIdToBytes(peer),
      base32Decode(serial) ?? new Uint8Array(0),
      name,
    ]),
  ]);
}

/** Throws `malformed`. */
export function decodeJoinCodeRecord(id: string, bytes: Uint8Array): IssuedJoinCode {
  const members = readArray(decodeStrict(bytes), WHAT, { length: 7 });
  return {
    id,
    group: groupIdFromBytes(readBytes(members[0], WHAT, { length: 32 })),
    secretHash: readBytes(members[1], WHAT, { length: 32 }),
    createdAtMs: readInteger(members[2], WHAT),
    expiresAtMs: readInteger(members[3], WHAT),
    uses: readInteger(members[4], WHAT),
    roles: readArray(members[5], WHAT).map((role) => readText(role, WHAT)),
    redemptions: readArray(members[6], WHAT).map((each) => {
      const [peer, serial, name] = readArray(each, WHAT, { length: 3 });
      return {
        peer: peerIdFromBytes(readBytes(peer, WHAT, { length: 32 })),
        serial: base32Encode(readBytes(serial, WHAT)),
        name: readText(name, WHAT),
      };
    }),
  };
}
