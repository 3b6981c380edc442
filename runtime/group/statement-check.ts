import { PipevineError } from '../error/pipevine-error.ts';
import { shortPeerId } from '../id/peer-id.ts';
import { may } from './capability.ts';
import { type Charter, charterOf } from './charter.ts';
import { type CredentialExpectation, checkCredential } from './credential-check.ts';
import type { CredentialChain } from './credential-codec.ts';
import { readEpochContent } from './epoch-content.ts';
import type { Credential } from './group-access.ts';
import { CLOCK_TOLERANCE_MS, MAX_STATEMENT_LIFETIME_MS, REVOCATION_LIFETIME_MS } from './group-defaults.ts';
import { readRevocationList } from './revocation-list.ts';
import type { Statement } from './statement.ts';
import type { StatementForm } from './statement-codec.ts';

/** Of the issuer; empty for the authority. */
export type IssuerChain = CredentialChain | readonly [];

/**
 * Whether who has signed a statement may say it, and now. The signatures, that of `chain` (empty for the authority)
 * included, have been checked. Throws `refused`, `expired`, `revoked`, `forged` or `malformed`.
 *
 * A revocation list is judged by the time when it was signed, and taken also from who is revoked: whether it counts is for
 * Revocations to say, which must come to the same at every member, whatever came first.
 */
export function checkStatement(
  form: StatementForm,
  chain: IssuerChain,
  expected: Omit<CredentialExpectation, 'subject'> & { readonly charter: Charter | undefined },
): Statement {
  const { type, issuer, key, untilMs, sequence } = form;
  const [own] = chain;
  const isList = type === 'revocations';
  if (untilMs <= expected.nowMs) {
    throw new PipevineError('expired', `A statement of type ${type} ran out; whoever made it may make another.`);
  }
  if (isList && key !== '') throw new PipevineError('malformed', 'Revocations have no key: each issuer has one list.');
  if (own !== undefined) {
    const asOf = isList ? { nowMs: sequence, charterSequence: undefined, isRevoked: () => false } : {};
    checkCredential([own, ...chain.slice(1)], { ...expected, subject: issuer, ...asOf });
    if (!mayState(form, own, expected.charter)) {
      throw new PipevineError(
        'refused',
        `Peer ${shortPeerId(issuer)} (roles ${own.roles.join(', ')}) has no right to a statement of type ${type}.`,
      );
    }
  }
  const latestMs = isList ? sequence + REVOCATION_LIFETIME_MS : expected.nowMs + MAX_STATEMENT_LIFETIME_MS;
  if (type !== 'charter' && untilMs > latestMs + CLOCK_TOLERANCE_MS) {
    throw new PipevineError('refused', `A statement of type ${type} is to last longer than one may.`);
  }
  if (type === 'charter') charterOf(form);
  if (type === 'epoch') checkEpoch(form, expected.nowMs);
  return toStatement(form, chain);
}

/** Of one that was checked when it came. Throws `malformed`. */
export function toStatement(form: StatementForm, chain: IssuerChain): Statement {
  const { cose: _, credential: __, ...fields } = form;
  const [own] = chain;
  const revocations = form.type === 'revocations' ? readRevocationList(form.content) : [];
  return { ...fields, ...(own && { issuerCredential: own }), issuerChain: chain, revocations };
}

function checkEpoch({ key, content }: StatementForm, nowMs: number): void {
  if (key !== '') throw new PipevineError('malformed', 'An epoch has no key: each issuer has one.');
  if (readEpochContent(content).fromMs > nowMs + CLOCK_TOLERANCE_MS) {
    throw new PipevineError('refused', 'An epoch is to begin in the future; check the clocks of both machines.');
  }
}

function mayState(form: StatementForm, own: Credential, charter: Charter | undefined): boolean {
  if (form.type === 'charter') return false;
  if (form.type === 'application') return may(own, 'publish');
  if (may(own, 'administer')) return true;
  const { policy } = charter ?? {};
  return form.type === 'approval' && policy?.type === 'quorum' && policy.approvers.includes(form.issuer);
}
