/**
 * The payload by which a handshake's static key is tied to a peer: a CBOR map
 *
 * | key | value                                                                                   | where          |
 * |-----|-----------------------------------------------------------------------------------------|----------------|
 * |   1 | Ed25519 public key, 32 bytes: the peer id                                               | always         |
 * |   2 | its signature over `pipevine/1 noise static key` and the 32-byte Noise static key       | always         |
 * |   3 | protocol versions, an array of integers                                                 | links          |
 * |   4 | limits, a map: 1 largest record plaintext in bytes                                      | links          |
 * |   5 | credential, bytes                                                                       | pipes, if any  |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, peerIdFromBytes, shortPeerId } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { readInteger, readMap } from '../wire/shape.ts';
import { MAX_CREDENTIAL_BYTES } from '../wire/wire-defaults.ts';
import { PROTOCOL_VERSION } from './link-defaults.ts';

const DOMAIN = new TextEncoder().encode('pipevine/1 noise static key');
const MAX_VERSIONS = 16;
/** A record smaller than this could not carry the largest control frame. */
const MIN_RECORD_BYTES = 512;
/** All fields at their largest, and room for those of later versions. */
const MAX_PAYLOAD_BYTES = MAX_CREDENTIAL_BYTES + 1024;

/** What a side says of itself beside its key. */
export interface IdentityClaims {
  /** Protocol versions that it speaks; links only. */
  readonly versions?: readonly number[];
  /** Largest plaintext of a record that it takes; links only. */
  readonly maxRecordBytes?: number;
  /** Shown for the pipe's group; pipes only. */
  readonly credential?: Uint8Array;
}

/** What the other side has proven, and said, about itself. */
export interface VerifiedIdentity {
  readonly peer: PeerId;
  readonly versions: readonly number[];
  readonly maxRecordBytes: number | undefined;
  readonly credential: Uint8Array | undefined;
}

/** Makes the payload that ties `identity.agreement` to `identity.id`. */
export function makeIdentityPayload(identity: Identity, claims: IdentityClaims = {}): Uint8Array {
  const entries: [number, CborValue][] = [
    [1, identity.signing.publicKey],
    [2, identity.signing.sign(joinBytes([DOMAIN, identity.agreement.publicKey]))],
  ];
  if (claims.versions !== undefined) entries.push([3, claims.versions]);
  if (claims.maxRecordBytes !== undefined) entries.push([4, new Map([[1, claims.maxRecordBytes]])]);
  if (claims.credential !== undefined && claims.credential.length > 0) entries.push([5, claims.credential]);
  return encodeCanonical(new Map(entries));
}

/**
 * Checks a payload that came inside a handshake whose static key is `staticKey`. Throws `malformed`, `too-large`,
 * `forged` when the signature is not by the key it names, and `wrong-peer` when that is not `expectedPeer`.
 */
export function verifyIdentityPayload(
  crypto: Crypto,
  payload: Uint8Array,
  staticKey: Uint8Array,
  expectedPeer?: PeerId,
): VerifiedIdentity {
  const map = readMap(decodeStrict(payload, { maxBytes: MAX_PAYLOAD_BYTES }), 'Identity payload');
  const publicKey = map.bytes(1, 'public key', { length: 32 });
  const signature = map.bytes(2, 'signature', { length: 64 });
  const versions = (map.optionalArray(3, 'versions', { minLength: 1, maxLength: MAX_VERSIONS }) ?? []).map((version) =>
    readInteger(version, 'Identity payload: a version'),
  );
  const maxRecordBytes = map
    .optionalChild(4, 'limits')
    ?.optionalInteger(1, 'largest record', { min: MIN_RECORD_BYTES });
  const credential = map.optionalBytes(5, 'credential', { maxLength: MAX_CREDENTIAL_BYTES });
  const peer = peerIdFromBytes(publicKey);
  if (!crypto.verify(publicKey, joinBytes([DOMAIN, staticKey]), signature)) {
    throw new PipevineError(
      'forged',
      `The peer that answered says it is ${shortPeerId(peer)} but its signature is wrong.`,
    );
  }
  if (expectedPeer !== undefined && peer !== expectedPeer) {
    throw new PipevineError(
      'wrong-peer',
      `Expected peer ${shortPeerId(expectedPeer)}, but ${shortPeerId(peer)} answered; the address is outdated.`,
    );
  }
  return { peer, versions, maxRecordBytes, credential };
}

/** Throws `unsupported` unless both sides speak this version. */
export function requireCommonVersion(identity: VerifiedIdentity): void {
  if (identity.versions.includes(PROTOCOL_VERSION)) return;
  throw new PipevineError(
    'unsupported',
    `Peer ${shortPeerId(identity.peer)} speaks versions ${identity.versions.join(', ') || 'none'}; this peer speaks ${PROTOCOL_VERSION}. Update the older of the two.`,
  );
}
