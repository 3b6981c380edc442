/** Control frames to bytes and back; the table is in frame.ts, the CDDL in docs/protocol/wire.cddl. */
import { PipevineError } from '../error/pipevine-error.ts';
import type { CborValue } from './cbor-value.ts';
import { type CborInput, encodeCanonical } from './encode.ts';
import {
  type AckFrame,
  type BindFrame,
  type ControlFrame,
  FrameType,
  PipeKindCode,
  PipeSecurityCode,
} from './frame.ts';
import { type MapReader, readArray, readBytes, readInteger, readMap, readText } from './shape.ts';
import {
  MAX_ACK_RANGES,
  MAX_CHANNEL,
  MAX_CODE_CHARACTERS,
  MAX_CREDENTIAL_BYTES,
  MAX_NAME_BYTES,
  MAX_REASON_CHARACTERS,
  MAX_SESSION_BYTES,
} from './wire-defaults.ts';

const CHANNEL = { max: MAX_CHANNEL };
const NO_BYTES = new Uint8Array(0);

/** Encodes a control frame. Throws `invalid-argument` when a member is beyond the limits that a decoder enforces. */
export function encodeControlFrame(frame: ControlFrame): Uint8Array {
  const members = toMembers(frame);
  try {
    // Each limit stands in one place: what we would refuse to read we refuse to write.
    fromMembers(members);
  } catch (cause) {
    const why = cause instanceof PipevineError ? cause.message : String(cause);
    throw new PipevineError('invalid-argument', `The frame cannot be sent: ${why}`, { cause });
  }
  return encodeCanonical(members);
}

/** A BIND that asks for a kind or a protection that this version does not know, but is well formed. */
export interface UnsupportedBind {
  readonly type: 'unsupported';
  /** Channel of the binder, to answer on. */
  readonly channel: number;
  readonly reason: string;
}

/** Checks a decoded control frame. Throws `malformed`, naming the member; undefined for a frame type not known here. */
export function readControlFrame(value: CborValue): ControlFrame | UnsupportedBind | undefined {
  return fromMembers(readArray(value, 'A frame', { minLength: 1 }));
}

function toMembers(frame: ControlFrame): CborValue[] {
  switch (frame.type) {
    case FrameType.ack: {
      const members: CborValue[] = [frame.type, frame.channel, frame.next, frame.limit];
      if (frame.ranges.length > 0) members.push(frame.ranges);
      return members;
    }
    case FrameType.bind:
      return [
        frame.type,
        frame.channel,
        withoutEmpty([
          [1, frame.pipe],
          [2, frame.target],
          [3, frame.source],
          [4, frame.group],
          [5, frame.name],
          [6, frame.kind],
          [7, frame.security],
          [8, frame.next],
          [9, frame.limit],
          [10, frame.credential],
          [11, frame.session],
        ]),
      ];
    case FrameType.bound:
      return [
        frame.type,
        frame.channel,
        frame.ownChannel,
        withoutEmpty([
          [8, frame.next],
          [9, frame.limit],
          [10, frame.credential],
          [11, frame.session],
        ]),
      ];
    case FrameType.confirm:
      return [frame.type, frame.channel, frame.session];
    case FrameType.unbind:
      return [frame.type, frame.channel, frame.code, frame.reason];
    case FrameType.ping:
    case FrameType.pong:
      return [frame.type, frame.token];
    case FrameType.rekey:
      return [frame.type];
    case FrameType.close:
      return [frame.type, frame.code, frame.reason];
  }
}

/** Keys 10 and 11 are optional: an empty byte string is left out. */
function withoutEmpty(entries: [number, CborInput][]): Map<number, CborValue> {
  const present = entries.filter(([key, value]) => key < 10 || (value instanceof Uint8Array && value.length > 0));
  return new Map(present as [number, CborValue][]); // Every member above is a CborValue.
}

