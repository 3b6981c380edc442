/**
 * Leases at a relay: directed queries to the resolver's handler `relay`, one answer each. Canonical CBOR
 * (docs/protocol/relay.cddl).
 *
 * | key | member     | in                       | value                                                   |
 * |-----|------------|--------------------------|---------------------------------------------------------|
 * |   1 | type       | requests                 | 0 lease, 1 cancel                                       |
 * |   2 | lease id   | lease, cancel, the grant | 8 bytes; in lease: the one to renew, absent for another |
 * |   3 | lifetimeMs | lease, the grant         | asked for; granted                                      |
 *
 * A lease is answered by `{2, 3}`, or by the error `overloaded`; a cancel by `{}`.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import { LEASE_ID_BYTES, MAX_GRANT_MS, MIN_GRANT_MS } from './relay-defaults.ts';

const MAX_MESSAGE_BYTES = 256;

export type RelayRequest =
  | { readonly type: 'lease'; readonly leaseId: Uint8Array | undefined; readonly lifetimeMs: number }
  | { readonly type: 'cancel'; readonly leaseId: Uint8Array };

export interface RelayGrant {
  readonly leaseId: Uint8Array;
  readonly lifetimeMs: number;
}

export const DONE_ANSWER: Uint8Array = encodeCanonical(new Map());

export function encodeRelayRequest(request: RelayRequest): Uint8Array {
  const { type, leaseId } = request;
  const members = new Map<number, CborValue | undefined>([
    [1, type === 'lease' ? 0 : 1],
    [2, leaseId],
    [3, type === 'lease' ? request.lifetimeMs : undefined],
  ]);
  return encodeCanonical(members);
}

/** Throws `malformed`, `too-large`, or `unsupported` for a type of a later version. */
export function decodeRelayRequest(bytes: Uint8Array): RelayRequest {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_MESSAGE_BYTES }), 'A request to a relay');
  const type = reader.integer(1, 'type');
  const rule = { length: LEASE_ID_BYTES };
  if (type === 0) {
    const leaseId = reader.optionalBytes(2, 'lease id', rule);
    return { type: 'lease', leaseId, lifetimeMs: reader.integer(3, 'lifetimeMs') };
  }
  if (type === 1) return { type: 'cancel', leaseId: reader.bytes(2, 'lease id', rule) };
  throw new PipevineError('unsupported', `Requests of type ${type} to a relay are unknown here.`);
}

export function encodeRelayGrant({ leaseId, lifetimeMs }: RelayGrant): Uint8Array {
  return encodeCanonical(
    new Map<number, CborValue>([
      [2, leaseId],
      [3, lifetimeMs],
    ]),
  );
}

/** Throws `malformed` or `too-large`. */
export function decodeRelayGrant(bytes: Uint8Array): RelayGrant {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_MESSAGE_BYTES }), 'The grant of a relay');
  return {
    leaseId: reader.bytes(2, 'lease id', { length: LEASE_ID_BYTES }),
    lifetimeMs: reader.integer(3, 'lifetimeMs', { min: MIN_GRANT_MS, max: MAX_GRANT_MS }),
  };
}
