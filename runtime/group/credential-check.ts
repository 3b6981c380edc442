import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { may } from './capability.ts';
import type { CredentialChain } from './credential-codec.ts';
import type { Credential } from './group-access.ts';
import { CLOCK_TOLERANCE_MS } from './group-defaults.ts';

/** What a credential must agree with, besides its signatures. */
export interface CredentialExpectation {
  readonly group: GroupId;
  readonly subject: PeerId;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
  /** How long after its end it is still good enough for the purpose; default 0. */
  readonly graceMs?: number;
  /** Of the group's charter, where it is known. What a quorum gives by an older one must have begun before it. */
  readonly charterSequence?: number | undefined;
  /** `depth`: of one that may administer, its distance from the authority; only what is nearer revokes it. */
  isRevoked(serial: string, version: number, depth: number | undefined): boolean;
}

/** Throws `refused`, `expired` or `revoked`, saying what to do; returns the member's own credential. */
export function checkCredential(chain: CredentialChain, expected: CredentialExpectation): Credential {
  const [own] = chain;
  if (own.group !== expected.group) {
    refuse(`it is for group ${shortGroupId(own.group)}, not ${shortGroupId(expected.group)}; join this group first`);
  }
  if (own.subject !== expected.subject) {
    refuse(`it belongs to peer ${shortPeerId(own.subject)}, but ${shortPeerId(expected.subject)} has shown it`);
  }
  for (const [index, credential] of chain.entries()) {
    const depth = may(credential, 'administer') ? chain.length - index : undefined;
    if (expected.isRevoked(credential.serial, credential.version, depth)) {
      const whose = credential === own ? 'This membership' : 'The membership of whoever signed this credential';
      throw new PipevineError('revoked', `${whose} was revoked or changed; ask an administrator of the group.`);
    }
    if (credential.notBeforeMs > expected.nowMs + CLOCK_TOLERANCE_MS) {
      const minutes = Math.ceil((credential.notBeforeMs - expected.nowMs) / 60_000);
      refuse(`it is valid in ${minutes} minutes only; check the clocks of both machines`);
    }
    if (credential.notAfterMs + (expected.graceMs ?? 0) <= expected.nowMs) {
      const hours = Math.floor((expected.nowMs - credential.notAfterMs) / 3_600_000);
      throw new PipevineError(
        'expired',
        `The credential of peer ${shortPeerId(credential.subject)} ran out ${hours} hours ago. Check the clocks of both machines; if they are right, ask for a new code with \`pipevine invite\` and join again.`,
      );
    }
    const { charterSequence = Infinity, notBeforeMs } = credential;
    const current = expected.charterSequence ?? -1;
    if (charterSequence < current && notBeforeMs >= current) {
      refuse('its approvers approved it by a charter that the group had replaced by then; apply again');
    }
  }
  return own;
}

function refuse(why: string): never {
  throw new PipevineError('refused', `The credential does not do: ${why}.`);
}
