/**
 * Finding out what a NAT shows, and exchanging it. Canonical CBOR (docs/protocol/punch.cddl).
 *
 * Handler `punch` of the resolver, at a relay: `{1: 0}` is answered by a sequence: a ticket `{2, 3}`, then `{4}` for each
 * address from which a probe with its token comes.
 *
 * Request pipe `punch`, between two peers: an offer `{2, 3, 5}` is answered by an offer.
 *
 * | key | member    | value                                                                              |
 * |-----|-----------|------------------------------------------------------------------------------------|
 * |   1 | type      | 0 observe                                                                          |
 * |   2 | token     | 16 bytes, which probes to whoever says this carry                                  |
 * |   3 | addresses | where it takes them: texts `udp://host:port`                                       |
 * |   4 | observed  | such an address                                                                    |
 * |   5 | mapping   | 0 unknown; 1 the same for each destination (or no NAT); 2 another for each         |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap, readText } from '../wire/shape.ts';
import { MAX_CANDIDATES, MAX_OBSERVER_ADDRESSES, TOKEN_BYTES } from './punch-defaults.ts';

/** How a NAT maps one socket to different destinations (RFC 4787 section 4.1), as far as two relays can tell. */
export type Mapping = 'unknown' | 'independent' | 'dependent';

/** Where a peer may be reached, and the token that shows it that something came through. */
export interface PunchOffer {
  readonly token: Uint8Array;
  readonly candidates: readonly EndpointAddress[];
  readonly mapping: Mapping;
}

export type ObserveAnswer =
  | { readonly type: 'ticket'; readonly token: Uint8Array; readonly addresses: readonly EndpointAddress[] }
  | { readonly type: 'observed'; readonly address: EndpointAddress };

const MAX_MESSAGE_BYTES = 2_048;
const MAX_ADDRESS_BYTES = 96;
const MAPPINGS: readonly Mapping[] = ['unknown', 'independent', 'dependent'];

export const OBSERVE_REQUEST: Uint8Array = encodeCanonical(new Map([[1, 0]]));

/** Throws `malformed`, `too-large`, or `unsupported` for a type of a later version. */
export function checkObserveRequest(bytes: Uint8Array): void {
  const type = readMap(decodeStrict(bytes, { maxBytes: 64 }), 'A request to the handler punch').integer(1, 'type');
  if (type !== 0)
    throw new PipevineError('unsupported', `Requests of type ${type} to the handler punch are unknown here.`);
}

export function encodeTicket(token: Uint8Array, addresses: readonly EndpointAddress[]): Uint8Array {
  return encode([
    [2, token],
    [3, addresses.slice(0, MAX_OBSERVER_ADDRESSES)],
  ]);
}

export function encodeObserved(address: EndpointAddress): Uint8Array {
  return encode([[4, address]]);
}

/** Throws `malformed` or `too-large`. */
export function decodeObserveAnswer(bytes: Uint8Array): ObserveAnswer {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_MESSAGE_BYTES }), 'An answer of the handler punch');
  if (reader.has(4)) return { type: 'observed', address: reader.text(4, 'observed', { maxBytes: MAX_ADDRESS_BYTES }) };
  const token = reader.bytes(2, 'token', { length: TOKEN_BYTES });
  return {
    type: 'ticket',
    token,
    addresses: readAddresses(reader.array(3, 'addresses', { maxLength: MAX_OBSERVER_ADDRESSES })),
  };
}

export function encodeOffer({ token, candidates, mapping }: PunchOffer): Uint8Array {
  return encode([
    [2, token],
    [3, candidates],
    [5, MAPPINGS.indexOf(mapping)],
  ]);
}

/** Throws `malformed` or `too-large`. */
export function decodeOffer(bytes: Uint8Array): PunchOffer {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_MESSAGE_BYTES }), 'An offer on the pipe punch');
  const token = reader.bytes(2, 'token', { length: TOKEN_BYTES });
  const candidates = readAddresses(reader.array(3, 'candidates', { maxLength: MAX_CANDIDATES }));
  const mapping = MAPPINGS[reader.integer(5, 'mapping')] ?? 'unknown';
  return { token, candidates, mapping };
}

function readAddresses(values: readonly CborValue[]): readonly EndpointAddress[] {
  return [...new Set(values.map((value) => readText(value, 'An address', { maxBytes: MAX_ADDRESS_BYTES })))];
}

function encode(members: readonly (readonly [number, CborValue])[]): Uint8Array {
  return encodeCanonical(new Map(members));
}
