/**
 * Credential on the wire: a COSE_Sign1 (see advertisement/cose-sign1.ts) in the domain `pipevine/1 credential` whose
 * payload is canonical CBOR (docs/protocol/membership.cddl):
 *
 * | key | member      | value                                                                     |
 * |-----|-------------|---------------------------------------------------------------------------|
 * |   1 | group       | 32 bytes                                                                  |
 * |   2 | subject     | 32 bytes: the member                                                      |
 * |   3 | roles       | array of text                                                             |
 * |   4 | notBeforeMs | wall clock, milliseconds since 1970                                       |
 * |   5 | notAfterMs  | the same                                                                  |
 * |   6 | serial      | 16 bytes; stays the same when the credential is renewed                   |
 * |   7 | issuer      | encoded credential of the signer; absent when the group's authority signs |
 *
 * An `administrator` may sign credentials with any roles; a `host` those of the peers that it hosts, which are `member`
 * and nothing else. At most three credentials make a chain.
 */
import { decodeCose, equalBytes, signCose, verifyCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Decode, base32Encode } from '../id/base32.ts';
import { groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto, SigningKey } from '../platform/crypto.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap, readText } from '../wire/shape.ts';
import type { Credential } from './group-access.ts';
import {
  MAX_CREDENTIAL_CHAIN,
  MAX_ENCODED_CREDENTIAL_BYTES,
  MAX_ROLE_BYTES,
  MAX_ROLES,
  SERIAL_BYTES,
} from './group-defaults.ts';

const DOMAIN = 'pipevine/1 credential';
const WHAT = 'A credential';

export type CredentialFields = Omit<Credential, 'encoded'>;

/** A credential and those of its issuers, the member's own first; all signatures hold. */
export type CredentialChain = readonly [Credential, ...Credential[]];

/** Signs a credential, as the authority or, with `issuer`, as the administrator or host that it is the credential of. */
export function signCredential(signing: SigningKey, fields: CredentialFields, issuer?: Uint8Array): Credential {
  const serial = base32Decode(fields.serial);
  if (serial?.length !== SERIAL_BYTES) {
    throw new PipevineError('invalid-argument', `A serial is ${SERIAL_BYTES} bytes as base32, not "${fields.serial}".`);
  }
  const payload = encodeCanonical(
    new Map<number, CborValue | undefined>([
      [1, groupIdToBytes(fields.group)],
      [2, peerIdToBytes(fields.subject)],
      [3, fields.roles],
      [4, fields.notBeforeMs],
      [5, fields.notAfterMs],
      [6, serial],
      [7, issuer],
    ]),
  );
  const encoded = signCose(signing, DOMAIN, payload);
  // What was just signed must pass its own reader: bounds are in one place.
  decode(encoded);
  return { ...fields, encoded };
}

/**
 * Checks the form of a credential and the signatures of its chain up to the group's authority; says nothing about time,
 * revocation, or who shows it. Throws `too-large`, `malformed`, `forged`, or `refused` when an issuer had no right to.
 */
export function verifyCredential(crypto: Crypto, encoded: Uint8Array): CredentialChain {
  const chain: Credential[] = [];
  let next: Uint8Array | undefined = encoded;
  let previous: Credential | undefined;
  while (next !== undefined) {
    if (chain.length === MAX_CREDENTIAL_CHAIN) {
      throw new PipevineError('malformed', `A chain of credentials may have ${MAX_CREDENTIAL_CHAIN} at most.`);
    }
    const { credential, issuer, cose } = decode(next);
    if (previous !== undefined) checkIssuer(previous, credential);
    verifyCose(crypto, DOMAIN, cose, WHAT);
    if (issuer === undefined && !equalBytes(cose.signer, groupIdToBytes(credential.group))) {
      throw new PipevineError('forged', "A credential is signed neither by the group's authority nor by an issuer.");
    }
    chain.push(credential);
    previous = issuer === undefined ? undefined : { ...credential, subject: peerIdFromBytes(cose.signer) };
    next = issuer;
  }
  const [own, ...issuers] = chain;
  if (own === undefined) throw new PipevineError('internal', 'A chain of credentials without a credential.');
  return [own, ...issuers];
}

/** `signed.subject` is who signed; it must be the one whom `issuer` is for. */
function checkIssuer(signed: Credential, issuer: Credential): void {
  if (issuer.group !== signed.group)
    throw new PipevineError('forged', 'The issuer of a credential is of another group.');
  if (issuer.subject !== signed.subject) {
    throw new PipevineError('forged', 'A credential is signed by another than the issuer that it names.');
  }
  if (issuer.roles.includes('administrator')) return;
  const plain = signed.roles.length === 1 && signed.roles[0] === 'member';
  if (issuer.roles.includes('host') && plain) return;
  throw new PipevineError(
    'refused',
    `A member without the right to do so signed a credential with roles ${signed.roles.join(', ')}.`,
  );
}

function decode(encoded: Uint8Array): {
  credential: Credential;
  issuer: Uint8Array | undefined;
  cose: ReturnType<typeof decodeCose>;
} {
  const cose = decodeCose(encoded, WHAT, MAX_ENCODED_CREDENTIAL_BYTES);
  const value = decodeStrict(cose.payload);
  if (!equalBytes(encodeCanonical(value), cose.payload)) {
    throw new PipevineError('malformed', `${WHAT}: the payload is not in canonical order and shortest form.`);
  }
  const reader = readMap(value, WHAT);
  const credential = {
    group: groupIdFromBytes(reader.bytes(1, 'group', { length: 32 })),
    subject: peerIdFromBytes(reader.bytes(2, 'subject', { length: 32 })),
    roles: reader
      .array(3, 'roles', { minLength: 1, maxLength: MAX_ROLES })
      .map((role) => readText(role, `${WHAT}: role`, { maxBytes: MAX_ROLE_BYTES })),
    notBeforeMs: reader.integer(4, 'notBeforeMs'),
    notAfterMs: reader.integer(5, 'notAfterMs'),
    serial: base32Encode(reader.bytes(6, 'serial', { length: SERIAL_BYTES })),
    encoded,
  };
  return { credential, issuer: reader.optionalBytes(7, 'issuer', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES }), cose };
}
