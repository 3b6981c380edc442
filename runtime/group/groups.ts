import { LruCache } from '../bound/lru-cache.ts';
import type { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdFromBytes, shortGroupId, WORLD_GROUP } from '../id/group-id.ts';
import { type Identity, identityFromSeed } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import { may } from './capability.ts';
import { type Charter, encodeCharterContent } from './charter.ts';
import { type CredentialChain, signCredential, verifyCredential } from './credential-codec.ts';
import type { Credential, GroupAccess, GroupDirectory } from './group-access.ts';
import {
  CREDENTIAL_LIFETIME_MS,
  MAX_CREDENTIAL_CHAIN,
  MAX_GROUP_NAME_BYTES,
  MAX_GROUPS,
  MAX_HOSTED_CREDENTIALS,
  MAX_STATEMENT_RATES,
  MAX_STATEMENTS,
  MAX_VERIFIED_CREDENTIALS,
  RENEWAL_AGE_MS,
  SERIAL_BYTES,
} from './group-defaults.ts';
import type { CreateGroupInit, GroupMembership, GroupsChange, IssueInit, PublishInit } from './group-membership.ts';
import { decodeGroupRecord, encodeGroupRecord, GROUP_TABLE, groupKey, STATEMENT_TABLE } from './group-record.ts';
import { GroupStatements } from './group-statements.ts';
import { type Statement, slotOf } from './statement.ts';
import { signStatement } from './statement-codec.ts';

export { authorityOf } from './authority.ts';
export type { CreateGroupInit, GroupMembership, GroupsChange, IssueInit, PublishInit };

export interface GroupsInit {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  /** The peer whose memberships these are. */
  readonly identity: Identity;
  /** Whether this process hosts a peer, and so may show and sign credentials for it; default: none. */
  readonly hosts?: (peer: PeerId) => boolean;
  readonly maxHostedCredentials?: number;
  readonly maxVerifiedCredentials?: number;
}

interface Member {
  readonly group: GroupId;
  /** Counts until the charter is known. */
  readonly name: string;
  readonly chain: CredentialChain;
  readonly authority: Identity | undefined;
  readonly seed: Uint8Array | undefined;
  readonly administrator: PeerId | undefined;
  /** The same for all versions of a membership. */
  readonly held: GroupStatements;
}

const EMPTY = new Uint8Array(0);
const CREATOR_ROLES = ['member', 'administrator', 'host'];
const textEncoder = new TextEncoder();

/** The world group asks nobody for anything. */
const WORLD_ACCESS: GroupAccess = { group: WORLD_GROUP, credentialOf: () => EMPTY, verify: () => undefined };

/**
 * The groups of this process: their credentials and statements, and for own groups the authority, durable in the storage.
 */
export class Groups implements GroupDirectory {
  readonly #init: GroupsInit;
  readonly #members = new Map<GroupId, Member>();
  readonly #access = new Map<GroupId, GroupAccess>();
  readonly #listeners = new Set<(change: GroupsChange) => void>();
  readonly #verified: LruCache<CredentialChain>;
  /** By the bytes that a verified credential holds itself, which nobody changes: each request over a pipe shows these. */
  readonly #chains = new WeakMap<Uint8Array, CredentialChain>();
  readonly #hosted: LruCache<Credential>;
  readonly #rates = new LruCache<TokenBucket>(MAX_STATEMENT_RATES);

  /** Reads the memberships. Throws `malformed` when a record is damaged: it would be worse to go on without a group. */
  constructor(init: GroupsInit) {
    this.#init = init;
    this.#verified = new LruCache(init.maxVerifiedCredentials ?? MAX_VERIFIED_CREDENTIALS);
    this.#hosted = new LruCache(init.maxHostedCredentials ?? MAX_HOSTED_CREDENTIALS);
    for (const [key, value] of init.storage.scan(GROUP_TABLE)) {
      const record = decodeGroupRecord(value);
      const chain = verifyCredential(init.crypto, record.credential);
      const member: Member = {
        group: chain[0].group,
        name: record.name,
        chain,
        seed: record.authoritySeed,
        authority: record.authoritySeed && identityFromSeed(init.crypto, record.authoritySeed),
        administrator: record.administrator,
        held: this.#statementsOf(chain[0]),
      };
      for (const [, encoded] of init.storage.scan(STATEMENT_TABLE, `${key} `)) member.held.restore(encoded);
      this.#members.set(member.group, member);
    }
  }

