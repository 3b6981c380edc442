import { equalBytes } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import { type Charter, verifyCharter } from '../group/charter.ts';
import { checkCredential } from '../group/credential-check.ts';
import { verifyCredential } from '../group/credential-codec.ts';
import type { GroupMembership, Groups } from '../group/groups.ts';
import type { MembershipPolicyType } from '../group/membership-policy.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { CpaceInitiator } from '../pake/cpace.ts';
import type { RequestPipe, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { groupFingerprint } from './group-fingerprint.ts';
import type { JoinCode } from './join-code.ts';
import {
  type ApplyAnswer,
  decodeApplyAnswer,
  decodeFindAnswer,
  decodeMembershipAnswer,
  decodePasswordAnswer,
  encodeMembershipRequest,
  type MembershipAnswer,
  type MembershipRequest,
} from './membership-codec.ts';
import { MAX_APPLICANT_NAME_BYTES, NONCE_BYTES } from './membership-defaults.ts';
import type { OwnApplication } from './own-application.ts';
import { passwordBytes } from './password-bytes.ts';

/** A peer's `membership` service, in the world group. */
export type MembershipPipe = Pick<RequestPipe, 'remotePeer' | 'request'>;

/** What an applicant has to show: a code; or the group's id, and what its policy asks for. */
export type JoinBy =
  | { readonly type: 'code'; readonly code: JoinCode }
  | {
      readonly type: 'group';
      readonly group: GroupId;
      readonly password?: string | undefined;
      readonly application: OwnApplication;
    };

export interface JoinInit extends WaitOptions {
  readonly pipe: MembershipPipe;
  readonly by: JoinBy;
  /** The applicant. */
  readonly localPeer: PeerId;
  /** What this peer calls itself, for those who admit. */
  readonly name: string;
  readonly groups: Groups;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly clock: Clock;
}

/** What came of asking to be admitted. `pending`: it waits for approval; to be asked again. */
export type JoinOutcome =
  | { readonly state: 'joined'; readonly membership: GroupMembership }
  | {
      readonly state: 'pending';
      readonly group: GroupId;
      readonly name: string;
      readonly have: number;
      readonly needed: number;
    };

/** A group that a peer near by admits to. */
export interface FoundGroup {
  readonly id: GroupId;
  readonly name: string;
  readonly policy: MembershipPolicyType;
  /** Who answered, and can be joined at. */
  readonly administrator: PeerId;
}

/**
 * Applies and joins at one neighbour. Secrets are told only to a peer that the group's authority has made an administrator,
 * a password to nobody. Rejects with `not-found` when this neighbour cannot admit (ask the next one), `forged` when it only
 * pretends to, `invalid-argument` when the group's policy asks for something else, `refused`, `expired` or `revoked` when it
 * said no, and with the errors of the pipe. Each request has the pipe's default deadline unless `timeoutMs` says otherwise.
 */
export async function joinAt(init: JoinInit): Promise<JoinOutcome> {
  const { pipe, by, groups, crypto } = init;
  const ask = (request: MembershipRequest) => pipe.request(encodeMembershipRequest(request), waitOf(init));
  const applied = decodeApplyAnswer(
    await ask(
      by.type === 'code' ? { type: 'apply', fingerprint: by.code.fingerprint } : { type: 'apply', group: by.group },
    ),
  );
  const charter = checkApplyAnswer(applied, init);
  const { group, name } = charter;
  if (groups.membership(group)?.authority === true) {
    throw new PipevineError('invalid-argument', `This peer itself keeps the authority of group "${name}".`);
  }
  const answer = decodeMembershipAnswer(await ask(await joinRequest(init, charter, applied)));
  if (answer.state === 'pending') return { ...answer, group, name };
  return { state: 'joined', membership: await admitted(answer, { pipe, groups, crypto, group }) };
}

/** The last request of joining, after the exchanges that it takes. */
async function joinRequest(init: JoinInit, charter: Charter, applied: ApplyAnswer): Promise<MembershipRequest> {
  const { by, pipe, crypto, random, localPeer } = init;
  const { group, policy } = charter;
  const name = shortened(init.name);
  if (by.type === 'code') return { type: 'join-code', group, name, secret: by.code.secret };
  if (by.password !== undefined && policy.type !== 'password') throw wrongPolicy(charter);
  switch (policy.type) {
    case 'code':
      throw wrongPolicy(charter);
    case 'open':
      return { type: 'join-open', group, name };
    case 'approval':
    case 'quorum': {
      by.application.askedAtMs ??= applied.nowMs;
      const { nonce, askedAtMs } = by.application;
      return { type: 'join-approval', group, name, nonce, askedAtMs };
    }
    case 'password': {
      if (by.password === undefined) throw wrongPolicy(charter);
      if (applied.password === undefined) {
        throw new PipevineError('not-found', `Peer ${shortPeerId(pipe.remotePeer)} was not told the group's password.`);
      }
      const nonce = random.bytes(NONCE_BYTES);
      const initiator = new CpaceInitiator({
        crypto,
        random,
        password: await crypto.stretch(passwordBytes(by.password), applied.password.salt),
        initiator: localPeer,
        responder: pipe.remotePeer,
        group,
        sessionId: joinBytes([nonce, applied.password.nonce]),
      });
      const begin = encodeMembershipRequest({ type: 'password-begin', group, nonce, share: initiator.share });
      const { share, tag } = decodePasswordAnswer(await pipe.request(begin, waitOf(init)));
      return { type: 'password-finish', group, name, tag: finish(initiator, share, tag, charter) };
    }
  }
}

/** Renews a membership at an administrator or approver. Rejects with `not-found`, `revoked`, `expired`, `busy` (approvals are missing) ... */
export async function renewMembership(
  init: {
    readonly pipe: MembershipPipe;
    readonly group: GroupId;
    readonly groups: Groups;
    readonly crypto: Crypto;
  } & WaitOptions,
): Promise<GroupMembership> {
  const { pipe, group, groups } = init;
  const before = groups.membership(group)?.credential;
  if (before === undefined) throw new PipevineError('not-found', 'This peer is no member of the group to renew.');
  const request = encodeMembershipRequest({ type: 'renew', group, credential: before.encoded });
  const answer = decodeMembershipAnswer(await pipe.request(request, waitOf(init)));
  if (answer.state === 'pending') {
    throw new PipevineError(
      'busy',
      `The renewal has ${answer.have} of ${answer.needed} approvals; it is asked for again.`,
    );
  }
  const [renewed] = verifyCredential(init.crypto, answer.credential);
  if (renewed.version <= before.version && renewed.notAfterMs <= before.notAfterMs) {
    throw new PipevineError(
      'refused',
      'This administrator can only give a credential that ends sooner than the present one.',
    );
  }
  return admitted(answer, init);
}

/** Tells an administrator that this peer gives up its membership. */
export async function resignAt(
  init: { readonly pipe: MembershipPipe; readonly group: GroupId; readonly credential: Uint8Array } & WaitOptions,
): Promise<void> {
  const { pipe, group, credential } = init;
  await pipe.request(encodeMembershipRequest({ type: 'resign', group, credential }), waitOf(init));
}

/** The groups that a peer admits to and that want to be found, by a pattern of names with `*`. What does not verify is left out. */
export async function findAt(
  init: { readonly pipe: MembershipPipe; readonly pattern: string; readonly crypto: Crypto } & WaitOptions,
): Promise<FoundGroup[]> {
  const { pipe, pattern, crypto } = init;
  const found: FoundGroup[] = [];
  const request = encodeMembershipRequest({ type: 'find', name: pattern });
  for (const encoded of decodeFindAnswer(await pipe.request(request, waitOf(init)))) {
    const { group: id, name, policy } = verifyCharter(crypto, encoded);
    found.push({ id, name, policy: policy.type, administrator: pipe.remotePeer });
  }
  return found;
}

async function admitted(
  answer: MembershipAnswer & { state: 'joined' },
  init: { readonly pipe: MembershipPipe; readonly group: GroupId; readonly groups: Groups; readonly crypto: Crypto },
): Promise<GroupMembership> {
  const { pipe, group, groups, crypto } = init;
  const [credential] = verifyCredential(crypto, answer.credential);
  if (credential.group !== group) {
    throw new PipevineError('forged', 'The credential that came is of another group than the one that was asked for.');
  }
  const [charter] = answer.statements;
  const known = charter === undefined ? groups.charter(group) : verifyCharter(crypto, charter);
  if (known?.group !== group) throw new PipevineError('forged', 'A credential came without the charter of its group.');
  return groups.admit(answer.credential, {
    name: known.name,
    administrator: pipe.remotePeer,
    statements: answer.statements,
  });
}

function checkApplyAnswer(applied: ApplyAnswer, init: JoinInit): Charter {
  const { pipe, by, crypto, clock } = init;
  const who = `Peer ${shortPeerId(pipe.remotePeer)}`;
  const charter = verifyCharter(crypto, applied.charter);
  const { group, policy } = charter;
  const asked =
    by.type === 'code' ? equalBytes(groupFingerprint(crypto, group), by.code.fingerprint) : group === by.group;
  if (!asked) throw new PipevineError('forged', `${who} answered for another group than it was asked for.`);
  const chain = verifyCredential(crypto, applied.proof);
  // A new member's clock may never have been set; what it gets from the group puts it right.
  const nowMs = Math.max(clock.wallMs(), ...chain.map(({ notBeforeMs }) => notBeforeMs));
  try {
    checkCredential(chain, { group, subject: pipe.remotePeer, nowMs, isRevoked: () => false });
  } catch (cause) {
    if (!(cause instanceof PipevineError)) throw cause;
    // Not the group says no, but somebody who does not speak for it: another may.
    throw new PipevineError('forged', `${who} has not proven that it admits members: ${cause.message}`, { cause });
  }
  const approves = policy.type === 'quorum' && policy.approvers.includes(pipe.remotePeer);
  if (!may(chain[0], 'administer') && !(approves && by.type === 'group')) {
    throw new PipevineError('forged', `${who} claims to admit members, but is no administrator of the group.`);
  }
  return charter;
}

function finish(initiator: CpaceInitiator, share: Uint8Array, tag: Uint8Array, { name }: Charter): Uint8Array {
  try {
    return initiator.finish(share, tag).tag;
  } catch (cause) {
    if (!(cause instanceof PipevineError) || cause.code !== 'refused') throw cause;
    throw new PipevineError('refused', `This is not the password of group "${name}". Check it and try again.`, {
      cause,
    });
  }
}

function wrongPolicy({ name, policy }: Charter): PipevineError {
  const how: Record<MembershipPolicyType, string> = {
    open: 'admits whoever asks: join without a password',
    code: 'admits by code: ask an administrator for one, which `pipevine group invite` makes',
    password: 'admits by password: give it to `pipevine group join`',
    approval: 'admits by approval of an administrator: apply with `pipevine group join`, without a password',
    quorum: 'admits by approval of several members: apply with `pipevine group join`, without a password',
  };
  return new PipevineError('invalid-argument', `Group "${name}" ${how[policy.type]}.`);
}

function waitOf({ signal, timeoutMs }: WaitOptions): WaitOptions {
  return { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
}

/** The longest start of the name that fits; it is for people. */
function shortened(name: string): string {
  const encoder = new TextEncoder();
  let text = name.toWellFormed();
  while (encoder.encode(text).length > MAX_APPLICANT_NAME_BYTES) text = [...text].slice(0, -1).join('');
  return text;
}
