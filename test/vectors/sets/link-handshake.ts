import assert from 'node:assert/strict';
import { identityFromSeed } from '@pipevine/runtime';
import {
  decodeHandshakePacket,
  encodeHandshakePacket,
  type HandshakePacket,
  LinkHandshake,
  makeIdentityPayload,
  verifyIdentityPayload,
} from '@pipevine/runtime/protocol';
import { nodeCrypto } from '@pipevine/transports';
import { asJson } from '../as-json.ts';
import { ALICE, ALICE_SEED, always, BOB, BOB_SEED, filled } from '../cast.ts';
import { CONTROL_VECTORS } from '../frame-vectors.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorCase, VectorSet } from '../vector-set.ts';

const HELLO = fromHex('8300054568656c6c6f');
const PING = fromHex('820701');
const BIND = CONTROL_VECTORS.find(({ name }) => name === 'BIND')?.bytes ?? PING;
const EPHEMERAL = { alice: 0xe1, bob: 0xe2 };
const MAX_RECORD_BYTES = 65_519;

function sides(pattern: 0 | 1) {
  const common = { crypto: nodeCrypto, pattern, maxRecordBytes: MAX_RECORD_BYTES };
  const known = pattern === 1 ? { remoteStaticKey: BOB.agreement.publicKey } : {};
  const alice = identityFromSeed(nodeCrypto, ALICE_SEED);
  const bob = identityFromSeed(nodeCrypto, BOB_SEED);
  return [
    new LinkHandshake({ ...common, ...known, role: 'initiator', identity: alice, random: always(EPHEMERAL.alice) }),
    new LinkHandshake({ ...common, role: 'responder', identity: bob, random: always(EPHEMERAL.bob) }),
  ] as const;
}

/** Runs it with the messages of a vector, or with those that come of it. */
function run(pattern: 0 | 1, given?: readonly string[]) {
  const [alice, bob] = sides(pattern);
  const messages: string[] = [];
  while (!alice.finished || !bob.finished) {
    const [from, to] = messages.length % 2 === 0 ? [alice, bob] : [bob, alice];
    const message = from.write();
    assert.ok(to.read(fromHex(given?.[messages.length] ?? toHex(message))));
    messages.push(toHex(message));
  }
  const [atAlice, atBob] = [alice.session(), bob.session()];
  const records = [toHex(atAlice.send.seal(HELLO)), toHex(atBob.send.seal(PING))];
  atAlice.send.rekey();
  records.push(toHex(atAlice.send.seal(PING)), toHex(atBob.send.seal(BIND)));
  return { messages, records, atBob };
}

function handshake(name: string, pattern: 0 | 1): Vector {
  const { messages, records } = run(pattern);
  const data: VectorCase = {
    name,
    prologue: toHex(new TextEncoder().encode('pipevine/1')),
    pattern,
    dialler: { seed: toHex(ALICE_SEED), ephemeral: toHex(filled(32, EPHEMERAL.alice)) },
    responder: { seed: toHex(BOB_SEED), ephemeral: toHex(filled(32, EPHEMERAL.bob)) },
    maxRecordBytes: MAX_RECORD_BYTES,
    messages,
    records: [
      { from: 'dialler', number: 0, plaintext: toHex(HELLO), sealed: records[0] ?? '' },
      { from: 'responder', number: 0, plaintext: toHex(PING), sealed: records[1] ?? '' },
      { from: 'dialler', number: 1, afterRekey: true, plaintext: toHex(PING), sealed: records[2] ?? '' },
      { from: 'responder', number: 1, plaintext: toHex(BIND), sealed: records[3] ?? '' },
    ],
  };
  return {
    data,
    check: (again) => {
      const { atBob } = run(pattern, again.messages as string[]); // As this file writes them.
      const [first, , rekeyed] = again.records as { plaintext: string; sealed: string }[];
      assert.deepEqual(atBob.receive.open(fromHex(first?.sealed)), fromHex(first?.plaintext));
      atBob.receive.rekey();
      assert.deepEqual(atBob.receive.open(fromHex(rekeyed?.sealed)), fromHex(rekeyed?.plaintext));
    },
  };
}

function packet(name: string, value: HandshakePacket, paddedBytes = 0): Vector {
  const bytes = encodeHandshakePacket(value, paddedBytes);
  return {
    data: {
      name: `packet: ${name}`,
      value: asJson(value),
      ...(paddedBytes === 0 ? {} : { paddedBytes }),
      bytes: toHex(bytes),
    },
    check: (data) => assert.deepEqual(asJson(decodeHandshakePacket(fromHex(data.bytes))), data.value),
  };
}

function identityPayload(name: string, claims: Parameters<typeof makeIdentityPayload>[1]): Vector {
  return {
    data: {
      name,
      cddl: 'identity-payload',
      seed: toHex(ALICE_SEED),
      staticPublicKey: toHex(ALICE.agreement.publicKey),
      bytes: toHex(makeIdentityPayload(ALICE, claims)),
    },
    check: ({ bytes, staticPublicKey }) => {
      assert.equal(verifyIdentityPayload(nodeCrypto, fromHex(bytes), fromHex(staticPublicKey)).peer, ALICE.id);
    },
  };
}

const [initiatorId, responderId] = [filled(8, 0x1a), filled(8, 0x2b)];
const message = filled(32, 0x55);

export const LINK_HANDSHAKE: VectorSet = {
  name: 'link-handshake',
  description:
    'Whole link handshakes with fixed keys, and the first records after them. Alice dials, Bob answers. `messages` are without what carries them (u16 length and pattern byte on a stream, a packet over datagrams). The packets carry made-up messages.',
  document: 'docs/protocol/link.md',
  cddl: 'wire.cddl',
  vectors: [
    identityPayload('the identity payload of Alice on a link', { versions: [1], maxRecordBytes: MAX_RECORD_BYTES }),
    identityPayload('the identity payload of Alice on a pipe', { credential: filled(3, 0x0a) }),
    handshake('XX', 0),
    handshake('IK', 1),
    packet('INITIAL', { type: 'initial', initiatorId, cookie: new Uint8Array(0), pattern: 0, message }, 100),
    packet('INITIAL with a cookie', { type: 'initial', initiatorId, cookie: filled(16, 0xcc), pattern: 1, message }),
    packet('COOKIE', { type: 'cookie', initiatorId, cookie: filled(16, 0xcc) }),
    packet('RESPONSE', { type: 'response', initiatorId, responderId, message }),
    packet('FINISH', { type: 'finish', responderId, message }),
  ],
};
