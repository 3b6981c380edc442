/**
 * The payloads of MQTT messages between two peers; integers are big-endian. `docs/protocol/mqtt-transport.md` has the flow.
 *
 * | type | frame    | then |
 * |------|----------|------|
 * | 10   | HELLO    | version (1), session id (16), dialler's X25519 key (32) |
 * | 11   | WELCOME  | listener's X25519 key (32), tag |
 * | 01   | DATA     | state, bytes, tag |
 * | 02   | ACK      | state, tag |
 * | 03   | PROBE    | state, tag: asks for an ACK |
 * | 04   | GAP      | state, tag: something after `received` was lost |
 * | 05   | FIN      | state, tag: no byte comes at or after `offset` |
 * | 06   | RESET    | state, tag |
 *
 * state: offset (6), received (6), limit (6): where this frame's bytes begin in the sender's stream; the bytes that it has
 * of the other stream; how far that stream may go.
 */
import { type FrameTagger, TAG_BYTES } from './session-keys.ts';

export const FRAME_TYPES = { data: 1, ack: 2, probe: 3, gap: 4, fin: 5, reset: 6 } as const;
export type FrameKind = keyof typeof FRAME_TYPES;

export interface SessionFrame {
  readonly kind: FrameKind;
  readonly offset: number;
  readonly received: number;
  readonly limit: number;
  readonly bytes: Uint8Array;
}

export interface Hello {
  readonly sessionId: Uint8Array;
  readonly publicKey: Uint8Array;
}

const HELLO = 0x10;
const WELCOME = 0x11;
const VERSION = 1;
const HEADER_BYTES = 19;
const NOTHING = new Uint8Array(0);
const KINDS = new Map(Object.entries(FRAME_TYPES).map(([kind, type]) => [type as number, kind as FrameKind])); // entries() forgets the keys' type

/** Bytes of a DATA frame besides what it carries. */
export const FRAME_OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES;
export const HELLO_BYTES = 50;

export function encodeFrame(frame: SessionFrame, tagger: FrameTagger): Buffer {
  const { kind, offset, received, limit, bytes } = frame;
  const payload = Buffer.allocUnsafe(HEADER_BYTES + bytes.length + TAG_BYTES);
  payload[0] = FRAME_TYPES[kind];
  payload.writeUIntBE(offset, 1, 6);
  payload.writeUIntBE(received, 7, 6);
  payload.writeUIntBE(limit, 13, 6);
  payload.set(bytes, HEADER_BYTES);
  payload.set(tagger.tag(payload.subarray(0, -TAG_BYTES)), HEADER_BYTES + bytes.length);
  return payload;
}

/** The frame, or undefined when it is not one or its tag is not the tagger's. The bytes are a copy. */
export function decodeFrame(payload: Buffer, tagger: FrameTagger): SessionFrame | undefined {
  const kind = KINDS.get(payload[0] ?? 0);
  if (kind === undefined || payload.length < FRAME_OVERHEAD_BYTES) return undefined;
  if (kind !== 'data' && payload.length !== FRAME_OVERHEAD_BYTES) return undefined;
  const end = payload.length - TAG_BYTES;
  if (!tagger.matches(payload.subarray(0, end), payload.subarray(end))) return undefined;
  return {
    kind,
    offset: payload.readUIntBE(1, 6),
    received: payload.readUIntBE(7, 6),
    limit: payload.readUIntBE(13, 6),
    bytes: kind === 'data' ? new Uint8Array(payload.subarray(HEADER_BYTES, end)) : NOTHING,
  };
}

export function encodeHello({ sessionId, publicKey }: Hello): Buffer {
  return Buffer.concat([Uint8Array.of(HELLO, VERSION), sessionId, publicKey]);
}

export function decodeHello(payload: Buffer): Hello | undefined {
  if (payload.length !== HELLO_BYTES || payload[0] !== HELLO || payload[1] !== VERSION) return undefined;
  return { sessionId: new Uint8Array(payload.subarray(2, 18)), publicKey: new Uint8Array(payload.subarray(18)) };
}

export function encodeWelcome(publicKey: Uint8Array, tagger: FrameTagger): Buffer {
  const signed = Buffer.concat([Uint8Array.of(WELCOME), publicKey]);
  return Buffer.concat([signed, tagger.tag(signed)]);
}

/** The listener's key of a WELCOME, not yet checked; undefined when the message is none. */
export function welcomeKey(payload: Buffer): Uint8Array | undefined {
  if (payload.length !== 33 + TAG_BYTES || payload[0] !== WELCOME) return undefined;
  return new Uint8Array(payload.subarray(1, 33));
}

export function isWelcomeOf(payload: Buffer, tagger: FrameTagger): boolean {
  return tagger.matches(payload.subarray(0, 33), payload.subarray(33));
}
