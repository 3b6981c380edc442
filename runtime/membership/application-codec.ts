/**
 * What stands in the statements about an application, under the serial of the membership that is asked for as their key.
 * Maps of canonical CBOR (docs/protocol/membership.cddl):
 *
 * | statement   | members                                                                                       |
 * |-------------|-----------------------------------------------------------------------------------------------|
 * | application | 1 subject, 2 name, 3 askedAtMs, then 4 nonce (new member) or 5 credential (renewal)           |
 * | approval    | 1 credential (granted by an administrator), 2 signature of the proposal (an approver's vote), |
 * |             | or 3 true (rejected)                                                                          |
 *
 * The serial of a new membership is the first 16 bytes of SHA-256 of the domain string, group, subject and nonce: so all
 * who hear of an application name it alike, and nobody can ask for the serial of another. What is proposed follows from
 * the application and the charter alone; so all approvers sign the same bytes without having to agree on them.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_ENCODED_CREDENTIAL_BYTES, SERIAL_BYTES } from '../group/group-defaults.ts';
import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import { decodeStrict } from '../wire/decode.ts';
import { type CborInput, encodeCanonical } from '../wire/encode.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { readMap } from '../wire/shape.ts';
import { MAX_APPLICANT_NAME_BYTES, NONCE_BYTES } from './membership-defaults.ts';

const DOMAIN = new TextEncoder().encode('pipevine/1 application');
const SIGNATURE_BYTES = 64;

export interface Application {
  readonly subject: PeerId;
  /** What the applicant calls itself. */
  readonly name: string;
  readonly askedAtMs: number;
  /** `nonce` of the applicant for a new membership, its credential for a renewal. */
  readonly for:
    | { readonly type: 'membership'; readonly nonce: Uint8Array }
    | { readonly type: 'renewal'; readonly credential: Uint8Array };
}

export type Approval =
  | { readonly type: 'granted'; readonly credential: Uint8Array }
  | { readonly type: 'vote'; readonly signature: Uint8Array }
  | { readonly type: 'rejected' };

export function applicationSerial(crypto: Crypto, group: GroupId, subject: PeerId, nonce: Uint8Array): string {
  const hash = crypto.sha256(joinBytes([DOMAIN, groupIdToBytes(group), peerIdToBytes(subject), nonce]));
  return base32Encode(hash.subarray(0, SERIAL_BYTES));
}

export function encodeApplication(application: Application): Uint8Array {
  const { subject, name, askedAtMs, for: what } = application;
  return encodeCanonical(
    new Map<number, CborInput | undefined>([
      [1, peerIdToBytes(subject)],
      [2, name],
      [3, askedAtMs],
      [4, what.type === 'membership' ? what.nonce : undefined],
      [5, what.type === 'renewal' ? what.credential : undefined],
    ]),
  );
}

/** Throws `malformed`. */
export function decodeApplication(content: Uint8Array): Application {
  const reader = readMap(decodeStrict(content), 'An application');
  const credential = reader.optionalBytes(5, 'credential', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES });
  return {
    subject: peerIdFromBytes(reader.bytes(1, 'subject', { length: 32 })),
    name: reader.text(2, 'name', { maxBytes: MAX_APPLICANT_NAME_BYTES }),
    askedAtMs: reader.integer(3, 'askedAtMs'),
    for:
      credential === undefined
        ? { type: 'membership', nonce: reader.bytes(4, 'nonce', { length: NONCE_BYTES }) }
        : { type: 'renewal', credential },
  };
}

export function encodeApproval(approval: Approval): Uint8Array {
  return encodeCanonical(
    new Map<number, CborInput | undefined>([
      [1, approval.type === 'granted' ? approval.credential : undefined],
      [2, approval.type === 'vote' ? approval.signature : undefined],
      [3, approval.type === 'rejected' ? true : undefined],
    ]),
  );
}

/** Throws `malformed`. */
export function decodeApproval(content: Uint8Array): Approval {
  const reader = readMap(decodeStrict(content), 'An approval');
  const credential = reader.optionalBytes(1, 'credential', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES });
  if (credential !== undefined) return { type: 'granted', credential };
  const signature = reader.optionalBytes(2, 'signature', { length: SIGNATURE_BYTES });
  if (signature !== undefined) return { type: 'vote', signature };
  if (reader.optionalBoolean(3, 'rejected') === true) return { type: 'rejected' };
  throw new PipevineError('malformed', 'An approval must have a credential, a signature or a rejection.');
}
