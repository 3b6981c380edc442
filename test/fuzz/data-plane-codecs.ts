import { PipevineError } from '@pipevine/runtime';
import {
  decodeHandshakePacket,
  encodeHandshakePacket,
  signAdvertisement,
  verifyAdvertisement,
} from '@pipevine/runtime/protocol';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import * as advertisement from '../../runtime/advertisement/advertisement-codec.ts';
import { decodeCose, signCose } from '../../runtime/advertisement/cose-sign1.ts';
import { decodeDelegationBody, encodeDelegationBody } from '../../runtime/advertisement/delegation-body.ts';
import { decodeNameBody, encodeNameBody } from '../../runtime/advertisement/name-body.ts';
import { decodePeerBody, encodePeerBody } from '../../runtime/advertisement/peer-body.ts';
import { decodePipeBody, encodePipeBody } from '../../runtime/advertisement/pipe-body.ts';
import { decodeRouteBody, encodeRouteBody } from '../../runtime/advertisement/route-body.ts';
import { decodeThingBody, encodeThingBody } from '../../runtime/advertisement/thing-body.ts';
import { decodeLocalMessage, encodeLocalMessage } from '../../runtime/discovery/local-packet-codec.ts';
import { verifyCredential } from '../../runtime/group/credential-codec.ts';
import { readEpochContent } from '../../runtime/group/epoch-content.ts';
import { groupIdToBytes } from '../../runtime/id/group-id.ts';
import { peerIdToBytes } from '../../runtime/id/peer-id.ts';
import { openMessage, sealMessage } from '../../runtime/link/sealed-message.ts';
import * as mailbox from '../../runtime/mailbox/mailbox-codec.ts';
import { openEnvelope, sealEnvelope } from '../../runtime/mailbox/mailbox-envelope.ts';
import { decodePipeReport, encodePipeReport } from '../../runtime/pipe/pipe-report.ts';
import { askingForRelay, readRelayedPath, throughRelay } from '../../runtime/pipe/relayed-path.ts';
import { decodeRequestMessage, encodeRequestMessage } from '../../runtime/pipe/request-codec.ts';
import { decodeSessionField, encodeSessionField } from '../../runtime/pipe/session-field.ts';
import * as propagate from '../../runtime/propagate/propagate-codec.ts';
import * as relay from '../../runtime/relay/relay-codec.ts';
import * as thing from '../../runtime/thing/thing-codec.ts';
import { joinBytes } from '../../runtime/wire/join-bytes.ts';
import * as longPoll from '../../transports/http/long-poll-wire.ts';
import * as mqtt from '../../transports/mqtt/session-frame.ts';
import { FrameTagger, TAG_BYTES } from '../../transports/mqtt/session-keys.ts';
import { ALICE, ALICE_CREDENTIAL, BOB, GROUP, NOW_MS } from '../vectors/cast.ts';
import { EPOCH } from '../vectors/sets/groups.ts';
import { countedCrypto } from './counted-crypto.ts';
import type { FuzzedCodec } from './fuzzed-codec.ts';

const random = seededRandom('data plane codecs');
const id = random.bytes(16);
const sealed = random.bytes(120);
const leaseId = random.bytes(8);
const text = new TextEncoder();
/** For decoders that give nothing for what is not theirs. */
const orRefuse = <T>(value: T | undefined): T => {
  if (value === undefined) throw new PipevineError('malformed', 'Not ours.');
  return value;
};

const fields = {
  kind: 'thing',
  group: GROUP,
  key: 'lamp',
  sequence: NOW_MS,
  issuedAtMs: NOW_MS,
  expirationMs: 7_200_000,
  name: 'Hall lamp',
  attributes: new Map([['connector', 'mqtt']]),
  body: text.encode('{}'),
} as const;
const advertised = signAdvertisement(ALICE, fields).encoded;

const prologue = joinBytes([text.encode('pipevine/1 mailbox'), groupIdToBytes(GROUP), peerIdToBytes(BOB.id)]);
const access = {
  group: GROUP,
  credentialOf: () => ALICE_CREDENTIAL.encoded,
  verify: (_: string, credential: Uint8Array) => verifyCredential(countedCrypto, credential)[0],
};
const common = { access, crypto: countedCrypto, random };
const envelope = sealEnvelope(
  { ...common, identity: ALICE },
  { peer: BOB.id, staticKey: BOB.agreement.publicKey },
  { id, sentAtMs: NOW_MS, content: { type: 'message', body: id } },
);
const opened = openMessage({ crypto: nodeCrypto, random, localStatic: BOB.agreement, prologue }, envelope).plaintext;

