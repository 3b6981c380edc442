/**
 * How the `session` member of BIND begins when its target is to be reached over relays, and of the BOUND that has come back
 * over them; the rest is as the peer at the other end wrote it. Nothing here is proven: it bounds the number of hops, and
 * says how large frames may be.
 *
 * | bytes    | meaning                                                                                 |
 * |----------|-----------------------------------------------------------------------------------------|
 * | 1        | 02: each relay finds the next; 03: the relays are named                                 |
 * | 1        | relays that it has passed; the binder writes 0                                          |
 * | 2        | largest payload of a DATA frame on all links so far, in bytes, big-endian               |
 * | 1        | with 03, in BIND only: how many relays are named, 0 to 3                                |
 * | 32 each  | with 03: their ids, in order, without the first relay. All of them stay for the next one |
 *
 * A relay answers a BIND that does not ask for it as any other peer does: it is for itself, or `not-found`.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes, shortPeerId } from '../id/peer-id.ts';

const RELAYED = 2;
const NAMED = 3;
const HEAD_BYTES = 4;
const ID_BYTES = 32;

/** Relays between two peers at most: each is one more that can fail. */
export const MAX_RELAY_HOPS = 4;

/** Of these the first is the neighbour that gets BIND: so many more can be named. */
export const MAX_NAMED_RELAYS = MAX_RELAY_HOPS - 1;

/** Smallest payload that a relay may ask for, in bytes: the smallest that a link of ours has is larger. */
const MIN_PAYLOAD_BYTES = 256;

/** Largest that the field can tell. */
const MAX_PAYLOAD_BYTES = 0xffff;

export interface RelayedPath {
  readonly hops: number;
  readonly maxPayloadBytes: number;
}

/** What a relay reads of a BIND. */
export interface RelayedHead extends RelayedPath {
  /** The relays after the first, in order, none twice; undefined when each relay finds the next. */
  readonly named: readonly PeerId[] | undefined;
}

/** Whether a BIND is to be forwarded if its target is not here. */
export function asksForRelay(session: Uint8Array): boolean {
  return session[0] === RELAYED || session[0] === NAMED;
}

/**
 * What a binder writes to have its BIND forwarded. `named`: over these relays after the first, and no others; default: as
 * the relays know. Throws `invalid-argument` for more than MAX_NAMED_RELAYS.
 */
export function askingForRelay(session: Uint8Array, linkPayloadBytes: number, named?: readonly PeerId[]): Uint8Array {
  if (named !== undefined && named.length > MAX_NAMED_RELAYS) {
    throw new PipevineError('invalid-argument', `A way has at most ${MAX_RELAY_HOPS} relays, not ${named.length + 1}.`);
  }
  return withHead({ hops: 0, maxPayloadBytes: Math.min(linkPayloadBytes, MAX_PAYLOAD_BYTES), named }, session);
}

/** The session member as the other end wrote it, and the path if it has passed relays. Throws `malformed`. */
export function readRelayedPath(session: Uint8Array): {
  readonly path: RelayedPath | undefined;
  readonly session: Uint8Array;
} {
  if (!asksForRelay(session)) return { path: undefined, session };
  const { head, rest } = readHead(session);
  const { hops, maxPayloadBytes } = head;
  return { path: hops === 0 ? undefined : { hops, maxPayloadBytes }, session: rest };
}

/** What a BIND says of the way that it wants to take and has taken. Throws `malformed`. */
export function readRelayedHead(session: Uint8Array): RelayedHead {
  return readHead(session).head;
}

/**
 * What a relay passes on: one hop more, and frames that fit both of its links. `named`: by the first relay, where the
 * binder has named none. Throws `refused` when it has passed as many relays as may be, and `malformed`.
 */
export function throughRelay(session: Uint8Array, linkPayloadBytes: number, named?: readonly PeerId[]): Uint8Array {
  const read = asksForRelay(session) ? readHead(session) : undefined;
  const hops = (read?.head.hops ?? 0) + 1;
  if (hops > MAX_RELAY_HOPS) {
    throw new PipevineError('refused', `This pipe has passed ${MAX_RELAY_HOPS} relays, the limit.`);
  }
  const before = read?.head.maxPayloadBytes ?? MAX_PAYLOAD_BYTES;
  const maxPayloadBytes = Math.min(before, linkPayloadBytes, MAX_PAYLOAD_BYTES);
  return withHead({ hops, maxPayloadBytes, named: read?.head.named ?? named }, read?.rest ?? session);
}

function readHead(session: Uint8Array): { readonly head: RelayedHead; readonly rest: Uint8Array } {
  const hops = session[1] ?? 0;
  const maxPayloadBytes = (session[2] ?? 0) * 256 + (session[3] ?? 0);
  if (session.length < HEAD_BYTES || hops > MAX_RELAY_HOPS || maxPayloadBytes < MIN_PAYLOAD_BYTES) {
    throw new PipevineError(
      'malformed',
      `A relayed BIND or BOUND says ${hops} relays and payloads of ${maxPayloadBytes} bytes; at most ${MAX_RELAY_HOPS} and at least ${MIN_PAYLOAD_BYTES} can be.`,
    );
  }
  if (session[0] !== NAMED) {
    return { head: { hops, maxPayloadBytes, named: undefined }, rest: session.subarray(HEAD_BYTES) };
  }
  const count = session[HEAD_BYTES] ?? Infinity;
  const end = HEAD_BYTES + 1 + count * ID_BYTES;
  // Whoever has passed more relays than it names, the first included, has not kept to them.
  if (count > MAX_NAMED_RELAYS || session.length < end || hops > count + 1) {
    throw new PipevineError(
      'malformed',
      `A BIND that has passed ${hops} relays names ${count} of them after the first; at most ${MAX_NAMED_RELAYS} can be, and each must be there.`,
    );
  }
  const named = Array.from({ length: count }, (_, i) => {
    const start = HEAD_BYTES + 1 + i * ID_BYTES;
    return peerIdFromBytes(session.subarray(start, start + ID_BYTES));
  });
  const twice = named.find((relay, i) => named.indexOf(relay) !== i);
  if (twice !== undefined) {
    throw new PipevineError('malformed', `A BIND names relay ${shortPeerId(twice)} twice: that would be a loop.`);
  }
  return { head: { hops, maxPayloadBytes, named }, rest: session.subarray(end) };
}

function withHead({ hops, maxPayloadBytes, named }: RelayedHead, rest: Uint8Array): Uint8Array {
  const ids = named ?? [];
  const headBytes = HEAD_BYTES + (named === undefined ? 0 : 1 + ids.length * ID_BYTES);
  const bytes = new Uint8Array(headBytes + rest.length);
  bytes.set([named === undefined ? RELAYED : NAMED, hops, maxPayloadBytes >> 8, maxPayloadBytes & 255]);
  if (named !== undefined) bytes[HEAD_BYTES] = ids.length;
  for (const [i, id] of ids.entries()) bytes.set(peerIdToBytes(id), HEAD_BYTES + 1 + i * ID_BYTES);
  bytes.set(rest, headBytes);
  return bytes;
}
