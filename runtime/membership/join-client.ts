import { equalBytes } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkCredential } from '../group/credential-check.ts';
import { verifyCredential } from '../group/credential-codec.ts';
import type { GroupMembership, Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import { shortPeerId } from '../id/peer-id.ts';
import type { RequestPipe, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import { groupFingerprint } from './group-fingerprint.ts';
import type { JoinCode } from './join-code.ts';
import {
  type ApplyAnswer,
  decodeApplyAnswer,
  decodeMembershipAnswer,
  encodeMembershipRequest,
} from './membership-codec.ts';
import { MAX_APPLICANT_NAME_BYTES } from './membership-defaults.ts';

export interface JoinByCodeInit extends WaitOptions {
  /** To the `membership` service of a neighbour, in the world group. */
  readonly pipe: Pick<RequestPipe, 'remotePeer' | 'request'>;
  readonly code: JoinCode;
  /** What this peer calls itself, for the administrator's list. */
  readonly name: string;
  readonly groups: Groups;
  readonly crypto: Crypto;
  readonly clock: Clock;
}

export interface JoinResult {
  readonly membership: GroupMembership;
  /** The group's own advertisement, not yet verified: for `AdvertisementStore.receive`. */
  readonly groupAdvertisement: Uint8Array | undefined;
}

/**
 * Applies and joins at one neighbour. The secret is told only to a peer that the group's authority has made an
 * administrator. Rejects with `not-found` when this neighbour cannot admit (ask the next one), `forged` when it only
 * pretends to, `refused` or `expired` when the code is no good, and with the errors of the pipe. Each of the two
 * requests has the pipe's default deadline unless `timeoutMs` says otherwise.
 */
export async function joinByCode(init: JoinByCodeInit): Promise<JoinResult> {
  const { pipe, code, groups, crypto } = init;
  const wait: WaitOptions = {
    ...(init.signal && { signal: init.signal }),
    ...(init.timeoutMs !== undefined && { timeoutMs: init.timeoutMs }),
  };
  const apply = encodeMembershipRequest({ type: 'apply', fingerprint: code.fingerprint });
  const applied = decodeApplyAnswer(await pipe.request(apply, wait));
  checkAdministrator(applied, init);
  if (groups.membership(applied.group)?.authority === true) {
    throw new PipevineError(
      'invalid-argument',
      `This peer itself keeps the authority of group "${applied.groupName}".`,
    );
  }
  const join = encodeMembershipRequest({
    type: 'join',
    fingerprint: code.fingerprint,
    secret: code.secret,
    name: shortened(init.name),
  });
  const answer = decodeMembershipAnswer(await pipe.request(join, wait));
  const [credential] = verifyCredential(crypto, answer.credential);
  if (credential.group !== applied.group) {
    throw new PipevineError('forged', 'The credential that came is of another group than the join code.');
  }
  const membership = await groups.admit(answer.credential, {
    name: applied.groupName,
    administrator: pipe.remotePeer,
  });
  return { membership, groupAdvertisement: answer.groupAdvertisement };
}

/** Renews a membership at an administrator. Rejects with `not-found`, `revoked`, `expired` ... */
export async function renewMembership(
  init: {
    readonly pipe: Pick<RequestPipe, 'remotePeer' | 'request'>;
    readonly group: GroupId;
    readonly groups: Groups;
    readonly crypto: Crypto;
  } & WaitOptions,
): Promise<GroupMembership> {
  const { pipe, group, groups, crypto, ...wait } = init;
  const membership = groups.membership(group);
  if (membership === undefined) throw new PipevineError('not-found', 'This peer is no member of the group to renew.');
  const request = encodeMembershipRequest({ type: 'renew', group, credential: membership.credential.encoded });
  const answer = decodeMembershipAnswer(await pipe.request(request, wait));
  const [renewed] = verifyCredential(crypto, answer.credential);
  if (renewed.group !== group) {
    throw new PipevineError('forged', 'What came as a renewed credential is of another group.');
  }
  if (renewed.notAfterMs <= membership.credential.notAfterMs) {
    throw new PipevineError(
      'refused',
      'This administrator can only give a credential that ends sooner than the present one.',
    );
  }
  return groups.admit(answer.credential, { name: answer.groupName, administrator: pipe.remotePeer });
}

function checkAdministrator(applied: ApplyAnswer, init: JoinByCodeInit): void {
  const { pipe, code, crypto, clock } = init;
  const who = `Peer ${shortPeerId(pipe.remotePeer)}`;
  if (!equalBytes(groupFingerprint(crypto, applied.group), code.fingerprint)) {
    throw new PipevineError('forged', `${who} answered for another group than the join code names.`);
  }
  const chain = verifyCredential(crypto, applied.proof);
  const [proof] = chain;
  // A new member's clock may never have been set; what it gets from the group puts it right.
  const nowMs = Math.max(clock.wallMs(), ...chain.map(({ notBeforeMs }) => notBeforeMs));
  checkCredential(chain, { group: applied.group, subject: pipe.remotePeer, nowMs, isRevoked: () => false });
  if (!proof.roles.includes('administrator')) {
    throw new PipevineError('forged', `${who} claims to admit members, but is no administrator of the group.`);
  }
}

/** The longest start of the name that fits; the administrator's list is for people. */
function shortened(name: string): string {
  const encoder = new TextEncoder();
  let text = name.toWellFormed();
  while (encoder.encode(text).length > MAX_APPLICANT_NAME_BYTES) text = [...text].slice(0, -1).join('');
  return text;
}
