/**
 * The rendezvous protocol: directed queries to the resolver's handler `rendezvous`, one answer each. Canonical CBOR
 * (docs/protocol/rendezvous.cddl). A peer that does not serve answers `not-found`, or refers to others.
 *
 * Request, a map:
 *
 * | key | member         | in                | value                                                          |
 * |-----|----------------|-------------------|----------------------------------------------------------------|
 * |   1 | type           | all               | 0 lease, 1 cancel, 2 push, 3 replicate, 4 peerview             |
 * |   2 | lease id       | lease, cancel     | 8 bytes; in lease: the one to renew, absent for a new one      |
 * |   3 | lifetimeMs     | lease             | asked for                                                      |
 * |   4 | advertisements | push, replicate   | array of COSE_Sign1, proofs before what they prove             |
 * |   5 | rendezvous     | peerview          | `[* [peer 32 bytes, [* address]]]`, the sender first           |
 * |   6 | leaving        | peerview          | true: the sender serves no more; absent for no                 |
 *
 * Answer, a map: to lease `{2: lease id, 3: lifetimeMs, 5: rendezvous}`, or `{5: rendezvous}` to refer to those; to
 * peerview `{5: rendezvous}`; else `{}`.
 */
import { MAX_ADVERTISEMENT_BYTES } from '../advertisement/advertisement-defaults.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readArray, readBytes, readMap, readText } from '../wire/shape.ts';
import {
  LEASE_ID_BYTES,
  LEASE_MS,
  MAX_FEED_BATCH,
  MAX_LEASE_MS,
  MAX_PEERVIEW,
  MAX_VIEW_ADDRESS_BYTES,
  MAX_VIEW_ADDRESSES,
  MIN_LEASE_MS,
} from './rendezvous-defaults.ts';

const REQUEST = 'A request to a rendezvous';
const ANSWER = 'An answer of a rendezvous';

/** A rendezvous and where it may be dialled: a hint. */
export interface KnownRendezvous {
  readonly peer: PeerId;
  readonly addresses: readonly EndpointAddress[];
}

export interface LeaseGrant {
  readonly leaseId: Uint8Array;
  readonly lifetimeMs: number;
  readonly rendezvous: readonly KnownRendezvous[];
}

/** "Not here, but there." */
export interface LeaseReferral {
  readonly leaseId: undefined;
  readonly rendezvous: readonly KnownRendezvous[];
}

export type RendezvousRequest =
  | { readonly type: 'lease'; readonly leaseId: Uint8Array | undefined; readonly lifetimeMs: number }
  | { readonly type: 'cancel'; readonly leaseId: Uint8Array }
  | { readonly type: 'push' | 'replicate'; readonly encoded: readonly Uint8Array[] }
  | { readonly type: 'peerview'; readonly rendezvous: readonly KnownRendezvous[]; readonly leaving: boolean };

const TYPES = ['lease', 'cancel', 'push', 'replicate', 'peerview'] as const;

export const DONE_ANSWER: Uint8Array = encodeCanonical(new Map());

export function encodeLeaseRequest(leaseId: Uint8Array | undefined): Uint8Array {
  return encode(0, [2, leaseId], [3, LEASE_MS]);
}

export function encodeCancel(leaseId: Uint8Array): Uint8Array {
  return encode(1, [2, leaseId]);
}

export function encodeAdvertisements(type: 'push' | 'replicate', encoded: readonly Uint8Array[]): Uint8Array {
  return encode(TYPES.indexOf(type), [4, encoded]);
}

export function encodePeerview(rendezvous: readonly KnownRendezvous[], leaving: boolean): Uint8Array {
  return encode(4, [5, shown(rendezvous)], [6, leaving || undefined]);
}

export function encodeGrant(grant: LeaseGrant): Uint8Array {
  return encode(undefined, [2, grant.leaseId], [3, grant.lifetimeMs], [5, shown(grant.rendezvous)]);
}

/** An answer to peerview, or a referral. */
export function encodeKnown(rendezvous: readonly KnownRendezvous[]): Uint8Array {
  return encode(undefined, [5, shown(rendezvous)]);
}

/** Throws `malformed`, `too-large`, or `unsupported` for a type of a later version. */
export function decodeRequest(bytes: Uint8Array): RendezvousRequest {
  const reader = readMap(decodeStrict(bytes), REQUEST);
  const code = reader.integer(1, 'type');
  const type = TYPES[code];
  switch (type) {
    case 'lease':
      return {
        type,
        leaseId: reader.optionalBytes(2, 'lease id', { length: LEASE_ID_BYTES }),
        lifetimeMs: reader.integer(3, 'lifetimeMs'),
      };
    case 'cancel':
      return { type, leaseId: reader.bytes(2, 'lease id', { length: LEASE_ID_BYTES }) };
    case 'push':
    case 'replicate':
      return {
        type,
        encoded: reader
          .array(4, 'advertisements', { minLength: 1, maxLength: MAX_FEED_BATCH })
          .map((one) => readBytes(one, `${REQUEST}: advertisement`, { maxLength: MAX_ADVERTISEMENT_BYTES })),
      };
    case 'peerview':
      return { type, rendezvous: readKnown(reader), leaving: reader.optionalBoolean(6, 'leaving') ?? false };
    default:
      throw new PipevineError('unsupported', `Requests of type ${code} to a rendezvous are unknown here.`);
  }
}

/** Throws `malformed` or `too-large`. */
export function decodeLeaseAnswer(bytes: Uint8Array): LeaseGrant | LeaseReferral {
  const reader = readMap(decodeStrict(bytes), ANSWER);
  const leaseId = reader.optionalBytes(2, 'lease id', { length: LEASE_ID_BYTES });
  const rendezvous = readKnown(reader);
  if (leaseId === undefined) return { leaseId, rendezvous };
  return { leaseId, lifetimeMs: reader.integer(3, 'lifetimeMs', { min: MIN_LEASE_MS, max: MAX_LEASE_MS }), rendezvous };
}

/** What `encodeKnown` wrote. Throws `malformed` or `too-large`. */
export function decodeKnown(bytes: Uint8Array): KnownRendezvous[] {
  return readKnown(readMap(decodeStrict(bytes), ANSWER));
}

function encode(
  type: number | undefined,
  ...members: readonly (readonly [number, CborValue | undefined])[]
): Uint8Array {
  return encodeCanonical(new Map<number, CborValue | undefined>([[1, type], ...members]));
}

function shown(rendezvous: readonly KnownRendezvous[]): CborValue {
  return rendezvous
    .slice(0, MAX_PEERVIEW)
    .map(({ peer, addresses }) => [peerIdToBytes(peer), addresses.slice(0, MAX_VIEW_ADDRESSES)]);
}

function readKnown(reader: MapReader): KnownRendezvous[] {
  const what = `${reader.what}: a rendezvous`;
  return reader.array(5, 'rendezvous', { maxLength: MAX_PEERVIEW }).map((one) => {
    const [peer, addresses] = readArray(one, what, { minLength: 2, maxLength: 8 });
    return {
      peer: peerIdFromBytes(readBytes(peer, what, { length: 32 })),
      addresses: readArray(addresses, what, { maxLength: MAX_VIEW_ADDRESSES }).map((address) =>
        readText(address, what, { maxBytes: MAX_VIEW_ADDRESS_BYTES }),
      ),
    };
  });
}
