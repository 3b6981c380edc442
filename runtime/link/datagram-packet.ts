/**
 * Packets of a datagram link. Big-endian. Ids are 8 random bytes, chosen by the side that they are named after.
 *
 * | type     | packet   | after the type byte                                                                        |
 * |----------|----------|--------------------------------------------------------------------------------------------|
 * | 01       | INITIAL  | initiator id, u8 cookie length, cookie, pattern, u16 message length, message, zero padding |
 * | 02       | COOKIE   | initiator id, cookie (16)                                                                  |
 * | 03       | RESPONSE | initiator id, responder id, message                                                        |
 * | 04       | FINISH   | responder id, message                                                                      |
 * | 05       |          | no packet of a link: a probe of hole punching (docs/protocol/punch.md)                     |
 * | 40 to 47 | RECORD   | counter of (type & 7) + 1 bytes without leading zeros, ciphertext and tag                   |
 *
 * A dialler's flow: INITIAL, (COOKIE, INITIAL with it,) RESPONSE, then for XX FINISH; then records.
 */
import { joinBytes } from '../wire/join-bytes.ts';

export const PACKET_ID_BYTES = 8;
export const COOKIE_BYTES = 16;

const TYPE_INITIAL = 1;
const TYPE_COOKIE = 2;
const TYPE_RESPONSE = 3;
const TYPE_FINISH = 4;
const TYPE_RECORD = 0x40;

export interface InitialPacket {
  readonly type: 'initial';
  readonly initiatorId: Uint8Array;
  /** Empty on the first attempt. */
  readonly cookie: Uint8Array;
  /** PatternCode. */
  readonly pattern: number;
  readonly message: Uint8Array;
}

export interface CookiePacket {
  readonly type: 'cookie';
  readonly initiatorId: Uint8Array;
  readonly cookie: Uint8Array;
}

export interface ResponsePacket {
  readonly type: 'response';
  readonly initiatorId: Uint8Array;
  readonly responderId: Uint8Array;
  readonly message: Uint8Array;
}

export interface FinishPacket {
  readonly type: 'finish';
  readonly responderId: Uint8Array;
  readonly message: Uint8Array;
}

export type HandshakePacket = InitialPacket | CookiePacket | ResponsePacket | FinishPacket;

/** Encodes a handshake packet; INITIAL is padded with zeros to `paddedBytes`. */
export function encodeHandshakePacket(packet: HandshakePacket, paddedBytes = 0): Uint8Array {
  switch (packet.type) {
    case 'initial': {
      const { initiatorId, cookie, pattern, message } = packet;
      const length = new Uint8Array([message.length >>> 8, message.length]);
      const lengths = new Uint8Array([cookie.length]);
      const type = new Uint8Array([TYPE_INITIAL]);
      const bare = joinBytes([type, initiatorId, lengths, cookie, new Uint8Array([pattern]), length, message]);
      return joinBytes([bare, new Uint8Array(Math.max(0, paddedBytes - bare.length))]);
    }
    case 'cookie':
      return joinBytes([new Uint8Array([TYPE_COOKIE]), packet.initiatorId, packet.cookie]);
    case 'response':
      return joinBytes([new Uint8Array([TYPE_RESPONSE]), packet.initiatorId, packet.responderId, packet.message]);
    case 'finish':
      return joinBytes([new Uint8Array([TYPE_FINISH]), packet.responderId, packet.message]);
  }
}

/** Whether a packet claims to be a record. */
export function isRecordPacket(packet: Uint8Array): boolean {
  return ((packet[0] ?? 0) & 0xf8) === TYPE_RECORD;
}

/** Reads a handshake packet; undefined for anything else: what comes from a stranger is dropped, not answered. */
export function decodeHandshakePacket(packet: Uint8Array): HandshakePacket | undefined {
  const id = packet.slice(1, 1 + PACKET_ID_BYTES);
  if (id.length < PACKET_ID_BYTES) return undefined;
  const rest = packet.subarray(1 + PACKET_ID_BYTES);
  switch (packet[0]) {
    case TYPE_INITIAL: {
      const cookieLength = rest[0] ?? 0;
      if (cookieLength !== 0 && cookieLength !== COOKIE_BYTES) return undefined;
      const cookie = rest.slice(1, 1 + cookieLength);
      const at = 1 + cookieLength;
      const length = ((rest[at + 1] ?? 0) << 8) | (rest[at + 2] ?? 0);
      const message = rest.slice(at + 3, at + 3 + length);
      if (message.length === 0 || message.length < length) return undefined;
      return { type: 'initial', initiatorId: id, cookie, pattern: rest[at] ?? 0, message };
    }
    case TYPE_COOKIE:
      return rest.length === COOKIE_BYTES ? { type: 'cookie', initiatorId: id, cookie: rest.slice() } : undefined;
    case TYPE_RESPONSE: {
      const message = rest.slice(PACKET_ID_BYTES);
      if (message.length === 0) return undefined;
      return { type: 'response', initiatorId: id, responderId: rest.slice(0, PACKET_ID_BYTES), message };
    }
    case TYPE_FINISH:
      return rest.length === 0 ? undefined : { type: 'finish', responderId: id, message: rest.slice() };
    default:
      return undefined;
  }
}

/** The header of a record: its type and its counter. */
export function writeRecordHeader(counter: number): Uint8Array {
  let length = 1;
  for (let rest = Math.floor(counter / 0x100); rest > 0; rest = Math.floor(rest / 0x100)) length++;
  const header = new Uint8Array(1 + length);
  header[0] = TYPE_RECORD | (length - 1);
  for (let i = length, rest = counter; i > 0; i--, rest = Math.floor(rest / 0x100)) header[i] = rest % 0x100;
  return header;
}

/** Counter and length of a record's header, or undefined when it is none in the shortest form. */
export function readRecordHeader(packet: Uint8Array): { counter: number; length: number } | undefined {
  if (!isRecordPacket(packet)) return undefined;
  const length = 2 + ((packet[0] ?? 0) & 7);
  if (packet.length < length || (length > 2 && packet[1] === 0)) return undefined;
  let counter = 0;
  for (let i = 1; i < length; i++) counter = counter * 0x100 + (packet[i] ?? 0);
  return counter < Number.MAX_SAFE_INTEGER ? { counter, length } : undefined;
}
