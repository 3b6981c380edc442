/**
 * Questions for routes: queries, directed and propagated, to the resolver's handler `route`. Canonical CBOR
 * (docs/protocol/relay.cddl).
 *
 * | message  | value                                                                                    |
 * |----------|------------------------------------------------------------------------------------------|
 * | question | map: 1 the peer that is looked for, 32 bytes                                              |
 * | answer   | array of signed advertisements as they are: `route` ones of that peer and of the relays on |
 * |          | the way, and `peer` and `delegation` ones that prove their publishers                     |
 */
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readMap } from '../wire/shape.ts';
import { MAX_ANSWER_ADVERTISEMENTS, MAX_ANSWER_BYTES, MAX_QUERY_BYTES } from './router-defaults.ts';

/** What the answer's array and lengths take besides the advertisements, at most. */
const OVERHEAD_BYTES = 5 * (MAX_ANSWER_ADVERTISEMENTS + 1);

export function encodeRouteQuery(target: PeerId): Uint8Array {
  return encodeCanonical(new Map([[1, peerIdToBytes(target)]]));
}

/** Throws `malformed` or `too-large`. */
export function decodeRouteQuery(bytes: Uint8Array): PeerId {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_QUERY_BYTES }), 'A question for a route');
  return peerIdFromBytes(reader.bytes(1, 'peer', { length: 32 }));
}

/** As many of them, in order, as an answer may have. */
export function encodeRouteAnswer(advertisements: readonly Uint8Array[]): Uint8Array {
  const given: Uint8Array[] = [];
  let left = MAX_ANSWER_BYTES;
  for (const encoded of advertisements) {
    if (given.length === MAX_ANSWER_ADVERTISEMENTS) break;
    if (encoded.length > left) continue;
    left -= encoded.length;
    given.push(encoded);
  }
  return encodeCanonical(given);
}

/** Throws `malformed` or `too-large`. What the advertisements are is not looked at. */
export function decodeRouteAnswer(bytes: Uint8Array): readonly Uint8Array[] {
  const what = 'An answer about a route';
  const value = decodeStrict(bytes, { maxBytes: MAX_ANSWER_BYTES + OVERHEAD_BYTES });
  return readArray(value, what, { maxLength: MAX_ANSWER_ADVERTISEMENTS }).map((one) => readBytes(one, what));
}
