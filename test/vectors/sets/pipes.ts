import assert from 'node:assert/strict';
import { CipherState } from '@pipevine/runtime/protocol';
import { nodeCrypto } from '@pipevine/transports';
import { groupIdToBytes } from '../../../runtime/id/group-id.ts';
import { peerIdToBytes } from '../../../runtime/id/peer-id.ts';
import { PipeHandshake } from '../../../runtime/pipe/pipe-handshake.ts';
import { decodePipeReport, encodePipeReport } from '../../../runtime/pipe/pipe-report.ts';
import { PipeSession } from '../../../runtime/pipe/pipe-session.ts';
import {
  decodeRequestMessage,
  encodeRequestMessage,
  type RequestMessage,
} from '../../../runtime/pipe/request-codec.ts';
import { decodeStreamMessage, encodeStreamMessage, type StreamMessage } from '../../../runtime/pipe/stream-codec.ts';
import { encodeCanonical } from '../../../runtime/wire/encode.ts';
import type { BindParameters } from '../../../runtime/wire/frame.ts';
import { asJson } from '../as-json.ts';
import { ALICE, ALICE_CREDENTIAL, always, BOB, BOB_CREDENTIAL, filled, GROUP } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorSet } from '../vector-set.ts';

const parameters: BindParameters = {
  pipe: filled(16, 0x01),
  target: peerIdToBytes(BOB.id),
  source: peerIdToBytes(ALICE.id),
  group: groupIdToBytes(GROUP),
  name: 'chat',
  kind: 2,
  security: 1,
};

/** Alice binds, Bob accepts. */
function handshake(given?: readonly string[]) {
  const common = { crypto: nodeCrypto, parameters };
  const alice = new PipeHandshake({
    ...common,
    role: 'initiator',
    identity: ALICE,
    expectedPeer: BOB.id,
    random: always(0xe1),
    credential: ALICE_CREDENTIAL.encoded,
  });
  const bob = new PipeHandshake({
    ...common,
    role: 'responder',
    identity: BOB,
    expectedPeer: ALICE.id,
    random: always(0xe2),
    credential: BOB_CREDENTIAL.encoded,
  });
  const first = alice.begin();
  bob.readBegin(fromHex(given?.[0] ?? toHex(first)));
  const second = bob.writeIdentity();
  assert.deepEqual(alice.readIdentity(fromHex(given?.[1] ?? toHex(second))), BOB_CREDENTIAL.encoded);
  const third = alice.writeIdentity();
  assert.deepEqual(bob.readIdentity(fromHex(given?.[2] ?? toHex(third))), ALICE_CREDENTIAL.encoded);
  return { messages: [first, second, third].map(toHex), alice: alice.session(), bob: bob.session() };
}

const MESSAGES = encodeCanonical(new TextEncoder().encode('hello'));
const PACKED = Uint8Array.from([...MESSAGES, ...encodeCanonical(Uint8Array.of(1, 2, 3))]);
const REPORT = encodePipeReport({ next: 1, limit: 262_144, ranges: [] });

function endToEnd(): Vector {
  const { messages, alice, bob } = handshake();
  return {
    data: {
      name: 'the handshake of a pipe, and what its session seals first',
      bindContext: toHex(encodeCanonical(Object.values(parameters))),
      binder: {
        seed: toHex(filled(32, 0xa1)),
        ephemeral: toHex(filled(32, 0xe1)),
        credential: toHex(ALICE_CREDENTIAL.encoded),
      },
      acceptor: {
        seed: toHex(filled(32, 0xb2)),
        ephemeral: toHex(filled(32, 0xe2)),
        credential: toHex(BOB_CREDENTIAL.encoded),
      },
      messages,
      payload: { from: 'binder', number: 0, plaintext: toHex(PACKED), sealed: toHex(alice.seal(PACKED)) },
      acknowledgement: { from: 'acceptor', plaintext: toHex(REPORT), session: toHex(bob.sealReport(REPORT)) },
    },
    check: (data) => {
      const again = handshake(data.messages as string[]); // As this file writes them.
      const payload = data.payload as { plaintext: string; sealed: string };
      assert.equal(toHex(again.bob.open(fromHex(payload.sealed)) ?? filled(0, 0)), payload.plaintext);
      const acknowledgement = data.acknowledgement as { plaintext: string; session: string };
      assert.equal(
        toHex(again.alice.openReport(fromHex(acknowledgement.session)) ?? filled(0, 0)),
        acknowledgement.plaintext,
      );
    },
  };
}

const KEYS = { toAcceptor: filled(32, 0x11), toBinder: filled(32, 0x22) };
function sessions() {
  const cipher = (key: Uint8Array) => new CipherState(nodeCrypto, key);
  return {
    binder: new PipeSession(nodeCrypto, { send: cipher(KEYS.toAcceptor), receive: cipher(KEYS.toBinder) }),
    acceptor: new PipeSession(nodeCrypto, { send: cipher(KEYS.toBinder), receive: cipher(KEYS.toAcceptor) }),
  };
}

