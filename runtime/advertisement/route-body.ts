import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes } from '../wire/shape.ts';
import { MAX_BODY_BYTES } from './advertisement-defaults.ts';

/** Relays that one peer names at most. */
export const MAX_ROUTE_RELAYS = 8;

/** Key of the `route` advertisement in which a relay names the relays that it is linked to; with the empty key, those that it leases at. */
export const NEIGHBOURS_KEY = 'neighbours';

/** The body of a `route` advertisement: its publisher can be reached over these relays, best first. */
export interface RouteBody {
  readonly relays: readonly PeerId[];
}

/** `[* relay peer id, 32 bytes]`. */
export function encodeRouteBody({ relays }: RouteBody): Uint8Array {
  return encodeCanonical(relays.slice(0, MAX_ROUTE_RELAYS).map((relay) => peerIdToBytes(relay)));
}

/** Throws `malformed`. */
export function decodeRouteBody(bytes: Uint8Array): RouteBody {
  const what = 'The body of a route advertisement';
  const relays = readArray(decodeStrict(bytes, { maxBytes: MAX_BODY_BYTES }), what, { maxLength: MAX_ROUTE_RELAYS });
  return { relays: relays.map((relay) => peerIdFromBytes(readBytes(relay, what, { length: 32 }))) };
}
