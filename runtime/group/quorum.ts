import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto, SigningKey } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import { type Charter, verifyCharter } from './charter.ts';
import {
  approvalInput,
  type CredentialFields,
  encodeCredentialFields,
  readCredentialFields,
} from './credential-codec.ts';
import type { Credential } from './group-access.ts';
import { CREDENTIAL_LIFETIME_MS, MAX_ENCODED_CREDENTIAL_BYTES, SERIAL_BYTES } from './group-defaults.ts';

const APPROVALS = 10;
const WHAT = 'A proposal';

export interface ProposalInit {
  readonly subject: PeerId;
  /** Wall clock, ms since 1970: from when the credential is valid. */
  readonly nowMs: number;
  /** Of a membership that is renewed; default: a new one. */
  readonly serial?: string;
  readonly random: Random;
}

/** One approver's voice for a proposal. */
export interface Approval {
  readonly approver: PeerId;
  /** 64 bytes, over the proposal. */
  readonly signature: Uint8Array;
}

/** The credential that a quorum is asked for, without approvals: what each of them signs. Throws `invalid-argument`. */
export function proposalFor(charter: Charter, init: ProposalInit): Uint8Array {
  quorumOf(charter);
  const fields: CredentialFields = {
    group: charter.group,
    subject: init.subject,
    roles: charter.roles,
    notBeforeMs: init.nowMs,
    notAfterMs: init.nowMs + CREDENTIAL_LIFETIME_MS,
    serial: init.serial ?? base32Encode(init.random.bytes(SERIAL_BYTES)),
  };
  return encodeCredentialFields(fields, charter.encoded);
}

/** What a proposal asks for, and by which charter: to be looked at before it is approved. */
export interface Proposal {
  readonly credential: Omit<Credential, 'encoded'>;
  readonly charter: Charter;
}

/** Throws `too-large`, `malformed`, `forged` (the charter) or `refused` (more than a quorum may give). */
export function readProposal(crypto: Crypto, payload: Uint8Array): Proposal {
  const reader = readMap(decodeStrict(payload, { maxBytes: MAX_ENCODED_CREDENTIAL_BYTES }), WHAT);
  const credential = readCredentialFields(reader);
  const charter = verifyCharter(crypto, reader.bytes(7, 'charter'));
  quorumOf(charter);
  const { group, roles, notBeforeMs, notAfterMs, version, capabilities } = credential;
  const isPlain = version === 0 && capabilities.length === 0 && roles.every((role) => charter.roles.includes(role));
  if (
    reader.has(APPROVALS) ||
    group !== charter.group ||
    !isPlain ||
    notAfterMs - notBeforeMs > CREDENTIAL_LIFETIME_MS
  ) {
    throw new PipevineError('refused', `${WHAT} asks for more than what a quorum of its group may give.`);
  }
  return { credential, charter };
}

/** The signature of an approver. What it signs has been read before, by readProposal. */
export function approve(signing: SigningKey, payload: Uint8Array): Uint8Array {
  return signing.sign(approvalInput(payload));
}

/** Whether an approval is one of the charter's approvers, and signed. */
export function isApproved(crypto: Crypto, charter: Charter, payload: Uint8Array, approval: Approval): boolean {
  const { approvers } = quorumOf(charter);
  const { approver, signature } = approval;
  return approvers.includes(approver) && crypto.verify(peerIdToBytes(approver), approvalInput(payload), signature);
}

/** The credential, when enough approvers have spoken; else throws `refused`, saying how many are missing. */
export function assemble(charter: Charter, payload: Uint8Array, approvals: Iterable<Approval>): Uint8Array {
  const { needed, approvers } = quorumOf(charter);
  const voices = new Map<PeerId, Uint8Array>();
  for (const { approver, signature } of approvals) if (approvers.includes(approver)) voices.set(approver, signature);
  if (voices.size < needed) {
    throw new PipevineError(
      'refused',
      `${voices.size} of ${needed} approvals are there; more approvers have to be asked.`,
    );
  }
  const chosen = [...voices].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, needed);
  const members = new Map<number, CborValue>(
    readMap(decodeStrict(payload), WHAT).map as ReadonlyMap<number, CborValue>,
  ); // Keys are integers: proposalFor wrote them.
  members.set(
    APPROVALS,
    chosen.map(([approver, signature]) => [peerIdToBytes(approver), signature]),
  );
  return encodeCanonical(members);
}

function quorumOf({ policy, name }: Charter): { readonly needed: number; readonly approvers: readonly PeerId[] } {
  if (policy.type === 'quorum') return policy;
  throw new PipevineError('invalid-argument', `Group "${name}" admits by ${policy.type}, not by a quorum.`);
}