  access(group: GroupId): GroupAccess | undefined {
    if (group === WORLD_GROUP) return WORLD_ACCESS;
    if (!this.#members.has(group)) return undefined;
    let access = this.#access.get(group);
    if (access === undefined) {
      access = {
        group,
        credentialOf: (peer) => this.#credentialOf(group, peer),
        verify: (subject, credential) => this.verify(group, subject, credential),
      };
      this.#access.set(group, access);
    }
    return access;
  }

  /** All memberships; the world group is none. */
  list(): GroupMembership[] {
    return [...this.#members.values()].map(membershipOf);
  }

  membership(group: GroupId): GroupMembership | undefined {
    const member = this.#members.get(group);
    return member && membershipOf(member);
  }

  /** What the authority says of the group; undefined when none has come yet. */
  charter(group: GroupId): Charter | undefined {
    return this.#members.get(group)?.held.charter;
  }

  /**
   * Makes a group: an authority key, its charter, and this peer's credential as its administrator and host. Its `group`
   * advertisement is published with `groupAdvertisementInit` and `signerOf`. Rejects with `invalid-argument`, `overloaded`
   * or an error of the storage.
   */
  async create(init: CreateGroupInit): Promise<GroupMembership> {
    checkName(init.name);
    this.#checkRoom();
    const { name, policy = { type: 'code' }, listed = policy.type !== 'code', roles = ['member'] } = init;
    const seed = this.#init.random.bytes(32);
    const authority = identityFromSeed(this.#init.crypto, seed);
    const group = groupIdFromBytes(authority.signing.publicKey);
    const nowMs = this.#wallMs();
    const charter = signStatement(authority.signing, {
      group,
      type: 'charter',
      key: '',
      sequence: nowMs,
      untilMs: Number.MAX_SAFE_INTEGER,
      credential: undefined,
      content: encodeCharterContent({ name, policy, listed, roles }),
    });
    const subject = this.#init.identity.id;
    const credential = this.#sign(authority, undefined, group, nowMs, { subject, roles: CREATOR_ROLES });
    const member: Member = {
      group,
      name,
      chain: [credential],
      authority,
      seed,
      administrator: undefined,
      held: this.#statementsOf(credential),
    };
    member.held.adopt([charter.encoded]);
    await this.#init.storage.commit([recordChange(member), ...member.held.changes('store')]);
    this.#members.set(group, member);
    this.#tell({ change: 'joined', group });
    return membershipOf(member);
  }

  /**
   * Becomes a member by a credential that was given, or takes a renewed one; a replayed older one changes nothing.
   * `statements` came along with it. Rejects with `malformed`, `forged`, `refused` (of another peer; or of an
   * administrator, farther from the authority than what it has), `revoked` or `expired`.
   */
  async admit(
    encoded: Uint8Array,
    details: {
      /** Counts until the charter is known. */
      readonly name: string;
      readonly administrator?: PeerId;
      readonly statements?: readonly Uint8Array[];
    },
  ): Promise<GroupMembership> {
    checkName(details.name);
    const chain = verifyCredential(this.#init.crypto, encoded.slice());
    const [credential] = chain;
    const { group } = credential;
    const before = this.#members.get(group);
    if (before === undefined) this.#checkRoom();
    const member: Member = {
      group,
      name: details.name,
      chain,
      authority: before?.authority,
      seed: before?.seed,
      administrator: details.administrator ?? before?.administrator,
      held: before?.held ?? this.#statementsOf(credential),
    };
    const statements = details.statements ?? [];
    if (before === undefined) member.held.adopt(statements);
    for (const one of before === undefined ? [] : statements) {
      await member.held.receive(one).catch((error: unknown) => {
        // What ran out, and what does not fit, is no reason not to be renewed.
        if (!(error instanceof PipevineError) || !['expired', 'overloaded'].includes(error.code)) throw error;
      });
    }
    // What was signed just now is a better clock than one that is behind it.
    member.held.check(chain, this.#init.identity.id, this.#nowMs(member));
    if (before !== undefined && !this.#isBetter(before, chain)) return membershipOf(before);
    const stored = before === undefined ? member.held.changes('store') : [];
    await this.#init.storage.commit([recordChange(member), ...stored]);
    this.#members.set(group, member);
    this.#tell({ change: before === undefined ? 'joined' : 'renewed', group });
    return membershipOf(member);
  }

  /** Renews this peer's own credential where it keeps the authority. Rejects with `refused` elsewhere. */
  async renewOwn(group: GroupId): Promise<GroupMembership> {
    const member = this.#member(group);
    if (member.authority === undefined) {
      throw new PipevineError('refused', 'Only who keeps the authority of a group can renew its own credential.');
    }
    return this.admit(this.issue(group, member.chain[0]).encoded, { name: member.name });
  }

  /**
   * Gives up a membership. Rejects with `refused` for a group whose authority is kept here, unless `forgetAuthority`
   * says that the group may come to its end.
   */
  async resign(group: GroupId, options?: { readonly forgetAuthority?: boolean }): Promise<void> {
    const member = this.#members.get(group);
    if (member === undefined) return;
    if (member.authority !== undefined && options?.forgetAuthority !== true) {
      throw new PipevineError(
        'refused',
        `This peer keeps the only key of group "${nameOf(member)}"; without it nobody could change the group. To end it: \`pipevine group leave --end\`.`,
      );
    }
    await member.held.exclusive(async () => {
      const record = { table: GROUP_TABLE, key: groupKey(group), value: undefined };
      await this.#init.storage.commit([record, ...member.held.changes('remove')]);
      member.held.close();
      this.#members.delete(group);
      this.#access.delete(group);
    });
    this.#tell({ change: 'resigned', group });
  }

  /** Whether this peer may admit members now: by the authority's key, or as an administrator. */
  mayAdmit(group: GroupId): boolean {
    const member = this.#members.get(group);
    if (member === undefined) return false;
    if (member.authority !== undefined) return true;
    const [credential] = member.chain;
    const isValid = credential.notAfterMs > this.#nowMs(member) && !member.held.revocations.voids(member.chain);
    return may(credential, 'administer') && isValid;
  }

  /** Signs a credential for another peer. Throws `refused` when this peer has no right to. */
  issue(group: GroupId, init: IssueInit): Credential {
    const member = this.#member(group);
    if (!this.mayAdmit(group)) {
      throw new PipevineError('refused', `This peer is no administrator of group "${nameOf(member)}".`);
    }
    return this.#signAs(member, init);
  }

  /** The identity of a group's authority, where it is kept here: signs the group's advertisement. */
  signerOf(peer: PeerId): Identity | undefined {
    for (const { authority } of this.#members.values()) if (authority?.id === peer) return authority;
    return undefined;
  }

  /**
   * Whether credentials with this serial, and a version up to this one, are void. `depth`: the distance from the authority
   * of one that may administer, which only what is nearer can revoke; else it suffices that anybody did.
   */
  isRevoked(group: GroupId, serial: string, version = 0, depth?: number): boolean {
    return this.#members.get(group)?.held.revocations.isRevoked(serial, version, depth) ?? false;
  }

  /**
   * Checks a credential that `subject`, who is authenticated, has shown, as GroupAccess.verify does; with `graceMs` also
   * one that ended so long ago, for its renewal.
   */
  verify(group: GroupId, subject: PeerId, encoded: Uint8Array, options?: { readonly graceMs?: number }): Credential {
    const member = this.#member(group);
    if (encoded.length === 0) {
      throw new PipevineError(
        'refused',
        `Peer ${shortPeerId(subject)} has shown no credential for group "${nameOf(member)}"; it must join first: \`pipevine invite\` gives a code.`,
      );
    }
    return member.held.check(this.chainOf(encoded), subject, this.#nowMs(member), options?.graceMs);
  }

  /**
   * A credential and those above it, the signatures checked now or before; nothing of time and revocation. Throws
   * `malformed`, `forged` or `refused`.
   */
  chainOf(encoded: Uint8Array): CredentialChain {
    const known = this.#chains.get(encoded);
    if (known !== undefined) return known;
    const digest = String.fromCharCode(...this.#init.crypto.sha256(encoded));
    let chain = this.#verified.get(digest);
    if (chain === undefined) {
      chain = verifyCredential(this.#init.crypto, encoded.slice());
      this.#verified.set(digest, chain, 1);
      this.#chains.set(chain[0].encoded, chain);
    }
    return chain;
  }

  /** All statements that are held and not run out: charter, revocations, applications, approvals. */
  statements(group: GroupId): readonly Statement[] {
    return this.#members.get(group)?.held.list() ?? [];
  }

  /**
   * Takes in a statement from elsewhere; durable before it counts. False when an equal or newer one is known. Rejects
   * with `malformed`, `forged`, `refused`, `revoked`, `expired`, `unsupported`, `overloaded` or `not-found`.
   */
  async receive(group: GroupId, encoded: Uint8Array, from?: PeerId): Promise<boolean> {
    return this.#member(group).held.receive(encoded, from);
  }

  /**
   * Says something to all members of a group: by the authority's key a charter and, where it is kept, revocations; else
   * by this peer. Rejects as `receive` does, and with `refused` where this peer has no right to.
   */
  async publish(group: GroupId, init: PublishInit): Promise<Statement> {
    const member = this.#member(group);
    const { type, key, content, lifetimeMs } = init;
    if (type === 'charter' && member.authority === undefined) {
      throw new PipevineError(
        'refused',
        `Change group "${nameOf(member)}" where its authority is kept: it signs that.`,
      );
    }
    return member.held.publish(() => {
      const authority = type === 'charter' || type === 'revocations' ? member.authority : undefined;
      const { id, signing } = authority ?? this.#init.identity;
      const [own] = this.#member(group).chain;
      const nowMs = this.#nowMs(member);
      const before = member.held.get(slotOf({ type, key, issuer: id }));
      return signStatement(signing, {
        group,
        type,
        key,
        sequence: Math.max(nowMs, (before?.sequence ?? -1) + 1),
        untilMs: Math.min(nowMs + lifetimeMs, Number.MAX_SAFE_INTEGER),
        credential: authority === undefined ? own.encoded : undefined,
        content,
      });
    });
  }

  subscribe(listener: (change: GroupsChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    const { maxVerifiedCredentials, maxHostedCredentials } = this.#init;
    const members = [...this.#members.values()];
    return {
      groups: { used: this.#members.size, limit: MAX_GROUPS, dropped: 0 },
      'credentials checked': {
        used: this.#verified.size,
        limit: maxVerifiedCredentials ?? MAX_VERIFIED_CREDENTIALS,
        dropped: this.#verified.evicted,
      },
      'credentials hosted': {
        used: this.#hosted.size,
        limit: maxHostedCredentials ?? MAX_HOSTED_CREDENTIALS,
        dropped: this.#hosted.evicted,
      },
      statements: {
        used: members.reduce((sum, { held }) => sum + held.size, 0),
        limit: MAX_STATEMENTS * Math.max(1, members.length),
        dropped: members.reduce((sum, { held }) => sum + held.dropped, 0),
      },
      'statement rates': { used: this.#rates.size, limit: MAX_STATEMENT_RATES, dropped: this.#rates.evicted },
    };
  }

  #credentialOf(group: GroupId, peer: PeerId): Uint8Array {
    const member = this.#member(group);
    const [own] = member.chain;
    const nowMs = this.#nowMs(member);
    if (member.held.revocations.voids(member.chain)) {
      throw new PipevineError(
        'revoked',
        `The membership of group "${nameOf(member)}" was revoked or changed; ask an administrator of the group.`,
      );
    }
    if (peer !== this.#init.identity.id) return this.#hostedCredential(member, peer, nowMs).encoded;
    if (own.notAfterMs <= nowMs) {
      throw new PipevineError(
        'expired',
        `The membership of group "${nameOf(member)}" ran out. If the clock is right, ask for a new code with \`pipevine invite\` and join again.`,
      );
    }
    return own.encoded;
  }

  #hostedCredential(member: Member, peer: PeerId, nowMs: number): Credential {
    if (!this.#init.hosts?.(peer)) {
      throw new PipevineError(
        'refused',
        `Peer ${shortPeerId(peer)} is no member of group "${nameOf(member)}" that this process speaks for.`,
      );
    }
    const [own] = member.chain;
    // A change of what this peer may do ends what it has signed before.
    const name = `${member.group} ${peer} ${own.serial} ${own.version}`;
    const ready = this.#hosted.get(name);
    if (ready !== undefined && nowMs < (ready.notBeforeMs + ready.notAfterMs) / 2) return ready;
    if (member.authority === undefined && (!may(own, 'host') || own.notAfterMs <= nowMs)) {
      throw new PipevineError(
        'refused',
        `This peer may not bring peers that it hosts into group "${nameOf(member)}"; ask for a code with the role "host".`,
      );
    }
    const credential = this.#signAs(member, {
      subject: peer,
      roles: ['member'],
      ...(ready && { serial: ready.serial }),
    });
    this.#hosted.set(name, credential, 1);
    return credential;
  }

  /** Whether a credential that is good may take the place of the one that the member has. */
  #isBetter(before: Member, chain: CredentialChain): boolean {
    const [own] = before.chain;
    const [next] = chain;
    if (own.serial !== next.serial || before.held.revocations.voids(before.chain)) return true;
    if (next.version < own.version || (next.version === own.version && next.notAfterMs <= own.notAfterMs)) return false;
    const hasTime = own.notAfterMs - RENEWAL_AGE_MS > this.#nowMs(before);
    if (hasTime && may(own, 'administer') && chain.length > before.chain.length) {
      throw new PipevineError(
        'refused',
        'An administrator lets only who is nearer to the authority renew its credential, or that one could revoke it; ask there.',
      );
    }
    return true;
  }

  #signAs(member: Member, init: IssueInit): Credential {
    const { authority, chain, group } = member;
    const nowMs = this.#nowMs(member);
    return authority === undefined || (init.depth ?? 1) > 1
      ? this.#sign(this.#init.identity, chain, group, nowMs, init)
      : this.#sign(authority, undefined, group, nowMs, init);
  }

  #sign(
    signer: Identity,
    issuers: CredentialChain | undefined,
    group: GroupId,
    notBeforeMs: number,
    init: IssueInit,
  ): Credential {
    if (issuers !== undefined && issuers.length >= MAX_CREDENTIAL_CHAIN) {
      throw new PipevineError(
        'refused',
        "This peer is too far from the group's authority to sign for others; ask an administrator nearer to it.",
      );
    }
    const issuer = issuers?.[0];
    const notAfterMs = notBeforeMs + (init.lifetimeMs ?? CREDENTIAL_LIFETIME_MS);
    return signCredential(
      signer.signing,
      {
        group,
        subject: init.subject,
        roles: init.roles,
        capabilities: init.capabilities ?? [],
        notBeforeMs,
        notAfterMs: Math.min(notAfterMs, issuer?.notAfterMs ?? Infinity),
        serial: init.serial ?? base32Encode(this.#init.random.bytes(SERIAL_BYTES)),
        version: init.version ?? 0,
      },
      issuer?.encoded,
    );
  }

  /** For a group of which nothing is held yet, when its first credential has come. */
  #statementsOf({ group, notBeforeMs }: Credential): GroupStatements {
    const { storage, clock, crypto, identity } = this.#init;
    return new GroupStatements({
      group,
      storage,
      clock,
      crypto,
      localPeer: identity.id,
      rates: this.#rates,
      nowMs: () => Math.max(notBeforeMs, this.#nowMs(this.#members.get(group))),
      chainOf: (encoded) => this.chainOf(encoded),
      onKept: (statement, from) => {
        const change = statement.type === 'revocations' ? 'revocations' : 'statement';
        this.#tell({ change, group, statement, ...(from && { from }) });
      },
    });
  }

  #member(group: GroupId): Member {
    const member = this.#members.get(group);
    if (member !== undefined) return member;
    throw new PipevineError('not-found', `This peer is no member of group ${shortGroupId(group)}; join it first.`);
  }

  #checkRoom(): void {
    if (this.#members.size < MAX_GROUPS) return;
    throw new PipevineError('overloaded', `A peer can be a member of ${MAX_GROUPS} groups; resign from one.`);
  }

  /** Never before the own credential was signed: a clock that says so is behind. */
  #nowMs(member: Member | undefined): number {
    return Math.max(this.#wallMs(), member?.chain[0].notBeforeMs ?? 0);
  }

  #wallMs(): number {
    return Math.max(0, Math.floor(this.#init.clock.wallMs()));
  }

  #tell(change: GroupsChange): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(change);
      } catch (error) {
        // The listener's defect, reported as such, and no harm to the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

function nameOf({ held, name }: Member): string {
  return held.charter?.name ?? name;
}

function membershipOf(member: Member): GroupMembership {
  const { group, chain, authority, administrator, held } = member;
  return {
    group,
    name: nameOf(member),
    credential: chain[0],
    authority: authority !== undefined,
    administrator,
    policy: held.charter?.policy ?? { type: 'code' },
    listed: held.charter?.listed ?? false,
    depth: authority === undefined ? chain.length : 0,
  };
}

function recordChange(member: Member): StorageChange {
  const value = encodeGroupRecord({
    name: nameOf(member),
    credential: member.chain[0].encoded,
    authoritySeed: member.seed,
    administrator: member.administrator,
  });
  return { table: GROUP_TABLE, key: groupKey(member.group), value };
}

function checkName(name: string): void {
  if (name !== '' && name.isWellFormed() && textEncoder.encode(name).length <= MAX_GROUP_NAME_BYTES) return;
  throw new PipevineError('invalid-argument', `A group's name has 1 to ${MAX_GROUP_NAME_BYTES} bytes of UTF-8.`);
}
