import assert from 'node:assert/strict';
import { nodeCrypto } from '@pipevine/transports';
import { verifyCredential } from '../../../runtime/group/credential-codec.ts';
import type { GroupAccess } from '../../../runtime/group/group-access.ts';
import { groupIdToBytes } from '../../../runtime/id/group-id.ts';
import type { Identity } from '../../../runtime/id/identity.ts';
import { peerIdToBytes } from '../../../runtime/id/peer-id.ts';
import { openMessage } from '../../../runtime/link/sealed-message.ts';
import * as codec from '../../../runtime/mailbox/mailbox-codec.ts';
import { type Envelope, openEnvelope, sealEnvelope } from '../../../runtime/mailbox/mailbox-envelope.ts';
import { joinBytes } from '../../../runtime/wire/join-bytes.ts';
import { asJson } from '../as-json.ts';
import {
  ALICE,
  ALICE_CREDENTIAL,
  ALICE_SEED,
  always,
  BOB,
  BOB_CREDENTIAL,
  BOB_SEED,
  filled,
  GROUP,
  NOW_MS,
} from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorSet } from '../vector-set.ts';

const access: GroupAccess = {
  group: GROUP,
  credentialOf: (peer) => (peer === ALICE.id ? ALICE_CREDENTIAL : BOB_CREDENTIAL).encoded,
  verify: (_, credential) => verifyCredential(nodeCrypto, credential)[0],
};
const id = filled(16, 0x1d);
const taken = filled(16, 0x2d);
const init = (identity: Identity, ephemeral: number) => ({
  identity,
  access,
  crypto: nodeCrypto,
  random: always(ephemeral),
});

/** From Alice to Bob, or back. */
function envelope(name: string, from: Identity, to: Identity, content: Envelope['content']): Vector {
  const isAlice = from === ALICE;
  const value: Envelope = { id: content.type === 'message' ? id : taken, sentAtMs: NOW_MS, content };
  const sealed = sealEnvelope(init(from, 0xe1), { peer: to.id, staticKey: to.agreement.publicKey }, value);
  const prologue = joinBytes([
    new TextEncoder().encode('pipevine/1 mailbox'),
    groupIdToBytes(GROUP),
    peerIdToBytes(to.id),
  ]);
  const { plaintext } = openMessage(
    { crypto: nodeCrypto, random: always(0), localStatic: to.agreement, prologue },
    sealed,
  );
  return {
    data: {
      name,
      from: {
        seed: toHex(isAlice ? ALICE_SEED : BOB_SEED),
        ephemeral: toHex(filled(32, 0xe1)),
        credential: toHex(access.credentialOf(from.id)),
      },
      to: { seed: toHex(isAlice ? BOB_SEED : ALICE_SEED) },
      group: GROUP,
      prologue: toHex(prologue),
      value: asJson(value),
      cddl: 'envelope',
      bytes: toHex(plaintext),
      sealed: toHex(sealed),
    },
    check: (data) => {
      const { sender, id: opened, sentAtMs, content: inside } = openEnvelope(init(to, 0), fromHex(data.sealed));
      assert.equal(sender, from.id);
      assert.deepEqual(asJson({ id: opened, sentAtMs, content: inside }), data.value);
    },
  };
}

const sealed = filled(100, 0x5e);
const receipt = filled(90, 0x4e);
const REQUEST = { encode: codec.encodeMailboxRequest, decode: codec.decodeMailboxRequest, cddl: 'mailbox-request' };
const ITEM = { encode: codec.encodeTakeItem, decode: codec.decodeTakeItem, cddl: 'take-item' };
const statuses: codec.PutStatus[] = [
  { type: 'stored' },
  { type: 'held' },
  { type: 'refused', reason: 'pair-bytes', limit: 4_194_304 },
];
const delivered: codec.DeliverStatus[] = [
  { type: 'taken', code: '', message: '' },
  { type: 'kept', code: 'overloaded', message: 'later' },
  { type: 'refused', code: 'forged', message: 'no' },
];

export const MAILBOX: VectorSet = {
  name: 'mailbox',
  description:
    'Sealed messages with a fixed ephemeral key (`bytes` is what is inside), and requests and answers of the handlers `mailbox` and `mailbox-deliver`, where sealed bytes are made up.',
  document: 'docs/protocol/mailbox.md',
  cddl: 'mailbox.cddl',
  vectors: [
    envelope('a message from Alice to Bob', ALICE, BOB, { type: 'message', body: new TextEncoder().encode('hello') }),
    envelope("Bob's receipt for it", BOB, ALICE, { type: 'receipt', taken: id }),
    codecVector({
      name: 'put',
      value: {
        type: 'put' as const,
        messages: [{ recipient: BOB.id, id, sealed, lifetimeMs: 86_400_000, wantsReceipt: true }],
      },
      ...REQUEST,
    }),
    codecVector({ name: 'take', value: { type: 'take' as const, after: undefined, watch: false }, ...REQUEST }),
    codecVector({
      name: 'take what is behind a position, and wait',
      value: { type: 'take' as const, after: 17, watch: true },
      ...REQUEST,
    }),
    codecVector({
      name: 'done',
      value: {
        type: 'done' as const,
        taken: [
          { sender: ALICE.id, id, receipt },
          { sender: ALICE.id, id: taken, receipt: undefined },
        ],
      },
      ...REQUEST,
    }),
    codecVector({
      name: 'answer to a put',
      value: statuses,
      encode: codec.encodePutAnswer,
      decode: (bytes) => codec.decodePutAnswer(bytes, statuses.length),
      cddl: 'put-answer',
    }),
    codecVector({ name: 'waiting', value: { type: 'waiting' as const, messages: 1 }, ...ITEM }),
    codecVector({
      name: 'a message',
      value: { type: 'message' as const, position: 18, sender: ALICE.id, id, sealed, wantsReceipt: true },
      ...ITEM,
    }),
    codecVector({
      name: 'deliver',
      value: [{ id, sealed }],
      encode: codec.encodeDeliverRequest,
      decode: codec.decodeDeliverRequest,
      cddl: 'deliver',
    }),
    codecVector({
      name: 'answer to deliver',
      value: delivered,
      encode: codec.encodeDeliverAnswer,
      decode: (bytes) => codec.decodeDeliverAnswer(bytes, delivered.length),
      cddl: 'deliver-answer',
    }),
  ],
};
