/**
 * What is kept of each group, in table `group` under the base32 part of its id:
 * `{1: name, 2: credential, ? 3: seed of the authority, ? 4: administrator that admitted this peer}`, and in table
 * `statement` each of its statements as signed, under the same and the statement's slot.
 */

import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { StorageChange } from '../platform/storage.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import { type Statement, slotOf } from './statement.ts';

export const GROUP_TABLE = 'group';
export const STATEMENT_TABLE = 'statement';

const WHAT = 'The stored record of a group';

export interface GroupRecord {
  readonly name: string;
  readonly credential: Uint8Array;
  readonly authoritySeed: Uint8Array | undefined;
  readonly administrator: PeerId | undefined;
}

export function groupKey(group: GroupId): string {
  return base32Encode(groupIdToBytes(group));
}

/** Stores a statement, or removes it. */
export function statementChange(statement: Statement, action: 'store' | 'remove'): StorageChange {
  const key = `${groupKey(statement.group)} ${slotOf(statement)}`;
  return { table: STATEMENT_TABLE, key, value: action === 'store' ? statement.encoded : undefined };
}

export function encodeGroupRecord(record: GroupRecord): Uint8Array {
  return encodeCanonical(
    new Map<number, string | Uint8Array | undefined>([
      [1, record.name],
      [2, record.credential],
      [3, record.authoritySeed],
      [4, record.administrator === undefined ? undefined : peerIdToBytes(record.administrator)],
    ]),
  );
}

/** Throws `malformed`. */
export function decodeGroupRecord(bytes: Uint8Array): GroupRecord {
  const reader = readMap(decodeStrict(bytes), WHAT);
  const administrator = reader.optionalBytes(4, 'administrator', { length: 32 });
  return {
    name: reader.text(1, 'name'),
    credential: reader.bytes(2, 'credential'),
    authoritySeed: reader.optionalBytes(3, 'seed', { length: 32 }),
    administrator: administrator === undefined ? undefined : peerIdFromBytes(administrator),
  };
}
