/**
 * How the `session` member of BIND begins when its target is to be reached over relays, and of the BOUND that has come back
 * over them; the rest is as the peer at the other end wrote it. Nothing here is proven: it bounds the number of hops, and
 * says how large frames may be.
 *
 * | bytes | meaning                                                                     |
 * |-------|-----------------------------------------------------------------------------|
 * | 02    | relayed                                                                     |
 * | 1     | relays that it has passed; the binder writes 0                              |
 * | 2     | largest payload of a DATA frame on all links so far, in bytes, big-endian   |
 *
 * A relay answers a BIND that does not ask for it as any other peer does: it is for itself, or `not-found`.
 */
import { PipevineError } from '../error/pipevine-error.ts';

const RELAYED = 2;
const HEAD_BYTES = 4;

/** Relays between two peers at most: each is one more that can fail. */
export const MAX_RELAY_HOPS = 3;

/** Smallest payload that a relay may ask for, in bytes: the smallest that a link of ours has is larger. */
const MIN_PAYLOAD_BYTES = 256;

/** Largest that the field can tell. */
const MAX_PAYLOAD_BYTES = 0xffff;

export interface RelayedPath {
  readonly hops: number;
  readonly maxPayloadBytes: number;
}

/** Whether a BIND is to be forwarded if its target is not here. */
export function asksForRelay(session: Uint8Array): boolean {
  return session[0] === RELAYED;
}

/** What a binder writes to have its BIND forwarded. */
export function askingForRelay(session: Uint8Array, linkPayloadBytes: number): Uint8Array {
  return withHead(0, Math.min(linkPayloadBytes, MAX_PAYLOAD_BYTES), session);
}

/** The session member as the other end wrote it, and the path if it has passed relays. Throws `malformed`. */
export function readRelayedPath(session: Uint8Array): {
  readonly path: RelayedPath | undefined;
  readonly session: Uint8Array;
} {
  if (session[0] !== RELAYED) return { path: undefined, session };
  const hops = session[1] ?? 0;
  const maxPayloadBytes = (session[2] ?? 0) * 256 + (session[3] ?? 0);
  if (session.length < HEAD_BYTES || hops > MAX_RELAY_HOPS || maxPayloadBytes < MIN_PAYLOAD_BYTES) {
    throw new PipevineError(
      'malformed',
      `A relayed BIND or BOUND says ${hops} relays and payloads of ${maxPayloadBytes} bytes; at most ${MAX_RELAY_HOPS} and at least ${MIN_PAYLOAD_BYTES} can be.`,
    );
  }
  const rest = session.subarray(HEAD_BYTES);
  return { path: hops === 0 ? undefined : { hops, maxPayloadBytes }, session: rest };
}

/**
 * What a relay passes on: one hop more, and frames that fit both of its links. Throws `refused` when it has passed as many
 * relays as may be, and `malformed`.
 */
export function throughRelay(session: Uint8Array, linkPayloadBytes: number): Uint8Array {
  const { path, session: rest } = readRelayedPath(session);
  const hops = (path?.hops ?? 0) + 1;
  if (hops > MAX_RELAY_HOPS) {
    throw new PipevineError('refused', `This pipe has passed ${MAX_RELAY_HOPS} relays, the limit.`);
  }
  const most = Math.min(path?.maxPayloadBytes ?? MAX_PAYLOAD_BYTES, linkPayloadBytes, MAX_PAYLOAD_BYTES);
  return withHead(hops, most, rest);
}

function withHead(hops: number, maxPayloadBytes: number, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + rest.length);
  bytes.set([RELAYED, hops, maxPayloadBytes >> 8, maxPayloadBytes & 255]);
  bytes.set(rest, HEAD_BYTES);
  return bytes;
}
