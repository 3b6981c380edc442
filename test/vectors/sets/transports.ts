import assert from 'node:assert/strict';
import { nodeCrypto } from '@pipevine/transports';
import {
  decodeAnswer,
  encodeAnswer,
  parseRequest,
  requestPath,
  type Verb,
} from '../../../transports/http/long-poll-wire.ts';
import * as frames from '../../../transports/mqtt/session-frame.ts';
import { listenerId, type SessionKeys, sessionKeys } from '../../../transports/mqtt/session-keys.ts';
import { asJson } from '../as-json.ts';
import { filled } from '../cast.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Json, Vector, VectorSet } from '../vector-set.ts';

const [dialler, listener] = [nodeCrypto.agreementKey(filled(32, 0xd1)), nodeCrypto.agreementKey(filled(32, 0xd2))];
const sessionId = filled(16, 0x5d);

function keys(): SessionKeys {
  const shared = dialler.agree(listener.publicKey);
  assert.ok(shared);
  return sessionKeys(shared, sessionId, dialler.publicKey, listener.publicKey);
}

function frame(name: string, from: keyof SessionKeys, value: frames.SessionFrame): Vector {
  return {
    data: { name: `mqtt: ${name}`, from, value: asJson(value), bytes: toHex(frames.encodeFrame(value, keys()[from])) },
    check: (data) => {
      const decoded = frames.decodeFrame(Buffer.from(fromHex(data.bytes)), keys()[from]);
      assert.deepEqual(asJson(decoded), data.value);
    },
  };
}

const greeting: Vector = {
  data: {
    name: 'mqtt: greeting',
    diallerPrivateKey: toHex(filled(32, 0xd1)),
    listenerPrivateKey: toHex(filled(32, 0xd2)),
    diallerKey: toHex(dialler.publicKey),
    listenerKey: toHex(listener.publicKey),
    listenerId: listenerId(listener.publicKey),
    sessionId: toHex(sessionId),
    hello: toHex(frames.encodeHello({ sessionId, publicKey: dialler.publicKey })),
    welcome: toHex(frames.encodeWelcome(listener.publicKey, keys().fromListener)),
  },
  check: (data) => {
    const hello = frames.decodeHello(Buffer.from(fromHex(data.hello)));
    assert.deepEqual(asJson(hello), { sessionId: data.sessionId, publicKey: data.diallerKey });
    const welcome = Buffer.from(fromHex(data.welcome));
    assert.equal(toHex(frames.welcomeKey(welcome) ?? filled(0, 0)), data.listenerKey);
    assert.ok(frames.isWelcomeOf(welcome, keys().fromListener));
  },
};

const session = toHex(filled(16, 0x5d));
function request(verb: Verb, offset: number): Vector {
  const path = requestPath({ session, verb, offset }, 7);
  const method = verb === 'down' ? 'GET' : 'POST';
  return {
    data: { name: `http: ${verb}`, session, verb, offset, turn: 7, method, path },
    check: (data) =>
      assert.deepEqual(asJson(parseRequest(String(data.method), String(data.path))), {
        session,
        verb,
        offset: data.offset as Json,
      }),
  };
}

function answer(name: string, value: Parameters<typeof encodeAnswer>[0]): Vector {
  const full = { end: false, reset: false, unknown: false, busy: false, offset: 0, bytes: new Uint8Array(0), ...value };
  return {
    data: { name: `http: answer ${name}`, value: asJson(full), bytes: toHex(encodeAnswer(value)) },
    check: (data) => assert.deepEqual(asJson(decodeAnswer(fromHex(data.bytes))), data.value),
  };
}

const state = { offset: 65_536, received: 1_000, limit: 262_144, bytes: new Uint8Array(0) };

export const TRANSPORTS: VectorSet = {
  name: 'transports',
  description:
    'Greeting and frames of a session through an MQTT broker (mqtt-transport.md), and requests and answers of long polling over HTTP (transports.md).',
  document: 'docs/protocol/transports.md',
  vectors: [
    greeting,
    frame('DATA', 'fromDialler', { ...state, kind: 'data', bytes: new TextEncoder().encode('hello') }),
    ...(['ack', 'probe', 'gap', 'fin', 'reset'] as const).map((kind) =>
      frame(kind.toUpperCase(), 'fromListener', { ...state, kind }),
    ),
    request('open', 0),
    request('up', 65_536),
    request('down', 1_000),
    request('end', 65_541),
    request('reset', 0),
    answer('with bytes down', { offset: 1_000, bytes: new TextEncoder().encode('hello') }),
    answer('to up', { offset: 65_541 }),
    answer('at the end of the stream', { offset: 1_005, end: true }),
    answer('of a session that is not there', { unknown: true }),
    answer('of a session that was reset', { reset: true }),
    answer('of a server without room', { busy: true }),
  ],
};
