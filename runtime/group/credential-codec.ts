/**
 * Credential on the wire: a COSE_Sign1 (see advertisement/cose-sign1.ts) in the domain `pipevine/1 credential` whose
 * payload is canonical CBOR (docs/protocol/group.cddl):
 *
 * | key | member       | value                                                                     |
 * |-----|--------------|---------------------------------------------------------------------------|
 * |   1 | group        | 32 bytes                                                                  |
 * |   2 | subject      | 32 bytes: the member                                                      |
 * |   3 | roles        | array of text                                                             |
 * |   4 | notBeforeMs  | wall clock, milliseconds since 1970                                       |
 * |   5 | notAfterMs   | the same                                                                  |
 * |   6 | serial       | 16 bytes; stays the same when the credential is renewed                   |
 * |   7 | issuer       | encoded credential of the signer; absent when the group's authority signs |
 * |   8 | capabilities | array of text; absent when there are none besides those of the roles      |
 * |   9 | version      | grows with each change of what is granted; absent when 0                  |
 *
 * Who may `administer` may sign any; a `host` those of the peers that it hosts, which are `member` and nothing else. At
 * most three credentials make a chain. What a quorum gives nobody signs alone: it is the bare map, with the charter as
 * issuer, the charter's roles, neither 8 nor 9, and
 *
 * |  10 | approvals    | array of [approver, signature], ascending, as many as the charter asks for |
 *
 * where each signature is over the canonical CBOR of `["pipevine/1 approval", the map without key 10]`.
 */
import { type CoseSign1, decodeCose, equalBytes, signCose, verifyCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto, SigningKey } from '../platform/crypto.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readArray, readBytes, readMap, readText } from '../wire/shape.ts';
import { CAPABILITIES, may, NAME_CLAIM } from './capability.ts';
import { verifyCharter } from './charter.ts';
import type { Credential } from './group-access.ts';
import {
  CREDENTIAL_LIFETIME_MS,
  MAX_CAPABILITIES,
  MAX_CAPABILITY_BYTES,
  MAX_CREDENTIAL_CHAIN,
  MAX_ENCODED_CREDENTIAL_BYTES,
  MAX_ROLE_BYTES,
  MAX_ROLES,
  SERIAL_BYTES,
} from './group-defaults.ts';
import { serialToBytes } from './serial.ts';

const DOMAIN = 'pipevine/1 credential';
const WHAT = 'A credential';
/** Head of tag 18: what a quorum gave begins with a map instead. */
const COSE_HEAD = 0xd2;
const APPROVALS = 10;

export type CredentialFields = Omit<Credential, 'encoded' | 'capabilities' | 'version' | 'charterSequence'> &
  Partial<Pick<Credential, 'capabilities' | 'version'>>;

/** A credential and those of its issuers, the member's own first; all signatures hold. */
export type CredentialChain = readonly [Credential, ...Credential[]];

/** Signs a credential, as the authority or, with `issuer`, as the administrator or host that it is the credential of. */
export function signCredential(signing: SigningKey, fields: CredentialFields, issuer?: Uint8Array): Credential {
  // What was just signed must pass its own reader: bounds are in one place.
  return decode(signCose(signing, DOMAIN, encodeCredentialFields(fields, issuer))).credential;
}

/** The payload of a credential. Throws `invalid-argument`. */
export function encodeCredentialFields(fields: CredentialFields, issuer: Uint8Array | undefined): Uint8Array {
  return encodeCanonical(
    new Map<number, CborValue | undefined>([
      [1, groupIdToBytes(fields.group)],
      [2, peerIdToBytes(fields.subject)],
      [3, fields.roles],
      [4, fields.notBeforeMs],
      [5, fields.notAfterMs],
      [6, serialToBytes(fields.serial)],
      [7, issuer],
      [8, fields.capabilities?.length ? fields.capabilities : undefined],
      [9, fields.version || undefined],
    ]),
  );
}

/** What an approver of a quorum signs: `payload` is the credential without its approvals. */
export function approvalInput(payload: Uint8Array): Uint8Array {
  return encodeCanonical(['pipevine/1 approval', payload]);
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
    const { credential, reader, issuer, cose }: Decoded = decode(next);
    if (previous !== undefined) checkIssuer(previous, credential);
    if (cose === undefined) {
      chain.push(verifyQuorum(crypto, credential, reader, issuer));
      break;
    }
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
  if (may(issuer, 'administer')) return;
  const plain = signed.roles.length === 1 && signed.roles[0] === 'member' && signed.capabilities.length === 0;
  if (may(issuer, 'host') && plain) return;
  throw new PipevineError(
    'refused',
    `A member without the right to do so signed a credential with roles ${signed.roles.join(', ')}.`,
  );
}

