import { Glob } from '../advertisement/glob.ts';
import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Administration } from '../group/administration.ts';
import { may } from '../group/capability.ts';
import type { Charter } from '../group/charter.ts';
import { checkCredential } from '../group/credential-check.ts';
import type { Credential } from '../group/group-access.ts';
import { RENEWAL_GRACE_MS } from '../group/group-defaults.ts';
import type { GroupMembership, Groups } from '../group/groups.ts';
import type { MembershipPolicyType } from '../group/membership-policy.ts';
import { type GroupId, WORLD_GROUP } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PipeListener, PipeService } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import { applicationSerial } from './application-codec.ts';
import { type Applicant, ApplicationDesk, type Verdict } from './application-desk.ts';
import { AttemptLimiter } from './attempt-limiter.ts';
import { groupFingerprint } from './group-fingerprint.ts';
import { type Invitation, type InviteOptions, JoinCodeAdmission } from './join-code-admission.ts';
import { type LedgerEntry, MemberLedger } from './member-ledger.ts';
import {
  decodeMembershipRequest,
  encodeApplyAnswer,
  encodeFindAnswer,
  encodeMembershipAnswer,
  encodePasswordAnswer,
  encodeResignAnswer,
  type MembershipRequest,
} from './membership-codec.ts';
import {
  ATTEMPT_WINDOW_MS,
  MAX_GROUPS_FOUND,
  MAX_MEMBERSHIP_MESSAGE_BYTES,
  MAX_OPEN_JOINS_IN_TOTAL,
  MAX_OPEN_JOINS_PER_PEER,
  MAX_REQUEST_RATES,
  MAX_STATEMENTS_ALONG,
  MAX_WRONG_IN_TOTAL,
  MAX_WRONG_PER_PEER,
  MEMBERSHIP_SERVICE,
  REQUEST_BURST,
  REQUESTS_PER_SECOND,
} from './membership-defaults.ts';
import { PasswordAdmission } from './password-admission.ts';

export interface MembershipServiceInit {
  readonly groups: Groups;
  readonly administration: Pick<Administration, 'grant' | 'revoke'>;
  readonly identity: Identity;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
}

/** What an administrator changes a member's credential to. */
export interface GrantInit {
  readonly roles: readonly string[];
  readonly capabilities: readonly string[];
}

type Ask<Type extends MembershipRequest['type']> = Extract<MembershipRequest, { readonly type: Type }>;

/** Room for heads, and for the credential with its chain, in an answer. */
const ANSWER_OVERHEAD_BYTES = 8 * 1024;
const NO_NONCE = new Uint8Array(0);
/** A version that no credential reaches: only what is revoked for good is revoked with it. */
const ANY_VERSION = Number.MAX_SAFE_INTEGER;

