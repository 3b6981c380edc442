/**
 * What is inside a sealed message, a CBOR map. Around it: Noise pattern X, prologue `pipevine/1 mailbox`, the group and the
 * recipient, so that a message counts in no other group and for nobody else.
 *
 * | key | member   | value                                                                       |
 * |-----|----------|-----------------------------------------------------------------------------|
 * |   1 | identity | identity payload of the sender, with its credential (link.md)                 |
 * |   2 | id       | 16 bytes                                                                    |
 * |   3 | sent at  | wall clock of the sender, ms since 1970                                     |
 * |   4 | body     | bytes; absent in a receipt                                                  |
 * |   5 | taken    | receipts only: id of the message that was taken                             |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { checkCapability } from '../group/access.ts';
import type { Credential, GroupAccess } from '../group/group-access.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import { makeIdentityPayload, verifyIdentityPayload } from '../link/identity-payload.ts';
import { openMessage, sealMessage } from '../link/sealed-message.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { readMap } from '../wire/shape.ts';
import { MAX_MESSAGE_BODY_BYTES, MAX_SEALED_BYTES, MESSAGE_ID_BYTES } from './mailbox-defaults.ts';

const DOMAIN = new TextEncoder().encode('pipevine/1 mailbox');
const WHAT = 'A sealed message';
const ID = { length: MESSAGE_ID_BYTES };

export interface EnvelopeInit {
  readonly identity: Identity;
  readonly access: GroupAccess;
  readonly crypto: Crypto;
  readonly random: Random;
}

export type EnvelopeContent =
  | { readonly type: 'message'; readonly body: Uint8Array }
  | { readonly type: 'receipt'; readonly taken: Uint8Array };

export interface Envelope {
  readonly id: Uint8Array;
  readonly sentAtMs: number;
  readonly content: EnvelopeContent;
}

export interface OpenedEnvelope extends Envelope {
  readonly sender: PeerId;
  readonly credential: Credential;
  /** Where a receipt may be sealed to. */
  readonly senderStaticKey: Uint8Array;
}

/** Seals for the recipient whose static key that is. Throws what `credentialOf` throws. */
export function sealEnvelope(
  init: EnvelopeInit,
  recipient: { readonly peer: PeerId; readonly staticKey: Uint8Array },
  { id, sentAtMs, content }: Envelope,
): Uint8Array {
  const { identity, access, crypto, random } = init;
  const claims = { credential: access.credentialOf(identity.id) };
  const plaintext = encodeCanonical(
    new Map<number, Uint8Array | number | undefined>([
      [1, makeIdentityPayload(identity, claims)],
      [2, id],
      [3, Math.max(0, Math.floor(sentAtMs))],
      [4, content.type === 'message' ? content.body : undefined],
      [5, content.type === 'receipt' ? content.taken : undefined],
    ]),
  );
  const prologue = prologueOf(access.group, recipient.peer);
  const keys = { localStatic: identity.agreement, remoteStaticKey: recipient.staticKey };
  return sealMessage({ crypto, random, prologue, ...keys }, plaintext);
}

/**
 * Opens what was sealed for this peer and verifies all that is said in it. Throws `malformed`, `forged`, `too-large`, or what
 * the group says to the sender's credential: `refused`, `expired`, `revoked`.
 */
export function openEnvelope(init: EnvelopeInit, sealed: Uint8Array): OpenedEnvelope {
  const { identity, access, crypto, random } = init;
  const prologue = prologueOf(access.group, identity.id);
  const opened = openMessage({ crypto, random, prologue, localStatic: identity.agreement }, sealed);
  const map = readMap(decodeStrict(opened.plaintext, { maxBytes: MAX_SEALED_BYTES }), WHAT);
  const proven = verifyIdentityPayload(crypto, map.bytes(1, 'identity'), opened.remoteStaticKey);
  const credential = access.verify(proven.peer, proven.credential ?? new Uint8Array(0));
  if (credential === undefined) throw new PipevineError('refused', `${WHAT} is for members of a group.`);
  const taken = map.optionalBytes(5, 'taken', ID);
  if (taken === undefined) checkCapability('publish', 'sending a message', proven.peer, credential);
  return {
    id: map.bytes(2, 'id', ID),
    sentAtMs: map.integer(3, 'sent at'),
    content: taken
      ? { type: 'receipt', taken }
      : { type: 'message', body: map.bytes(4, 'body', { maxLength: MAX_MESSAGE_BODY_BYTES }) },
    sender: proven.peer,
    credential,
    senderStaticKey: opened.remoteStaticKey,
  };
}

const prologueOf = (group: GroupId, recipient: PeerId): Uint8Array =>
  joinBytes([DOMAIN, groupIdToBytes(group), peerIdToBytes(recipient)]);