function verifyQuorum(
  crypto: Crypto,
  credential: Credential,
  reader: MapReader,
  issuer: Uint8Array | undefined,
): Credential {
  if (issuer === undefined) throw new PipevineError('malformed', `${WHAT} that a quorum gave lacks the charter.`);
  const { policy, group, roles, sequence } = verifyCharter(crypto, issuer);
  if (group !== credential.group || policy.type !== 'quorum') {
    throw new PipevineError('forged', `${WHAT} names a charter by which no quorum admits members of this group.`);
  }
  const { notBeforeMs, notAfterMs, version, capabilities } = credential;
  if (
    version !== 0 ||
    capabilities.length > 0 ||
    notAfterMs - notBeforeMs > CREDENTIAL_LIFETIME_MS ||
    !credential.roles.every((role) => roles.includes(role))
  ) {
    throw new PipevineError('refused', `A quorum can give ${roles.join(', ')} for 45 days, and nothing else.`);
  }
  const { needed, approvers } = policy;
  const input = approvalInput(
    encodeCanonical(new Map([...reader.map].filter(([key]) => key !== APPROVALS)) as ReadonlyMap<number, CborValue>), // All keys that were read are CBOR.
  );
  let before = '';
  for (const one of reader.array(APPROVALS, 'approvals', { length: needed })) {
    const [who, signature] = readArray(one, `${WHAT}: approval`, { length: 2 });
    const key = readBytes(who, `${WHAT}: approver`, { length: 32 });
    const approver = peerIdFromBytes(key);
    if (approver <= before) throw new PipevineError('malformed', `${WHAT}: approvals must ascend, each voice once.`);
    before = approver;
    if (!approvers.includes(approver)) {
      throw new PipevineError('refused', `${WHAT} is approved by a peer that is no approver of the group.`);
    }
    if (!crypto.verify(key, input, readBytes(signature, `${WHAT}: approval`, { length: 64 }))) {
      throw new PipevineError('forged', `${WHAT}: an approval is not signed by the approver that it names.`);
    }
  }
  return { ...credential, charterSequence: sequence };
}

interface Decoded {
  readonly credential: Credential;
  readonly reader: MapReader;
  readonly issuer: Uint8Array | undefined;
  /** Absent when a quorum gave it. */
  readonly cose: CoseSign1 | undefined;
}

function decode(encoded: Uint8Array): Decoded {
  const cose = encoded[0] === COSE_HEAD ? decodeCose(encoded, WHAT, MAX_ENCODED_CREDENTIAL_BYTES) : undefined;
  const payload = cose?.payload ?? encoded;
  const value = decodeStrict(payload, { maxBytes: MAX_ENCODED_CREDENTIAL_BYTES });
  if (!equalBytes(encodeCanonical(value), payload)) {
    throw new PipevineError('malformed', `${WHAT}: the payload is not in canonical order and shortest form.`);
  }
  const reader = readMap(value, WHAT);
  const issuer = reader.optionalBytes(7, 'issuer', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES });
  return { credential: { ...readCredentialFields(reader), encoded }, reader, issuer, cose };
}

/** The members 1 to 9, without the issuer. Throws `malformed`. */
export function readCredentialFields(reader: MapReader): Omit<Credential, 'encoded'> {
  return {
    group: groupIdFromBytes(reader.bytes(1, 'group', { length: 32 })),
    subject: peerIdFromBytes(reader.bytes(2, 'subject', { length: 32 })),
    roles: reader
      .array(3, 'roles', { minLength: 1, maxLength: MAX_ROLES })
      .map((role) => readText(role, `${WHAT}: role`, { maxBytes: MAX_ROLE_BYTES })),
    capabilities: (reader.optionalArray(8, 'capabilities', { minLength: 1, maxLength: MAX_CAPABILITIES }) ?? []).map(
      readCapability,
    ),
    notBeforeMs: reader.integer(4, 'notBeforeMs'),
    notAfterMs: reader.integer(5, 'notAfterMs'),
    serial: base32Encode(reader.bytes(6, 'serial', { length: SERIAL_BYTES })),
    version: reader.optionalInteger(9, 'version', { min: 1 }) ?? 0,
  };
}

function readCapability(value: CborValue): string {
  const text = readText(value, `${WHAT}: capability`, { maxBytes: MAX_CAPABILITY_BYTES });
  const known: readonly string[] = CAPABILITIES;
  if (known.includes(text) || (text.startsWith(NAME_CLAIM) && text.length > NAME_CLAIM.length)) return text;
  throw new PipevineError('malformed', `${WHAT}: "${text}" is no capability; there are ${known.join(', ')}, name:*.`);
}