function acknowledgements(): Vector {
  const { binder } = sessions();
  const reports = [
    { next: 0, limit: 262_144, ranges: [] },
    {
      next: 17,
      limit: 300_000,
      ranges: [
        [19, 19],
        [24, 300],
      ] as const,
    },
    { next: 17, limit: 300_000, ranges: [], asks: true },
    // A farewell: repeated as it is until it is answered.
    { next: 17, limit: 300_000, ranges: [], ended: 'done' },
  ];
  return {
    data: {
      name: 'sealed acknowledgements of the binder, as CONFIRM carries them',
      key: toHex(KEYS.toAcceptor),
      acknowledgements: reports.map((report, number) => {
        const plaintext = encodePipeReport(report);
        return {
          number,
          report: asJson(report),
          plaintext: toHex(plaintext),
          session: toHex(binder.sealReport(plaintext)),
        };
      }),
    },
    check: (data) => {
      const { acceptor } = sessions();
      for (const one of data.acknowledgements as { report: unknown; plaintext: string; session: string }[]) {
        const opened = acceptor.openReport(fromHex(one.session));
        assert.equal(opened && toHex(opened), one.plaintext);
        assert.deepEqual(asJson(decodePipeReport(fromHex(one.plaintext))), one.report);
        assert.equal(acceptor.openReport(fromHex(one.session)), undefined, 'the same once more');
      }
    },
  };
}

function farewell(): Vector {
  const report = {
    next: 17,
    limit: 300_000,
    ranges: [[19, 24]] as const,
    ended: 'internal',
  };
  const plaintext = encodePipeReport(report);
  return {
    data: {
      name: 'the first acknowledgement of an acceptor, a farewell after an error, as CONFIRM carries it',
      key: toHex(KEYS.toBinder),
      number: 0,
      report: asJson(report),
      plaintext: toHex(plaintext),
      session: toHex(sessions().acceptor.sealReport(plaintext)),
    },
    check: (data) => {
      const { binder } = sessions();
      const opened = binder.openReport(fromHex(data.session));
      assert.equal(opened && toHex(opened), data.plaintext);
      assert.deepEqual(asJson(decodePipeReport(fromHex(data.plaintext))), data.report);
      assert.equal(binder.openReport(fromHex(data.session)), undefined, 'its repetition');
    },
  };
}

function proof(): Vector {
  const claim = { pipe: parameters.pipe, counter: 1, next: 17, limit: 300_000 };
  return {
    data: {
      name: 'proof of the binder that goes on',
      key: toHex(KEYS.toAcceptor),
      claim: asJson(claim),
      mac: toHex(sessions().binder.proof(claim)),
    },
    check: ({ mac }) => assert.ok(sessions().acceptor.isProof(claim, fromHex(mac))),
  };
}

const body = Uint8Array.of(1, 2, 3);
const REQUEST_MESSAGES: readonly (readonly [string, RequestMessage])[] = [
  ['request', { type: 0, id: 7, body }],
  ['reply', { type: 1, id: 7, body }],
  ['item', { type: 2, id: 300, body: new Uint8Array(0) }],
  ['end', { type: 3, id: 300 }],
  ['failure', { type: 4, id: 7, code: 'not-found', message: 'no' }],
  ['cancel', { type: 5, id: 300 }],
];

const STREAM_MESSAGES: readonly (readonly [string, StreamMessage])[] = [
  ['stream: chunk', { type: 'chunk', bytes: body }],
  ['stream: end', { type: 'end', totalBytes: 3 }],
  ['stream: failure', { type: 'failure', code: 'closed', message: 'no' }],
];

export const PIPES: VectorSet = {
  name: 'pipes',
  description:
    "A pipe's own session from end to end, its acknowledgements and proofs, and the messages of request pipes and of streams. The frames are in frames.json.",
  document: 'docs/protocol/pipe.md',
  cddl: 'pipe.cddl',
  vectors: [
    endToEnd(),
    acknowledgements(),
    farewell(),
    proof(),
    {
      data: {
        name: 'what the prologue of the handshake covers',
        cddl: 'bind-context',
        bytes: toHex(encodeCanonical(Object.values(parameters))),
      },
      check: ({ bytes }) => assert.deepEqual(fromHex(bytes), encodeCanonical(Object.values(parameters))),
    },
    ...REQUEST_MESSAGES.map(([name, value]) =>
      codecVector({ name, value, encode: encodeRequestMessage, decode: decodeRequestMessage, cddl: 'request-message' }),
    ),
    ...STREAM_MESSAGES.map(([name, value]) =>
      codecVector({ name, value, encode: encodeStreamMessage, decode: decodeStreamMessage, cddl: 'stream-message' }),
    ),
  ],
};
