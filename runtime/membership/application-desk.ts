import { equalBytes } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Charter } from '../group/charter.ts';
import type { Credential } from '../group/group-access.ts';
import { CLOCK_TOLERANCE_MS, RENEWAL_AGE_MS, RENEWAL_GRACE_MS } from '../group/group-defaults.ts';
import type { Groups } from '../group/groups.ts';
import { approve, assemble, isApproved, proposalFor } from '../group/quorum.ts';
import type { Statement } from '../group/statement.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import {
  type Application,
  type Approval,
  applicationSerial,
  decodeApplication,
  decodeApproval,
  encodeApplication,
  encodeApproval,
} from './application-codec.ts';
import { AttemptLimiter } from './attempt-limiter.ts';
import {
  APPLICATION_LIFETIME_MS,
  ATTEMPT_WINDOW_MS,
  MAX_APPLICATIONS,
  MAX_NEW_APPLICATIONS_IN_TOTAL,
  MAX_NEW_APPLICATIONS_PER_PEER,
} from './membership-defaults.ts';

export interface ApplicationDeskInit {
  readonly groups: Groups;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
}

/** Who waits for approval. */
export interface Applicant {
  readonly peer: PeerId;
  /** As it calls itself. */
  readonly name: string;
  /** Of the membership that is asked for; names the application. */
  readonly serial: string;
  /** Wall clock. */
  readonly askedAtMs: number;
  /** Approvals that are there, and those that it takes. */
  readonly have: number;
  readonly needed: number;
}

/** What has become of an application. */
export type Verdict =
  | { readonly type: 'pending'; readonly have: number; readonly needed: number }
  | { readonly type: 'granted'; readonly credential: Credential }
  | { readonly type: 'rejected' };

interface OpenApplication extends Application {
  readonly serial: string;
}

/**
 * The applications of the groups that this peer may approve members for. All state is statements, so every administrator
 * and approver sees the same, and whoever holds enough of them hands out the credential.
 */