function fromMembers(members: readonly CborValue[]): ControlFrame | UnsupportedBind | undefined {
  const type = readInteger(members[0], 'The type of a frame');
  switch (type) {
    case FrameType.data:
    case FrameType.dataMore:
      throw new PipevineError('malformed', 'A DATA frame must be an array of 3 or 4 members in its shortest form.');
    case FrameType.ack:
      readArray(members, 'ACK', { minLength: 4, maxLength: 5 });
      return readAck(members);
    case FrameType.bind:
      readArray(members, 'BIND', { length: 3 });
      return readBind(members);
    case FrameType.bound: {
      readArray(members, 'BOUND', { length: 4 });
      const channel = readInteger(members[1], 'BOUND: channel', CHANNEL);
      const ownChannel = readInteger(members[2], 'BOUND: own channel', CHANNEL);
      return { type, channel, ownChannel, ...readFlow(readMap(members[3], 'BOUND')) };
    }
    case FrameType.confirm:
      readArray(members, 'CONFIRM', { length: 3 });
      return {
        type,
        channel: readInteger(members[1], 'CONFIRM: channel', CHANNEL),
        session: readBytes(members[2], 'CONFIRM: session', { maxLength: MAX_SESSION_BYTES }),
      };
    case FrameType.unbind:
      readArray(members, 'UNBIND', { length: 4 });
      return {
        type,
        channel: readInteger(members[1], 'UNBIND: channel', CHANNEL),
        code: readText(members[2], 'UNBIND: code', { maxLength: MAX_CODE_CHARACTERS }),
        reason: readText(members[3], 'UNBIND: reason', { maxLength: MAX_REASON_CHARACTERS }),
      };
    case FrameType.ping:
    case FrameType.pong:
      readArray(members, type === FrameType.ping ? 'PING' : 'PONG', { length: 2 });
      return { type, token: readInteger(members[1], 'The token of PING or PONG') };
    case FrameType.rekey:
      readArray(members, 'REKEY', { length: 1 });
      return { type };
    case FrameType.close:
      readArray(members, 'CLOSE', { length: 3 });
      return {
        type,
        code: readText(members[1], 'CLOSE: code', { maxLength: MAX_CODE_CHARACTERS }),
        reason: readText(members[2], 'CLOSE: reason', { maxLength: MAX_REASON_CHARACTERS }),
      };
    default:
      return undefined;
  }
}

function readAck(members: readonly CborValue[]): AckFrame {
  const channel = readInteger(members[1], 'ACK: channel', CHANNEL);
  const next = readInteger(members[2], 'ACK: next');
  const limit = readInteger(members[3], 'ACK: limit');
  const ranges: (readonly [number, number])[] = [];
  if (members.length === 5) {
    let above = next;
    for (const range of readArray(members[4], 'ACK: ranges', { minLength: 1, maxLength: MAX_ACK_RANGES })) {
      const pair = readArray(range, 'ACK: a range', { length: 2 });
      const first = readInteger(pair[0], 'ACK: first of a range', { min: above + 1 });
      const last = readInteger(pair[1], 'ACK: last of a range', { min: first });
      ranges.push([first, last]);
      above = last;
    }
  }
  return { type: FrameType.ack, channel, next, limit, ranges };
}

function readBind(members: readonly CborValue[]): BindFrame | UnsupportedBind {
  const channel = readInteger(members[1], 'BIND: channel', CHANNEL);
  const map = readMap(members[2], 'BIND');
  const kind = map.integer(6, 'kind');
  const security = map.integer(7, 'security');
  const parameters = {
    pipe: map.bytes(1, 'pipe', { length: 16 }),
    target: map.bytes(2, 'target', { length: 32 }),
    source: map.bytes(3, 'source', { length: 32 }),
    group: map.bytes(4, 'group', { length: 32 }),
    name: map.text(5, 'name', { maxBytes: MAX_NAME_BYTES }),
    ...readFlow(map),
  };
  if (!isPipeKind(kind)) {
    return { type: 'unsupported', channel, reason: `Pipe kind ${kind} is not known to this version.` };
  }
  if (!isPipeSecurity(security)) {
    return { type: 'unsupported', channel, reason: `Pipe security ${security} is not known to this version.` };
  }
  return { type: FrameType.bind, channel, ...parameters, kind, security };
}

function readFlow(map: MapReader) {
  return {
    next: map.integer(8, 'next'),
    limit: map.integer(9, 'limit'),
    credential: map.optionalBytes(10, 'credential', { maxLength: MAX_CREDENTIAL_BYTES }) ?? NO_BYTES,
    session: map.optionalBytes(11, 'session', { maxLength: MAX_SESSION_BYTES }) ?? NO_BYTES,
  };
}

function isPipeKind(code: number): code is PipeKindCode {
  return Object.values<number>(PipeKindCode).includes(code);
}

function isPipeSecurity(code: number): code is PipeSecurityCode {
  return Object.values<number>(PipeSecurityCode).includes(code);
}