const tagger = new FrameTagger(random.bytes(32));
const tagged = (bytes: Uint8Array) => joinBytes([bytes, tagger.tag(bytes)]);
const state = { offset: 1, received: 2 ** 40, limit: 2 ** 47 };
const mqttFrames = [
  mqtt.encodeFrame({ ...state, kind: 'data', bytes: id }, tagger),
  mqtt.encodeFrame({ ...state, kind: 'ack', bytes: new Uint8Array(0) }, tagger),
].map((frame) => new Uint8Array(frame));
const plainBuffer = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);
const newSession = encodeSessionField({ type: 'new', message: id });

/** What pipes, relays, mailboxes, things and transports read from others. */
export const DATA_PLANE_CODECS: readonly FuzzedCodec[] = [
  {
    name: 'an advertisement',
    valid: [advertised],
    decode: (bytes) => verifyAdvertisement(countedCrypto, bytes),
    covers: [advertisement.decodeAdvertisement, decodeCose],
    codes: ['forged', 'unsupported'],
    sealed: true,
    seal: (payload) => signCose(ALICE.signing, 'pipevine/1 advertisement', payload),
    payloads: [decodeCose(advertised, 'An advertisement', 65_536).payload],
  },
  {
    name: 'an advertisement from the storage',
    valid: [advertised],
    decode: advertisement.decodeStoredAdvertisement,
    codes: ['forged', 'unsupported'],
  },
  {
    name: 'the body of a peer advertisement',
    valid: [
      encodePeerBody({
        addresses: ['tcp://192.0.2.1:1'],
        roles: ['edge'],
        profile: 'p',
        staticKey: random.bytes(32),
        credential: sealed,
      }),
      encodePeerBody({ addresses: [], roles: [], profile: '', staticKey: random.bytes(32) }),
    ],
    decode: decodePeerBody,
  },
  {
    name: 'the body of a pipe advertisement',
    valid: [encodePipeBody({ kind: 'secure' })],
    decode: decodePipeBody,
    encode: encodePipeBody,
    codes: ['unsupported'],
  },
  {
    name: 'the body of a name advertisement',
    valid: [encodeNameBody({ peer: BOB.id, service: 'web' })],
    decode: decodeNameBody,
    encode: encodeNameBody,
  },
  {
    name: 'the body of a route advertisement',
    valid: [encodeRouteBody({ relays: [BOB.id] })],
    decode: decodeRouteBody,
    encode: encodeRouteBody,
  },
  {
    name: 'the body of a delegation',
    valid: [encodeDelegationBody({ delegate: BOB.id, notAfterMs: NOW_MS })],
    decode: decodeDelegationBody,
    encode: encodeDelegationBody,
  },
  {
    name: 'the body of a thing advertisement',
    valid: [encodeThingBody({ title: 'lamp', properties: { power: { type: 'boolean', observable: true } } })],
    decode: decodeThingBody,
    encode: encodeThingBody,
    isPlain: true,
    isOpenEnded: true,
  },
  {
    name: 'a packet of the local network',
    valid: [
      encodeLocalMessage({
        type: 'announce',
        peer: ALICE.id,
        addresses: ['tcp://:1'],
        tags: [leaseId],
        gateway: true,
        admits: false,
      }),
    ],
    decode: (bytes) => orRefuse(decodeLocalMessage(bytes)),
    covers: [decodeLocalMessage],
    encode: encodeLocalMessage,
  },
  {
    name: 'a handshake packet',
    valid: [
      encodeHandshakePacket({ type: 'initial', initiatorId: leaseId, cookie: id, pattern: 0, message: sealed }, 200),
      encodeHandshakePacket({ type: 'cookie', initiatorId: leaseId, cookie: id }),
      encodeHandshakePacket({ type: 'response', initiatorId: leaseId, responderId: leaseId, message: sealed }),
    ],
    decode: (bytes) => orRefuse(decodeHandshakePacket(bytes)),
    covers: [decodeHandshakePacket],
    isPlain: true,
    isOpenEnded: true,
  },
  {
    name: 'the session of BIND and BOUND',
    valid: [newSession, encodeSessionField({ type: 'resume', proof: { counter: 7, mac: random.bytes(32) } })],
    decode: decodeSessionField,
    encode: encodeSessionField,
    isPlain: true,
    isOpenEnded: true,
  },
  {
    name: 'the path of a relayed BIND',
    valid: [
      askingForRelay(newSession, 1_000),
      throughRelay(askingForRelay(newSession, 1_000), 900),
      askingForRelay(newSession, 1_000, []),
      askingForRelay(newSession, 1_000, [ALICE.id, BOB.id]),
      throughRelay(throughRelay(askingForRelay(newSession, 1_000, [ALICE.id, BOB.id]), 900), 800),
    ],
    decode: readRelayedPath,
    isPlain: true,
    isOpenEnded: true,
  },
  {
    name: 'a sealed acknowledgement',
    valid: [
      encodePipeReport({
        next: 5,
        limit: 9,
        ranges: [
          [7, 8],
          [10, 12],
        ],
      }),
      encodePipeReport({ next: 5, limit: 9, ranges: [], asks: true }),
      encodePipeReport({ next: 5, limit: 9, ranges: [], ended: 'done' }),
    ],
    decode: decodePipeReport,
  },
  {
    name: 'a message of a request pipe',
    valid: [
      encodeRequestMessage({ type: 0, id: 300, body: id }),
      encodeRequestMessage({ type: 3, id: 1 }),
      encodeRequestMessage({ type: 4, id: 1, code: 'refused', message: 'no' }),
    ],
    decode: decodeRequestMessage,
  },
  {
    name: 'a request to a relay',
    valid: [
      relay.encodeRelayRequest({ type: 'lease', leaseId, lifetimeMs: 5 }),
      relay.encodeRelayRequest({ type: 'cancel', leaseId }),
    ],
    decode: relay.decodeRelayRequest,
    encode: relay.encodeRelayRequest,
    codes: ['unsupported'],
  },
  {
    name: 'the grant of a relay',
    valid: [relay.encodeRelayGrant({ leaseId, lifetimeMs: 60_000 })],
    decode: relay.decodeRelayGrant,
    encode: relay.encodeRelayGrant,
  },
  {
    name: 'a request to a mailbox',
    valid: [
      mailbox.encodeMailboxRequest({
        type: 'put',
        messages: [{ recipient: BOB.id, id, sealed, lifetimeMs: 5, wantsReceipt: true }],
      }),
      mailbox.encodeMailboxRequest({ type: 'take', after: 5, watch: true }),
      mailbox.encodeMailboxRequest({
        type: 'done',
        taken: [
          { sender: BOB.id, id, receipt: sealed },
          { sender: BOB.id, id, receipt: undefined },
        ],
      }),
    ],
    decode: mailbox.decodeMailboxRequest,
    encode: mailbox.encodeMailboxRequest,
  },
  {
    name: 'the answer to a put',
    valid: [mailbox.encodePutAnswer([{ type: 'stored' }, { type: 'refused', reason: 'pair-bytes', limit: 5 }])],
    decode: (bytes) => mailbox.decodePutAnswer(bytes, 2),
    covers: [mailbox.decodePutAnswer],
    encode: mailbox.encodePutAnswer,
  },
  {
    name: 'an item of the answer to a take',
    valid: [
      mailbox.encodeTakeItem({ type: 'waiting', messages: 3 }),
      mailbox.encodeTakeItem({ type: 'message', position: 3, sender: ALICE.id, id, sealed, wantsReceipt: true }),
    ],
    decode: mailbox.decodeTakeItem,
  },
  {
    name: 'messages that are delivered without a relay',
    valid: [mailbox.encodeDeliverRequest([{ id, sealed }])],
    decode: mailbox.decodeDeliverRequest,
    encode: mailbox.encodeDeliverRequest,
  },
  {
    name: 'the answer to a delivery',
    valid: [
      mailbox.encodeDeliverAnswer([
        { type: 'taken', code: '', message: '' },
        { type: 'kept', code: 'overloaded', message: 'later' },
      ]),
    ],
    decode: (bytes) => mailbox.decodeDeliverAnswer(bytes, 2),
    covers: [mailbox.decodeDeliverAnswer],
  },
  {
    name: 'a sealed message',
    valid: [envelope],
    decode: (bytes) => openEnvelope({ ...common, identity: BOB }, bytes),
    codes: ['forged', 'refused', 'unsupported'],
    sealed: true,
    isPlain: true,
    seal: (payload) =>
      sealMessage(
        {
          crypto: nodeCrypto,
          random,
          localStatic: ALICE.agreement,
          remoteStaticKey: BOB.agreement.publicKey,
          prologue,
        },
        payload,
      ),
    payloads: [opened],
  },
  {
    name: 'the envelope of a propagate pipe',
    valid: [propagate.encodeEnvelope({ number: 2, keyId: leaseId, nonce: random.bytes(12), sealed })],
    decode: propagate.decodeEnvelope,
    encode: propagate.encodeEnvelope,
  },
  {
    name: 'the content of a propagate pipe',
    valid: [
      propagate.encodeContent({ name: 'chat', bytes: id }),
      propagate.encodeContent({ name: 'chat', bytes: id, fragment: { message: leaseId, index: 1, count: 2 } }),
    ],
    decode: propagate.decodeContent,
    encode: propagate.encodeContent,
  },
  {
    name: 'a request for the key of an epoch',
    valid: [
      propagate.encodeEpochRequest({
        staticKey: random.bytes(32),
        holdersOnly: true,
        wanted: { number: 2, issuer: ALICE.id },
      }),
      propagate.encodeEpochRequest({ staticKey: random.bytes(32), holdersOnly: false }),
    ],
    decode: propagate.decodeEpochRequest,
    encode: propagate.encodeEpochRequest,
  },
  {
    name: 'the key of an epoch',
    valid: [propagate.encodeEpochAnswer({ statement: EPOCH.encoded, sealedKey: random.bytes(128) })],
    decode: propagate.decodeEpochAnswer,
    encode: propagate.encodeEpochAnswer,
  },
  { name: 'the content of an epoch', valid: [EPOCH.content], decode: readEpochContent },
  {
    name: 'a request to a thing',
    valid: [
      thing.encodeThingRequest({
        operation: 'write',
        thing: 'lamp',
        name: 'power',
        value: { on: true, level: [1, 0.5, null] },
      }),
      thing.encodeThingRequest({ operation: 'read', thing: 'lamp', name: 'power' }),
    ],
    decode: thing.decodeThingRequest,
    codes: ['unsupported'],
  },
  { name: 'a reading', valid: [thing.encodeReading({ value: [1, 'x'], timestampMs: 5 })], decode: thing.decodeReading },
  {
    name: 'an item of an observation',
    valid: [thing.encodeReading({ value: false, timestampMs: 5 })],
    decode: thing.decodeReadingItem,
  },
  { name: 'the output of an action', valid: [thing.encodeOutput('done')], decode: thing.decodeOutput },
  {
    name: 'an event',
    valid: [thing.encodeEventItem({ data: { a: 1 }, timestampMs: 5, lost: 2 })],
    decode: thing.decodeEventItem,
  },
  {
    name: 'a frame of a session through a broker',
    valid: mqttFrames,
    decode: (bytes) => orRefuse(mqtt.decodeFrame(Buffer.from(bytes), tagger)),
    covers: [mqtt.decodeFrame],
    encode: (frame: mqtt.SessionFrame) => plainBuffer(mqtt.encodeFrame(frame, tagger)),
    sealed: true,
    isPlain: true,
    hasPlainPayloads: true,
    seal: tagged,
    payloads: mqttFrames.map((frame) => frame.subarray(0, -TAG_BYTES)),
  },
  {
    name: 'a greeting through a broker',
    valid: [plainBuffer(mqtt.encodeHello({ sessionId: id, publicKey: random.bytes(32) }))],
    decode: (bytes) => orRefuse(mqtt.decodeHello(Buffer.from(bytes))),
    covers: [mqtt.decodeHello],
    encode: (hello: mqtt.Hello) => plainBuffer(mqtt.encodeHello(hello)),
    isPlain: true,
  },
  {
    name: 'an answer of long polling',
    valid: [plainBuffer(longPoll.encodeAnswer({ offset: 5, bytes: id, end: true }))],
    decode: longPoll.decodeAnswer,
    encode: (answer: longPoll.LongPollAnswer) => plainBuffer(longPoll.encodeAnswer(answer)),
    isPlain: true,
    isOpenEnded: true,
  },
];
