import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { decodeRecord, encodeRecord } from '../../runtime/advertisement/advertisement-record.ts';
import { decodeGroupRecord, encodeGroupRecord } from '../../runtime/group/group-record.ts';
import { decodeHeld, decodeMark, encodeHeld, encodeMark, positionKey } from '../../runtime/mailbox/mailbox-record.ts';
import { decodeOutboxRow, encodeOutboxRow } from '../../runtime/mailbox/outbox-table.ts';
import { decodeJoinCodeRecord, encodeJoinCodeRecord } from '../../runtime/membership/join-code-record.ts';
import { ALICE, BOB, GROUP, NOW_MS, SERIAL } from '../vectors/cast.ts';
import type { FuzzedCodec } from './fuzzed-codec.ts';

const random = seededRandom('storage codecs');
const id = random.bytes(16);
const facts = {
  sequence: 5,
  group: GROUP,
  kind: 'thing',
  publisher: ALICE.id,
  key: 'lamp',
  name: 'Hall lamp',
  attributes: new Map([['connector', 'mqtt']]),
} as const;
const outbox = {
  id,
  recipient: BOB.id,
  sealedBytes: 16,
  expiresAtMs: 9,
  wantsReceipt: true,
  order: 3,
  wakeAtMs: undefined,
};

/** What is read back from a storage, which may have been damaged. */
export const STORAGE_CODECS: readonly FuzzedCodec[] = [
  {
    name: 'the record of an advertisement',
    valid: [
      encodeRecord({ state: 'held', own: true, expiresAtMs: NOW_MS, facts }),
      encodeRecord({ state: 'gone', own: false, sequence: 5, goneAtMs: NOW_MS, publisher: ALICE.id }),
    ],
    decode: decodeRecord,
  },
  {
    name: 'the record of a group',
    valid: [
      encodeGroupRecord({ name: 'Home', credential: id, authoritySeed: random.bytes(32), administrator: ALICE.id }),
    ],
    decode: decodeGroupRecord,
    encode: encodeGroupRecord,
  },
  {
    name: 'the record of a join code',
    valid: [
      encodeJoinCodeRecord({
        id: 'code',
        group: GROUP,
        secretHash: nodeCrypto.sha256(id),
        createdAtMs: 1,
        expiresAtMs: 2,
        uses: 3,
        roles: ['member'],
        redemptions: [{ peer: BOB.id, serial: SERIAL, name: 'edge' }],
      }),
    ],
    decode: (bytes) => decodeJoinCodeRecord('code', bytes),
    covers: [decodeJoinCodeRecord],
  },
  {
    name: 'an entry of a mailbox',
    valid: [
      encodeHeld({
        position: 7,
        recipient: BOB.id,
        sender: ALICE.id,
        id,
        sealedBytes: 9,
        expiresAtMs: 5,
        wantsReceipt: true,
        state: 'waiting',
        wakeAtMs: undefined,
      }),
    ],
    decode: (bytes) => decodeHeld(positionKey(7), bytes),
    covers: [decodeHeld],
  },
  { name: 'the mark of a mailbox', valid: [encodeMark(id, 8)], decode: decodeMark },
  {
    name: 'a row of the outbox',
    valid: [
      encodeOutboxRow({ ...outbox, relay: undefined }, id),
      encodeOutboxRow({ ...outbox, relay: ALICE.id }, undefined),
    ],
    decode: (bytes) => decodeOutboxRow(id, bytes),
    covers: [decodeOutboxRow],
  },
];