export class ApplicationDesk {
  readonly #groups: Groups;
  readonly #identity: Identity;
  readonly #clock: Clock;
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #contents = new WeakMap<Statement, OpenApplication | Approval | undefined>();
  readonly #unsubscribe: () => void;
  readonly #fresh = new AttemptLimiter({
    windowMs: ATTEMPT_WINDOW_MS,
    maxPerPeer: MAX_NEW_APPLICATIONS_PER_PEER,
    maxInTotal: MAX_NEW_APPLICATIONS_IN_TOTAL,
  });

  constructor(init: ApplicationDeskInit) {
    this.#groups = init.groups;
    this.#identity = init.identity;
    this.#clock = init.clock;
    this.#crypto = init.crypto;
    this.#random = init.random;
    this.#unsubscribe = init.groups.subscribe(({ group, statement }) => {
      if (statement?.type === 'application') void this.#voteForRenewal(group, statement.key);
    });
    for (const { group } of init.groups.list()) {
      for (const { serial } of this.#open(group)) void this.#voteForRenewal(group, serial);
    }
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Whether this peer's word counts for new members of the group. */
  mayApprove(group: GroupId): boolean {
    const policy = this.#groups.charter(group)?.policy;
    if (policy?.type === 'quorum') return policy.approvers.includes(this.#identity.id);
    return policy?.type === 'approval' && this.#groups.mayAdmit(group);
  }

  /** Who waits; renewals decide themselves and are not among them. */
  applicants(group: GroupId): Applicant[] {
    const waiting: Applicant[] = [];
    for (const application of this.#open(group)) {
      const { subject: peer, name, serial, askedAtMs } = application;
      if (application.for.type === 'renewal' || this.#groups.isRevoked(group, serial)) continue;
      const verdict = this.#verdict(group, application);
      if (verdict.type === 'pending') waiting.push({ peer, name, serial, askedAtMs, ...counts(verdict) });
    }
    return waiting;
  }

  /** Takes an application, or says what has become of it. Rejects with `refused`, `expired`, `revoked` or `overloaded`. */
  async apply(
    group: GroupId,
    subject: PeerId,
    asked: { readonly name: string; readonly nonce: Uint8Array; readonly askedAtMs: number },
  ): Promise<Verdict> {
    const { name, nonce, askedAtMs } = asked;
    const serial = applicationSerial(this.#crypto, group, subject, nonce);
    if (this.#groups.isRevoked(group, serial)) {
      throw new PipevineError('revoked', 'This membership was revoked; ask an administrator of the group.');
    }
    const open = this.#open(group);
    const known =
      open.find((each) => each.serial === serial) ??
      open.find((each) => each.subject === subject && !this.#groups.isRevoked(group, each.serial));
    if (known !== undefined && known.for.type === 'membership') return this.#verdict(group, known);
    const nowMs = this.#clock.wallMs();
    if (askedAtMs > nowMs + CLOCK_TOLERANCE_MS || askedAtMs + APPLICATION_LIFETIME_MS <= nowMs) {
      throw new PipevineError('expired', 'This application is of another time; withdraw it and apply anew.');
    }
    if (this.applicants(group).length >= MAX_APPLICATIONS) {
      throw new PipevineError(
        'overloaded',
        `${MAX_APPLICATIONS} applications wait in this group, no more are taken; an administrator has to approve or reject some.`,
      );
    }
    if (!this.#fresh.allows(subject, this.#clock.monotonicMs())) {
      throw new PipevineError('overloaded', 'Too many applications came; wait a minute, then try again.');
    }
    this.#fresh.failed(subject, this.#clock.monotonicMs());
    const application = { subject, name, askedAtMs, for: { type: 'membership', nonce } } as const;
    await this.#publish(group, 'application', serial, encodeApplication(application));
    return this.#verdict(group, { ...application, serial });
  }

  /** Asks the approvers of a quorum group for a renewal; each that knows of no revocation votes for it by itself. */
  async renew(group: GroupId, credential: Credential): Promise<Verdict> {
    const { serial, subject, encoded } = credential;
    const known = this.#open(group).find((each) => each.serial === serial);
    if (known?.for.type === 'renewal' && equalBytes(known.for.credential, encoded)) return this.#verdict(group, known);
    const askedAtMs = Math.floor(this.#clock.wallMs());
    const application = { subject, name: '', askedAtMs, for: { type: 'renewal', credential: encoded } } as const;
    await this.#publish(group, 'application', serial, encodeApplication(application));
    await this.#voteForRenewal(group, serial);
    return this.#verdict(group, { ...application, serial });
  }

  /**
   * Approves who waits, by serial or peer. Resolves to the credential, to be announced, when that grants it (an
   * administrator's approval), to undefined when it was a vote. Rejects with `not-found`, `refused` or `revoked`.
   */
  async approve(group: GroupId, who: string | PeerId): Promise<{ credential: Credential; name: string } | undefined> {
    const { charter, application } = this.#decidable(group, who);
    const { serial, subject, name } = application;
    if (this.#groups.isRevoked(group, serial)) {
      throw new PipevineError(
        'revoked',
        `The membership of peer ${shortPeerId(subject)} was revoked; it must apply anew.`,
      );
    }
    if (charter.policy.type === 'quorum') {
      await this.#vote(group, charter, application);
      return undefined;
    }
    return { credential: this.#groups.issue(group, { subject, roles: charter.roles, serial }), name };
  }

  /** Says no, by serial or peer: an administrator for good, an approver for itself. */
  async reject(group: GroupId, who: string | PeerId): Promise<void> {
    const { serial } = this.#decidable(group, who).application;
    await this.#publish(group, 'approval', serial, encodeApproval({ type: 'rejected' }));
  }

  /**
   * Lets all members know a credential that this administrator has granted, so that any of them can hand it out. When there
   * is no room for that it is this administrator alone who can.
   */
  async announceGrant({ group, serial, encoded }: Credential): Promise<void> {
    try {
      await this.#publish(group, 'approval', serial, encodeApproval({ type: 'granted', credential: encoded }));
    } catch (error) {
      if (!(error instanceof PipevineError) || error.code !== 'overloaded') throw error;
    }
  }

  /** The newest credential that was announced for this serial and peer, is valid and not revoked. */
  granted(group: GroupId, serial: string, subject: PeerId): Credential | undefined {
    return this.#approvals(group, serial)
      .flatMap(({ approval }) => {
        const credential = approval.type === 'granted' && this.#check(group, serial, subject, approval.credential);
        return credential ? [credential] : [];
      })
      .sort((a, b) => a.version - b.version || a.notAfterMs - b.notAfterMs)
      .at(-1);
  }

  /** Bounds and counters, by name. */
  get status(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    const waiting = this.#groups
      .list()
      .map(({ group }) => (this.mayApprove(group) ? this.applicants(group).length : 0));
    return { used: Math.max(0, ...waiting), limit: MAX_APPLICATIONS, dropped: this.#fresh.refused };
  }

  #verdict(group: GroupId, application: OpenApplication): Verdict {
    const { serial, subject } = application;
    const charter = this.#charter(group);
    const approvals = this.#approvals(group, serial);
    if (application.for.type === 'membership') {
      const credential = this.granted(group, serial, subject);
      if (credential !== undefined) return { type: 'granted', credential };
    }
    const { policy } = charter;
    const rejections = approvals.filter(({ approval }) => approval.type === 'rejected');
    if (policy.type !== 'quorum') {
      return rejections.length > 0 ? { type: 'rejected' } : { type: 'pending', have: 0, needed: 1 };
    }
    const { needed, approvers } = policy;
    const proposal = this.#proposal(charter, application);
    const votes = approvals.flatMap(({ issuer: approver, approval }) => {
      const vote = approval.type === 'vote' && { approver, signature: approval.signature };
      return vote && proposal !== undefined && isApproved(this.#crypto, charter, proposal, vote) ? [vote] : [];
    });
    if (proposal !== undefined && votes.length >= needed) {
      const credential = this.#check(group, serial, subject, assemble(charter, proposal, votes));
      if (credential !== undefined) return { type: 'granted', credential };
    }
    const against = rejections.filter(({ issuer }) => approvers.includes(issuer)).length;
    return against > approvers.length - needed
      ? { type: 'rejected' }
      : { type: 'pending', have: Math.min(votes.length, needed), needed };
  }

  /** What the approvers of a quorum group sign; undefined for a renewal that they cannot give. */
  #proposal(charter: Charter, application: OpenApplication): Uint8Array | undefined {
    if (application.for.type === 'renewal') {
      const before = this.#renewable(charter.group, application);
      // A quorum gives what the charter says: nobody more than before, and what an administrator has changed it renews.
      if (before?.version !== 0 || !charter.roles.every((role) => before.roles.includes(role))) return undefined;
    }
    const { serial, subject, askedAtMs: nowMs } = application;
    return proposalFor(charter, { subject, serial, nowMs, random: this.#random });
  }

  async #vote(group: GroupId, charter: Charter, application: OpenApplication): Promise<void> {
    const proposal = this.#proposal(charter, application);
    if (proposal === undefined) return;
    const signature = approve(this.#identity.signing, proposal);
    const cast = this.#approvals(group, application.serial).some(
      ({ issuer, approval }) =>
        issuer === this.#identity.id && approval.type === 'vote' && equalBytes(approval.signature, signature),
    );
    if (!cast) await this.#publish(group, 'approval', application.serial, encodeApproval({ type: 'vote', signature }));
  }

  /** Nobody has to decide on a renewal: who is not revoked stays a member. */
  async #voteForRenewal(group: GroupId, serial: string): Promise<void> {
    try {
      const charter = this.#groups.charter(group);
      if (charter?.policy.type !== 'quorum' || !this.mayApprove(group)) return;
      const application = this.#open(group).find((each) => each.serial === serial);
      if (application?.for.type === 'renewal') await this.#vote(group, charter, application);
    } catch (error) {
      // The member asks again, and with that comes the next attempt.
      if (!(error instanceof PipevineError)) throw error;
    }
  }

  /** The credential of a renewal that is due and may be renewed. */
  #renewable(group: GroupId, { for: what, subject, serial, askedAtMs }: OpenApplication): Credential | undefined {
    if (what.type !== 'renewal') return undefined;
    try {
      const own = this.#groups.verify(group, subject, what.credential, { graceMs: RENEWAL_GRACE_MS });
      return own.serial === serial && askedAtMs >= own.notBeforeMs + RENEWAL_AGE_MS ? own : undefined;
    } catch (error) {
      if (error instanceof PipevineError) return undefined;
      throw error;
    }
  }

  #check(group: GroupId, serial: string, subject: PeerId, encoded: Uint8Array): Credential | undefined {
    try {
      const credential = this.#groups.verify(group, subject, encoded);
      return credential.serial === serial ? credential : undefined;
    } catch (error) {
      // A statement of another: whatever is wrong with what stands in it, it grants nothing.
      if (error instanceof PipevineError) return undefined;
      throw error;
    }
  }

  #decidable(group: GroupId, who: string): { charter: Charter; application: OpenApplication } {
    const charter = this.#charter(group);
    const application = this.#open(group).find(
      ({ serial, subject, for: what }) => what.type === 'membership' && (serial === who || subject === who),
    );
    if (application === undefined) {
      throw new PipevineError(
        'not-found',
        'Nobody of that name waits for approval; `pipevine group approve` lists who does.',
      );
    }
    if (!this.mayApprove(group)) {
      throw new PipevineError(
        'refused',
        charter.policy.type === 'quorum'
          ? `Members of group "${charter.name}" are approved by ${charter.policy.needed} of its ${charter.policy.approvers.length} approvers; this peer is none of them.`
          : `Members of group "${charter.name}" are approved by its administrators; this peer is none.`,
      );
    }
    return { charter, application };
  }

  /** One for each serial: of renewals, the one asked for last. */
  #open(group: GroupId): OpenApplication[] {
    const bySerial = new Map<string, OpenApplication>();
    const nowMs = this.#clock.wallMs();
    for (const statement of this.#groups.statements(group)) {
      if (statement.type !== 'application' || statement.untilMs <= nowMs) continue;
      const application = this.#content(statement, () => this.#readApplication(statement));
      if (application === undefined || !('subject' in application)) continue;
      if (application.askedAtMs > nowMs + CLOCK_TOLERANCE_MS) continue;
      const before = bySerial.get(application.serial);
      if (before === undefined || before.askedAtMs < application.askedAtMs)
        bySerial.set(application.serial, application);
    }
    return [...bySerial.values()];
  }

  #readApplication({ group, key: serial, content }: Statement): OpenApplication | undefined {
    const application = decodeApplication(content);
    const { subject, for: what } = application;
    const named = what.type === 'renewal' || applicationSerial(this.#crypto, group, subject, what.nonce) === serial;
    return named ? { ...application, serial } : undefined;
  }

  #approvals(group: GroupId, serial: string): { issuer: PeerId; approval: Approval }[] {
    const found: { issuer: PeerId; approval: Approval }[] = [];
    for (const statement of this.#groups.statements(group)) {
      if (statement.type !== 'approval' || statement.key !== serial) continue;
      const approval = this.#content(statement, () => decodeApproval(statement.content));
      if (approval !== undefined && 'type' in approval) found.push({ issuer: statement.issuer, approval });
    }
    return found;
  }

  /** Read once a statement; undefined when it says nothing that can be read. */
  #content(
    statement: Statement,
    read: () => OpenApplication | Approval | undefined,
  ): OpenApplication | Approval | undefined {
    if (this.#contents.has(statement)) return this.#contents.get(statement);
    let content: OpenApplication | Approval | undefined;
    try {
      content = read();
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
    }
    this.#contents.set(statement, content);
    return content;
  }

  async #publish(group: GroupId, type: 'application' | 'approval', key: string, content: Uint8Array): Promise<void> {
    await this.#groups.publish(group, { type, key, content, lifetimeMs: APPLICATION_LIFETIME_MS });
  }

  #charter(group: GroupId): Charter {
    const charter = this.#groups.charter(group);
    if (charter !== undefined) return charter;
    throw new PipevineError('not-found', 'The charter of this group is not known here yet; try again in a while.');
  }
}

function counts({ have, needed }: { readonly have: number; readonly needed: number }) {
  return { have, needed };
}