/** What administrators and approvers do for a group: they are found, admit by its policy, approve, renew, change and revoke. */
export class MembershipService {
  readonly #groups: Groups;
  readonly #administration: MembershipServiceInit['administration'];
  readonly #clock: Clock;
  readonly #crypto: Crypto;
  readonly #ledger: MemberLedger;
  readonly #codes: JoinCodeAdmission;
  readonly #passwords: PasswordAdmission;
  readonly #desk: ApplicationDesk;
  readonly #unsubscribe: () => void;
  readonly #attempts = new AttemptLimiter({
    windowMs: ATTEMPT_WINDOW_MS,
    maxPerPeer: MAX_WRONG_PER_PEER,
    maxInTotal: MAX_WRONG_IN_TOTAL,
  });
  readonly #openJoins = new AttemptLimiter({
    windowMs: ATTEMPT_WINDOW_MS,
    maxPerPeer: MAX_OPEN_JOINS_PER_PEER,
    maxInTotal: MAX_OPEN_JOINS_IN_TOTAL,
  });
  readonly #rates = new LruCache<TokenBucket>(MAX_REQUEST_RATES);
  #tooFast = 0;

  constructor(init: MembershipServiceInit) {
    const attempts = this.#attempts;
    this.#groups = init.groups;
    this.#administration = init.administration;
    this.#clock = init.clock;
    this.#crypto = init.crypto;
    this.#ledger = new MemberLedger(init.storage);
    this.#codes = new JoinCodeAdmission({ ...init, attempts });
    this.#passwords = new PasswordAdmission({ ...init, attempts, localPeer: init.identity.id });
    this.#desk = new ApplicationDesk(init);
    this.#unsubscribe = init.groups.subscribe(({ change, group }) => {
      if (change === 'resigned') void this.#forget(group);
    });
  }

  /** Serves the membership protocol in the world group until the listener is closed. */
  serve(pipes: Pick<PipeService, 'serve'>): PipeListener {
    return pipes.serve({ group: WORLD_GROUP, name: MEMBERSHIP_SERVICE, kinds: ['request'] }, (body, context) =>
      this.handle(body, context.remotePeer),
    );
  }

  close(): void {
    this.#unsubscribe();
    this.#desk.close();
  }

  /** Whether this peer admits members to the group, or its word counts for that. */
  admits(group: GroupId): boolean {
    return this.#groups.mayAdmit(group) || this.#desk.mayApprove(group);
  }

  /** Makes a join code, under whatever policy. Rejects with `not-found`, `refused` (no administrator here) or `invalid-argument`. */
  async invite(group: GroupId, options: InviteOptions = {}): Promise<Invitation> {
    this.#administered(group);
    const roles = options.roles ?? this.#groups.charter(group)?.roles ?? ['member'];
    return this.#codes.invite(group, { ...options, roles });
  }

  /**
   * From now on this peer admits by this password to a group whose policy that is. Rejects with `not-found`, `refused`,
   * `invalid-argument` or an error of the storage.
   */
  async setPassword(group: GroupId, password: string): Promise<void> {
    const { name, policy } = this.#administered(group);
    if (policy.type !== 'password') {
      throw new PipevineError('invalid-argument', `Group "${name}" does not admit by password, but by ${policy.type}.`);
    }
    await this.#passwords.setPassword(group, password);
  }

  /** Who waits for approval. */
  applications(group: GroupId): Applicant[] {
    return this.#desk.applicants(group);
  }

  /** Approves who waits, by serial or peer. Rejects with `not-found`, `refused` or `revoked`. */
  async approve(group: GroupId, who: string | PeerId): Promise<void> {
    const granted = await this.#desk.approve(group, who);
    if (granted === undefined) return;
    await this.#ledger.record(granted.credential, { name: granted.name, by: 'approval' });
    await this.#desk.announceGrant(granted.credential);
  }

  /** Rejects who waits, by serial or peer. Rejects with `not-found` or `refused`. */
  async reject(group: GroupId, who: string | PeerId): Promise<void> {
    await this.#desk.reject(group, who);
  }

  /** Whom this administrator has admitted. */
  ledger(group: GroupId): LedgerEntry[] {
    return this.#ledger.list(group);
  }

  /**
   * Changes what a member may do. `known` is its credential, for one that another administrator has admitted. Rejects with
   * `not-found`, `refused` or `invalid-argument`.
   */
  async grant(group: GroupId, peer: PeerId, grant: GrantInit, known?: Credential): Promise<Credential> {
    const current = this.#memberOf(group, peer, known);
    const credential = await this.#administration.grant(group, current, grant);
    await this.#ledger.record(credential, { name: '', by: 'grant' });
    await this.#desk.announceGrant(credential);
    return credential;
  }

  /** Ends a membership. `known` as for `grant`. Rejects with `not-found` or `refused`. */
  async revoke(group: GroupId, peer: PeerId, known?: Credential): Promise<void> {
    await this.#revoke(this.#memberOf(group, peer, known));
  }

  /** Answers one request of `remotePeer`, whom the session has authenticated. */
  async handle(body: Uint8Array, remotePeer: PeerId): Promise<Uint8Array> {
    const request = decodeMembershipRequest(body);
    this.#checkRate(remotePeer);
    switch (request.type) {
      case 'find':
        return this.#find(request.name);
      case 'apply':
        return this.#apply(request, remotePeer);
      case 'join-open':
        return this.#joinOpen(request, remotePeer);
      case 'join-code':
        return this.#joinByCode(request, remotePeer);
      case 'password-begin':
        this.#admitting(request.group, 'password');
        return encodePasswordAnswer(this.#passwords.begin(request.group, remotePeer, request.nonce, request.share));
      case 'password-finish':
        return this.#joinByPassword(request, remotePeer);
      case 'join-approval':
        return this.#joinByApproval(request, remotePeer);
      case 'renew':
        return this.#renew(request, remotePeer);
      case 'resign':
        return this.#resign(request, remotePeer);
    }
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      'membership requests': { used: this.#rates.size, limit: MAX_REQUEST_RATES, dropped: this.#tooFast },
      'join codes': this.#codes.status,
      'join attempts': { used: this.#attempts.recent, limit: MAX_WRONG_IN_TOTAL, dropped: this.#attempts.refused },
      'open joins': { used: this.#openJoins.recent, limit: MAX_OPEN_JOINS_IN_TOTAL, dropped: this.#openJoins.refused },
      'password exchanges': this.#passwords.status,
      applications: this.#desk.status,
      'member ledger': this.#ledger.status,
    };
  }

  /** Each costs signatures, or a write: nobody gets more than its share of them. */
  #checkRate(peer: PeerId): void {
    const nowMs = this.#clock.monotonicMs();
    const rate = this.#rates.get(peer) ?? new TokenBucket(REQUEST_BURST, REQUESTS_PER_SECOND, nowMs);
    this.#rates.set(peer, rate, 1);
    if (rate.take(nowMs)) return;
    this.#tooFast++;
    throw new PipevineError('overloaded', 'Membership requests come faster than they are answered; wait a second.');
  }

  #find(pattern: string): Uint8Array {
    const glob = new Glob(pattern);
    const charters: Uint8Array[] = [];
    for (const { group, listed, name } of this.#groups.list()) {
      const charter = this.#groups.charter(group);
      if (!listed || charter === undefined || !this.admits(group) || !glob.matches(name)) continue;
      if (charters.length < MAX_GROUPS_FOUND) charters.push(charter.encoded);
    }
    return encodeFindAnswer(charters);
  }

  #apply(request: Ask<'apply'>, remotePeer: PeerId): Uint8Array {
    const named = ({ group }: GroupMembership): boolean =>
      'group' in request
        ? group === request.group
        : this.#crypto.equalConstantTime(groupFingerprint(this.#crypto, group), request.fingerprint);
    const membership = this.#groups.list().find((each) => this.admits(each.group) && named(each));
    const charter = membership && this.#groups.charter(membership.group);
    if (membership === undefined || charter === undefined) throw notHere();
    const { group, policy } = charter;
    return encodeApplyAnswer({
      charter: charter.encoded,
      proof: membership.credential.encoded,
      nowMs: Math.max(0, Math.floor(this.#clock.wallMs())),
      password: policy.type === 'password' ? this.#passwords.offer(group, remotePeer) : undefined,
    });
  }

  async #joinOpen({ group, name }: Ask<'join-open'>, subject: PeerId): Promise<Uint8Array> {
    const { roles } = this.#admitting(group, 'open');
    if (!this.#openJoins.allows(subject, this.#clock.monotonicMs())) {
      throw new PipevineError('overloaded', 'Too many peers join just now; wait a minute, then try again.');
    }
    this.#openJoins.failed(subject, this.#clock.monotonicMs());
    return this.#admit(group, subject, this.#fixedSerial(group, subject), roles, { name, by: 'open' });
  }

  async #joinByCode({ group, name, secret }: Ask<'join-code'>, subject: PeerId): Promise<Uint8Array> {
    if (!this.#groups.mayAdmit(group)) throw notHere();
    const use = this.#codes.redeem(group, secret, subject, name);
    try {
      return await this.#admit(group, subject, use.redemption.serial, use.roles, { name, by: 'code' }, [use.change]);
    } catch (error) {
      use.giveBack();
      throw error;
    }
  }

  async #joinByPassword({ group, name, tag }: Ask<'password-finish'>, subject: PeerId): Promise<Uint8Array> {
    const { roles } = this.#admitting(group, 'password');
    this.#passwords.finish(group, subject, tag);
    return this.#admit(group, subject, this.#fixedSerial(group, subject), roles, { name, by: 'password' });
  }

  async #joinByApproval(request: Ask<'join-approval'>, subject: PeerId): Promise<Uint8Array> {
    const { group, name } = request;
    const charter = this.#groups.charter(group);
    if (charter === undefined || !this.admits(group)) throw notHere();
    const { type } = charter.policy;
    if (type !== 'approval' && type !== 'quorum') throw wrongPolicy(charter, 'approval');
    const serial = applicationSerial(this.#crypto, group, subject, request.nonce);
    const about = { name, by: 'approval' } as const;
    if (this.#groups.mayAdmit(group) && this.#ledger.find(group, serial) !== undefined) {
      return this.#admit(group, subject, serial, charter.roles, about);
    }
    return this.#answer(group, await this.#desk.apply(group, subject, request), about);
  }

  async #renew({ group, credential }: Ask<'renew'>, subject: PeerId): Promise<Uint8Array> {
    if (!this.admits(group)) throw notHere();
    const chain = this.#groups.chainOf(credential);
    const [shown, issuer] = chain;
    if (issuer !== undefined && !may(issuer, 'administer')) {
      throw new PipevineError('refused', 'The credential of a hosted peer is renewed by its host.');
    }
    const { serial, roles } = checkCredential(chain, {
      group,
      subject,
      nowMs: this.#clock.wallMs(),
      graceMs: RENEWAL_GRACE_MS,
      // A change of what it, or who signed it, may do is no end of the membership; `#admit` sees to the version.
      isRevoked: (each, _, depth) => this.#groups.isRevoked(group, each, ANY_VERSION, depth),
    });
    if (this.#groups.mayAdmit(group)) {
      return this.#admit(group, subject, serial, roles, { name: '', by: 'renewal' }, [], shown);
    }
    return this.#answer(group, await this.#desk.renew(group, shown), { name: '', by: 'renewal' });
  }

  /** A membership that cannot be had by asking again is revoked: its key may have got into other hands. */
  async #resign({ group, credential }: Ask<'resign'>, subject: PeerId): Promise<Uint8Array> {
    if (!this.#groups.mayAdmit(group)) throw notHere();
    const shown = this.#groups.verify(group, subject, credential, { graceMs: RENEWAL_GRACE_MS });
    const { serial } = shown;
    if (serial !== this.#fixedSerial(group, subject)) {
      try {
        await this.#revoke(shown);
      } catch (error) {
        // One that is nearer to the authority than this peer: it goes all the same.
        if (!(error instanceof PipevineError) || error.code !== 'refused') throw error;
      }
    }
    await this.#ledger.remove(group, serial);
    return encodeResignAnswer();
  }

  /** Issues a credential of what the member was granted last, or else of `roles`, and answers it once it is in the ledger. */
  async #admit(
    group: GroupId,
    subject: PeerId,
    serial: string,
    roles: readonly string[],
    about: Pick<LedgerEntry, 'name' | 'by'>,
    changes: readonly StorageChange[] = [],
    shown?: Credential,
  ): Promise<Uint8Array> {
    const granted = this.#desk.granted(group, serial, subject);
    const standing = [this.#ledger.find(group, serial), granted, shown]
      .filter((each) => each?.subject === subject)
      .reduce((a, b) => ((b?.version ?? -1) > (a?.version ?? -1) ? b : a), undefined);
    const { capabilities, version } = standing ?? { capabilities: [], version: 0 };
    const issued = { subject, roles: standing?.roles ?? roles, capabilities, version, serial };
    // An administrator is revoked by who is nearer to the authority only.
    const nearest = (this.#groups.membership(group)?.depth ?? 0) + 1;
    const signed = [granted, shown].flatMap((each) => (each?.version === version ? each : []));
    const depths = signed.map(({ encoded }) => this.#groups.chainOf(encoded).length);
    const depth = may(issued, 'administer') ? Math.max(nearest, ...depths) : undefined;
    if (this.#groups.isRevoked(group, serial, ANY_VERSION, depth)) {
      throw new PipevineError('revoked', 'This membership was revoked; ask an administrator of the group.');
    }
    if (this.#groups.isRevoked(group, serial, version, depth)) {
      throw new PipevineError(
        'not-found',
        'What this member may do was changed by another administrator, and not here; ask that one.',
      );
    }
    const credential = this.#groups.issue(group, { ...issued, ...(depth !== undefined && { depth }) });
    await this.#ledger.record(credential, about, changes);
    return this.#joined(group, credential);
  }

  async #answer(group: GroupId, verdict: Verdict, about: Pick<LedgerEntry, 'name' | 'by'>): Promise<Uint8Array> {
    switch (verdict.type) {
      case 'pending':
        return encodeMembershipAnswer({ state: 'pending', have: verdict.have, needed: verdict.needed });
      case 'rejected':
        throw new PipevineError('refused', 'The application was rejected. Ask the people of the group.');
      case 'granted': {
        const { credential } = verdict;
        const known = this.#ledger.find(group, credential.serial)?.notAfterMs ?? 0;
        if (known < credential.notAfterMs) await this.#ledger.record(credential, about);
        return this.#joined(group, credential);
      }
    }
  }

  /** The credential, the charter, and the revocations that fit; the rest comes by the sync. */
  #joined(group: GroupId, credential: Credential): Uint8Array {
    const statements: Uint8Array[] = [];
    let room = MAX_MEMBERSHIP_MESSAGE_BYTES - ANSWER_OVERHEAD_BYTES;
    const charter = this.#groups.charter(group);
    const all = this.#groups.statements(group).filter(({ type }) => type === 'revocations');
    for (const { encoded } of charter === undefined ? all : [charter, ...all]) {
      if (encoded.length > room || statements.length === MAX_STATEMENTS_ALONG) continue;
      statements.push(encoded);
      room -= encoded.length;
    }
    return encodeMembershipAnswer({ state: 'joined', credential: credential.encoded, statements });
  }

  async #revoke(member: Credential): Promise<void> {
    await this.#administration.revoke(member.group, {
      serial: member.serial,
      isAdministrator: may(member, 'administer'),
      depth: this.#groups.chainOf(member.encoded).length,
    });
  }

  #memberOf(group: GroupId, peer: PeerId, known: Credential | undefined): Credential {
    this.#administered(group);
    const entry = this.#ledger.ofPeer(group, peer);
    if (known !== undefined && (entry === undefined || known.version >= entry.version)) return known;
    const encoded = entry && this.#ledger.credential(entry);
    if (encoded !== undefined) return this.#groups.chainOf(encoded)[0];
    throw new PipevineError(
      'not-found',
      `Peer ${shortPeerId(peer)} was not admitted here and is not linked; try when it is, or at the administrator that admitted it.`,
    );
  }

  #administered(group: GroupId): GroupMembership {
    const membership = this.#groups.membership(group);
    if (membership === undefined) {
      throw new PipevineError('not-found', 'This peer is no member of that group; `pipevine status` shows its groups.');
    }
    if (this.#groups.mayAdmit(group)) return membership;
    throw new PipevineError(
      'refused',
      `This peer is no administrator of group "${membership.name}"; do it on the peer that is.`,
    );
  }

  /** The charter of a group to which this peer admits under this policy. */
  #admitting(group: GroupId, policy: MembershipPolicyType): Charter {
    const charter = this.#groups.charter(group);
    if (charter === undefined || !this.#groups.mayAdmit(group)) throw notHere();
    if (charter.policy.type !== policy) throw wrongPolicy(charter, policy);
    return charter;
  }

  /** Where a peer is admitted whenever it asks, its serial is always the same, so that who was revoked stays out. */
  #fixedSerial(group: GroupId, subject: PeerId): string {
    return applicationSerial(this.#crypto, group, subject, NO_NONCE);
  }

  async #forget(group: GroupId): Promise<void> {
    try {
      await this.#passwords.forget(group);
      await this.#ledger.remove(group);
    } catch (error) {
      // A full disk: what is left of the group does nothing without a membership.
      if (!(error instanceof PipevineError)) throw error;
    }
  }
}

function wrongPolicy({ name, policy }: Charter, asked: MembershipPolicyType): PipevineError {
  return new PipevineError(
    'invalid-argument',
    `Group "${name}" admits by ${policy.type}, not by ${asked}; use \`pipevine group join\`.`,
  );
}

function notHere(): PipevineError {
  return new PipevineError('not-found', 'This peer is no administrator of that group; ask another one.');
}
