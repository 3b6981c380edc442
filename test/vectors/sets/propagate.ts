import assert from 'node:assert/strict';
import type { Storage } from '@pipevine/runtime';
import { nodeCrypto, VirtualClock } from '@pipevine/transports';
import { base32Decode } from '../../../runtime/id/base32.ts';
import { groupIdToBytes } from '../../../runtime/id/group-id.ts';
import { peerIdToBytes } from '../../../runtime/id/peer-id.ts';
import { openMessage, sealMessage } from '../../../runtime/link/sealed-message.ts';
import { EpochKeys } from '../../../runtime/propagate/epoch-keys.ts';
import { keyIdOf } from '../../../runtime/propagate/epoch-view.ts';
import * as codec from '../../../runtime/propagate/propagate-codec.ts';
import { joinBytes } from '../../../runtime/wire/join-bytes.ts';
import { asJson } from '../as-json.ts';
import { ALICE, ALICE_SEED, always, BOB, BOB_SEED, filled, GROUP } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorSet } from '../vector-set.ts';
import { EPOCH, EPOCH_KEY } from './groups.ts';

const encoder = new TextEncoder();
/** Keeps nothing: the keys are also in memory. */
const storage: Storage = {
  get: () => undefined,
  scan: () => [],
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
const NONCE = filled(12, 0x4e);
const keyHash = nodeCrypto.sha256(EPOCH_KEY);
const keyId = keyHash.slice(0, 8);

/** By the written rule; that the product works it out alike is checked through EpochKeys. */
const senderKey = nodeCrypto.hkdfSha256(
  EPOCH_KEY,
  groupIdToBytes(GROUP),
  joinBytes([encoder.encode('pipevine/1 propagate'), peerIdToBytes(ALICE.id)]),
  32,
);

function sealed(name: string, content: codec.Content): Vector {
  const plaintext = codec.encodeContent(content);
  const ciphertext = nodeCrypto.aeadKey(senderKey).seal(NONCE, plaintext);
  const bytes = codec.encodeEnvelope({ number: 2, keyId, nonce: NONCE, sealed: ciphertext });
  return {
    data: {
      name,
      cddl: 'envelope',
      epochKey: toHex(EPOCH_KEY),
      group: GROUP,
      sender: ALICE.id,
      senderKey: toHex(senderKey),
      nonce: toHex(NONCE),
      contentCddl: 'content',
      content: toHex(plaintext),
      value: asJson(content),
      bytes: toHex(bytes),
    },
    check: async (data) => {
      const keys = new EpochKeys({
        group: GROUP,
        storage,
        clock: new VirtualClock(),
        crypto: nodeCrypto,
        onError: (error) => assert.fail(error),
      });
      await keys.add(fromHex(data.epochKey));
      const envelope = codec.decodeEnvelope(fromHex(data.bytes));
      const opened = keys.sender(keyIdOf(keyHash), ALICE.id)?.open(envelope.nonce, envelope.sealed);
      assert.equal(opened && toHex(opened), data.content);
      assert.deepEqual(asJson(codec.decodeContent(fromHex(data.content))), data.value);
      assert.deepEqual(base32Decode(keyIdOf(keyHash)), envelope.keyId);
    },
  };
}

const prologue = joinBytes([encoder.encode('pipevine/1 epoch key'), groupIdToBytes(GROUP), keyHash]);
const sealedKey = sealMessage(
  {
    crypto: nodeCrypto,
    random: always(0xe2),
    localStatic: BOB.agreement,
    remoteStaticKey: ALICE.agreement.publicKey,
    prologue,
  },
  EPOCH_KEY,
);

export const PROPAGATE: VectorSet = {
  name: 'propagate',
  description: 'Messages of propagate pipes sealed with a fixed key and nonce, and how a member gets the key.',
  document: 'docs/protocol/propagate.md',
  cddl: 'propagate.cddl',
  vectors: [
    sealed('a message', { name: 'chat', bytes: encoder.encode('hello') }),
    sealed('the last fragment of a message', {
      name: 'chat',
      bytes: filled(3, 9),
      fragment: { message: filled(8, 0x3a), index: 1, count: 2 },
    }),
    codecVector({
      name: 'request for a key',
      value: { staticKey: ALICE.agreement.publicKey, holdersOnly: false },
      encode: codec.encodeEpochRequest,
      decode: codec.decodeEpochRequest,
      cddl: 'epoch-request',
    }),
    codecVector({
      name: 'request for the key of an epoch, to holders',
      value: { staticKey: ALICE.agreement.publicKey, wanted: { number: 2, issuer: ALICE.id }, holdersOnly: true },
      encode: codec.encodeEpochRequest,
      decode: codec.decodeEpochRequest,
      cddl: 'epoch-request',
    }),
    codecVector({
      name: 'answer',
      value: { statement: EPOCH.encoded, sealedKey },
      encode: codec.encodeEpochAnswer,
      decode: codec.decodeEpochAnswer,
      cddl: 'epoch-answer',
    }),
    {
      data: {
        name: 'the key in the answer: Noise X from Bob to Alice',
        from: { seed: toHex(BOB_SEED), ephemeral: toHex(filled(32, 0xe2)) },
        to: { seed: toHex(ALICE_SEED) },
        prologue: toHex(prologue),
        plaintext: toHex(EPOCH_KEY),
        sealed: toHex(sealedKey),
      },
      check: ({ plaintext, prologue: given, sealed: bytes }) => {
        const init = { crypto: nodeCrypto, random: always(0), localStatic: ALICE.agreement, prologue: fromHex(given) };
        assert.equal(toHex(openMessage(init, fromHex(bytes)).plaintext), plaintext);
      },
    },
  ],
};
