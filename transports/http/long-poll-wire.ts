import { PipevineError } from '@pipevine/runtime';
import { WEB_PATH } from './web-address.ts';

/*
 * A byte stream in each direction over HTTP requests, all made by the client.
 *
 *   client                                              server
 *     POST /pipevine/SESSION/open/0        ------------>   a new connection, under an id that the client drew
 *     POST /pipevine/SESSION/up/OFFSET     bytes ------>   answers how many bytes it has in all
 *     GET  /pipevine/SESSION/down/OFFSET   ------------>   has OFFSET bytes; held until there are more
 *     POST /pipevine/SESSION/end/OFFSET    ------------>   that was all
 *     POST /pipevine/SESSION/reset/0       ------------>   forget it
 *
 * Every request may be lost, repeated, delayed or reordered on the way: an offset says where its bytes belong, and what
 * was there before is left out. An answer's body, for every status:
 *
 *   bytes 0-2   50 56 01        "PV" and the version
 *   byte  3     flags           1: the stream down ends with these bytes; 2: reset; 4: no such session; 8: no room now
 *   bytes 4-11  u64 offset      down: where the bytes that follow belong; else: how many bytes up have arrived
 *   bytes 12-   the bytes       down alone
 *
 * Numbers are big-endian. An answer without that beginning came from something else on the way, and counts as lost.
 */

export const HEAD_BYTES = 12;
/** Most bytes of the stream in one request or one answer. */
export const MAX_BODY_BYTES = 256 * 1024;
/** How long the server holds a request for which it has nothing. Below the 30 s after which common proxies give up. */
export const HOLD_MS = 25_000;

export const SESSION_ID_BYTES = 16;

export type Verb = 'open' | 'up' | 'down' | 'end' | 'reset';

export interface LongPollRequest {
  /** The session's id in hexadecimal. */
  readonly session: string;
  readonly verb: Verb;
  readonly offset: number;
}

export interface LongPollAnswer {
  readonly end: boolean;
  readonly reset: boolean;
  readonly unknown: boolean;
  readonly busy: boolean;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const PATH = /^\/pipevine\/([0-9a-f]{32})\/(open|up|down|end|reset)\/(0|[1-9]\d{0,15})(?:\?\d{1,16})?$/;
const MAGIC = [0x50, 0x56, 0x01] as const;
const END = 1;
const RESET = 2;
const UNKNOWN = 4;
const BUSY = 8;

/** The target of a request; `turn` keeps a cache on the way from taking it for an earlier one. */
export function requestPath({ session, verb, offset }: LongPollRequest, turn: number): string {
  return `${WEB_PATH}/${session}/${verb}/${offset}?${turn}`;
}

/** Reads the method and target of a request; undefined for one that is not ours. */
export function parseRequest(method: string | undefined, path: string | undefined): LongPollRequest | undefined {
  const [, session, verb, digits] = PATH.exec(path ?? '') ?? [];
  const offset = Number(digits);
  if (session === undefined || !Number.isSafeInteger(offset)) return undefined;
  if (method !== (verb === 'down' ? 'GET' : 'POST')) return undefined;
  return { session, verb: verb as Verb, offset }; // The pattern allows no other verb.
}

/** The body of an answer. */
export function encodeAnswer(answer: Partial<LongPollAnswer>): Buffer {
  const { offset = 0, bytes = new Uint8Array(0) } = answer;
  const body = Buffer.alloc(HEAD_BYTES + bytes.length);
  const flags =
    (answer.end ? END : 0) | (answer.reset ? RESET : 0) | (answer.unknown ? UNKNOWN : 0) | (answer.busy ? BUSY : 0);
  body.set([...MAGIC, flags]);
  body.writeBigUInt64BE(BigInt(offset), 4);
  body.set(bytes, HEAD_BYTES);
  return body;
}

/** Reads the body of an answer. Throws `malformed` for anything that the server cannot have sent. */
export function decodeAnswer(body: Uint8Array): LongPollAnswer {
  const offset = body.length < HEAD_BYTES ? -1n : new DataView(body.buffer, body.byteOffset).getBigUint64(4);
  const flags = body[3] ?? 0;
  if (MAGIC.some((byte, index) => body[index] !== byte) || flags > 15 || offset < 0n || offset >> 53n !== 0n) {
    throw new PipevineError('malformed', 'The answer is not that of a Pipevine peer; something on the way gave it.');
  }
  return {
    end: (flags & END) !== 0,
    reset: (flags & RESET) !== 0,
    unknown: (flags & UNKNOWN) !== 0,
    busy: (flags & BUSY) !== 0,
    offset: Number(offset),
    // A copy of its own: the owner of a stream keeps what it is given.
    bytes: new Uint8Array(body.subarray(HEAD_BYTES)),
  };
}
