import { LruCache } from '../bound/lru-cache.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes, shortGroupId, WORLD_GROUP } from '../id/group-id.ts';
import { type Identity, identityFromSeed } from '../id/identity.ts';
import { type PeerId, peerIdFromBytes, shortPeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../platform/storage.ts';
import { checkCredential } from './credential-check.ts';
import { type CredentialChain, signCredential, verifyCredential } from './credential-codec.ts';
import type { Credential, GroupAccess, GroupDirectory } from './group-access.ts';
import {
  CREDENTIAL_LIFETIME_MS,
  MAX_CREDENTIAL_CHAIN,
  MAX_GROUP_NAME_BYTES,
  MAX_GROUPS,
  MAX_HOSTED_CREDENTIALS,
  MAX_VERIFIED_CREDENTIALS,
  RENEWAL_GRACE_MS,
  SERIAL_BYTES,
} from './group-defaults.ts';
import { decodeGroupRecord, encodeGroupRecord, GROUP_TABLE, groupKey, REVOCATION_TABLE } from './group-record.ts';
import { type RevocationList, serialToBytes, signRevocationList, verifyRevocationList } from './revocation-list.ts';

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

/** A group that this peer is a member of. */
export interface GroupMembership {
  readonly group: GroupId;
  readonly name: string;
  /** This peer's own. May have run out. */
  readonly credential: Credential;
  /** Whether this peer keeps the authority's key. */
  readonly authority: boolean;
  /** The administrator that admitted this peer: the first to ask for a renewal. */
  readonly administrator: PeerId | undefined;
}

export interface GroupsChange {
  readonly change: 'joined' | 'renewed' | 'resigned' | 'revocations';
  readonly group: GroupId;
}

export interface IssueInit {
  readonly subject: PeerId;
  readonly roles: readonly string[];
  /** Default 30 days; never beyond the end of the issuer's own credential. */
  readonly lifetimeMs?: number;
  /** Given when a credential is renewed; default: a new one. */
  readonly serial?: string;
}

interface Member {
  name: string;
  chain: CredentialChain;
  authority: Identity | undefined;
  seed: Uint8Array | undefined;
  administrator: PeerId | undefined;
  revocations: RevocationList | undefined;
}

const EMPTY = new Uint8Array(0);
const textEncoder = new TextEncoder();

/** The world group asks nobody for anything. */
const WORLD_ACCESS: GroupAccess = { group: WORLD_GROUP, credentialOf: () => EMPTY, verify: () => undefined };

/** The groups of this process: their credentials, and for own groups the authority, durable in the storage. */
export class Groups implements GroupDirectory {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #identity: Identity;
  readonly #hosts: (peer: PeerId) => boolean;
  readonly #members = new Map<GroupId, Member>();
  readonly #access = new Map<GroupId, GroupAccess>();
  readonly #listeners = new Set<(change: GroupsChange) => void>();
  readonly #verified: LruCache<CredentialChain>;
  readonly #hosted: LruCache<Credential>;

  /** Reads the memberships. Throws `malformed` when a record is damaged: it would be worse to go on without a group. */
  constructor(init: GroupsInit) {
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#crypto = init.crypto;
    this.#random = init.random;
    this.#identity = init.identity;
    this.#hosts = init.hosts ?? (() => false);
    this.#verified = new LruCache(init.maxVerifiedCredentials ?? MAX_VERIFIED_CREDENTIALS);
    this.#hosted = new LruCache(init.maxHostedCredentials ?? MAX_HOSTED_CREDENTIALS);
    for (const [key, value] of init.storage.scan(GROUP_TABLE)) {
      const record = decodeGroupRecord(value);
      const chain = verifyCredential(init.crypto, record.credential);
      const list = init.storage.get(REVOCATION_TABLE, key);
      this.#members.set(chain[0].group, {
        name: record.name,
        chain,
        seed: record.authoritySeed,
        authority: record.authoritySeed && identityFromSeed(init.crypto, record.authoritySeed),
        administrator: record.administrator,
        revocations: list && verifyRevocationList(init.crypto, list),
      });
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
        verify: (subject, credential) => this.#verify(group, subject, credential),
      };
      this.#access.set(group, access);
    }
    return access;
  }

  /** All memberships; the world group is none. */
  list(): GroupMembership[] {
    return [...this.#members].map(([group, member]) => membershipOf(group, member));
  }

  membership(group: GroupId): GroupMembership | undefined {
    const member = this.#members.get(group);
    return member && membershipOf(group, member);
  }

  /**
   * Makes a group: an authority key, and this peer's credential as its administrator and host. Its `group`
   * advertisement is published with `groupAdvertisementInit` and `signerOf`. Rejects with `invalid-argument`, `overloaded`
   * or an error of the storage.
   */
  async create(init: { readonly name: string }): Promise<GroupMembership> {
    checkName(init.name);
    this.#checkRoom();
    const seed = this.#random.bytes(32);
    const authority = identityFromSeed(this.#crypto, seed);
    const group = groupIdFromBytes(authority.signing.publicKey);
    const credential = this.#sign(authority, undefined, group, {
      subject: this.#identity.id,
      roles: ['member', 'administrator', 'host'],
    });
    const member: Member = {
      name: init.name,
      chain: [credential],
      authority,
      seed,
      administrator: undefined,
      revocations: undefined,
    };
    await this.#store(group, member);
    this.#members.set(group, member);
    this.#tell('joined', group);
    return membershipOf(group, member);
  }

  /**
   * Becomes a member by a credential that an administrator gave, or takes a renewed one. Rejects with `malformed`,
   * `forged`, `refused` (of another peer) or `expired`.
   */
  async admit(
    encoded: Uint8Array,
    details: { readonly name: string; readonly administrator?: PeerId },
  ): Promise<GroupMembership> {
    checkName(details.name);
    const chain = verifyCredential(this.#crypto, encoded.slice());
    const [credential] = chain;
    const { group } = credential;
    const before = this.#members.get(group);
    if (before === undefined) this.#checkRoom();
    // What the authority has signed just now is a better clock than one that is behind it.
    const nowMs = Math.max(this.#wallMs(), credential.notBeforeMs);
    checkCredential(chain, { group, subject: this.#identity.id, nowMs, isRevoked: () => false });
    const member: Member = {
      name: details.name,
      chain,
      authority: before?.authority,
      seed: before?.seed,
      administrator: details.administrator ?? before?.administrator,
      revocations: before?.revocations,
    };
    await this.#store(group, member);
    this.#members.set(group, member);
    this.#tell(before === undefined ? 'joined' : 'renewed', group);
    return membershipOf(group, member);
  }

  /** Renews this peer's own credential where it keeps the authority. Rejects with `refused` elsewhere. */
  async renewOwn(group: GroupId): Promise<GroupMembership> {
    const member = this.#member(group);
    if (member.authority === undefined) {
      throw new PipevineError('refused', 'Only who keeps the authority of a group can renew its own credential.');
    }
    const [{ roles, serial }] = member.chain;
    const renewed = this.#sign(member.authority, undefined, group, { subject: this.#identity.id, roles, serial });
    return this.admit(renewed.encoded, { name: member.name });
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
        `This peer keeps the only key of group "${member.name}"; without it nobody could admit or renew a member. To end the group, say so.`,
      );
    }
    await this.#storage.commit([
      { table: GROUP_TABLE, key: groupKey(group), value: undefined },
      { table: REVOCATION_TABLE, key: groupKey(group), value: undefined },
    ]);
    this.#members.delete(group);
    this.#access.delete(group);
    this.#tell('resigned', group);
  }

  /** Whether this peer may admit members now: by the authority's key, or as an administrator. */
  mayAdmit(group: GroupId): boolean {
    const member = this.#members.get(group);
    if (member === undefined) return false;
    if (member.authority !== undefined) return true;
    const [credential] = member.chain;
    return credential.roles.includes('administrator') && credential.notAfterMs > this.#nowMs(member);
  }

  /** Signs a credential for another peer. Throws `refused` when this peer has no right to. */
  issue(group: GroupId, init: IssueInit): Credential {
    const member = this.#member(group);
    if (!this.mayAdmit(group)) {
      throw new PipevineError('refused', `This peer is no administrator of group "${member.name}".`);
    }
    return member.authority === undefined
      ? this.#sign(this.#identity, member.chain, group, init)
      : this.#sign(member.authority, undefined, group, init);
  }

  /** The identity of a group's authority, where it is kept here: signs the group's advertisement. */
  signerOf(peer: PeerId): Identity | undefined {
    for (const { authority } of this.#members.values()) if (authority?.id === peer) return authority;
    return undefined;
  }

  /**
   * Revokes a membership by its serial; the list is durable before it counts. Resolves to the signed list, for
   * others. Rejects with `refused` where the authority is not kept, `overloaded` when the list is full.
   */
  async revoke(group: GroupId, serial: string): Promise<RevocationList> {
    const member = this.#member(group);
    serialToBytes(serial);
    if (member.authority === undefined) {
      throw new PipevineError(
        'refused',
        `Revoke where the authority of group "${member.name}" is kept: it signs the list.`,
      );
    }
    const nowMs = this.#nowMs(member);
    const serials = new Map([...(member.revocations?.serials ?? [])].filter(([, untilMs]) => untilMs > nowMs));
    serials.set(serial, nowMs + CREDENTIAL_LIFETIME_MS + RENEWAL_GRACE_MS);
    const sequence = Math.max((member.revocations?.sequence ?? -1) + 1, nowMs);
    const list = signRevocationList(member.authority.signing, { group, sequence, serials });
    await this.#storeRevocations(list);
    return list;
  }

  /** Takes in a list from elsewhere; false when an equal or newer one is known. Rejects with `malformed`, `forged`, `not-found`. */
  async applyRevocations(encoded: Uint8Array): Promise<boolean> {
    const list = verifyRevocationList(this.#crypto, encoded.slice());
    const member = this.#member(list.group);
    if (member.revocations !== undefined && member.revocations.sequence >= list.sequence) return false;
    await this.#storeRevocations(list);
    return true;
  }

  /** The newest list known, for others. */
  revocations(group: GroupId): RevocationList | undefined {
    return this.#members.get(group)?.revocations;
  }

  isRevoked(group: GroupId, serial: string): boolean {
    return this.#members.get(group)?.revocations?.serials.has(serial) ?? false;
  }

  subscribe(listener: (change: GroupsChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      groups: { used: this.#members.size, limit: MAX_GROUPS, dropped: 0 },
      'credentials checked': {
        used: this.#verified.size,
        limit: MAX_VERIFIED_CREDENTIALS,
        dropped: this.#verified.evicted,
      },
      'credentials hosted': { used: this.#hosted.size, limit: MAX_HOSTED_CREDENTIALS, dropped: this.#hosted.evicted },
    };
  }

  #credentialOf(group: GroupId, peer: PeerId): Uint8Array {
    const member = this.#member(group);
    const [own] = member.chain;
    const nowMs = this.#nowMs(member);
    if (peer !== this.#identity.id) return this.#hostedCredential(group, member, peer, nowMs).encoded;
    if (own.notAfterMs <= nowMs) {
      throw new PipevineError(
        'expired',
        `The membership of group "${member.name}" ran out. If the clock is right, ask for a new code with \`pipevine invite\` and join again.`,
      );
    }
    return own.encoded;
  }

  #hostedCredential(group: GroupId, member: Member, peer: PeerId, nowMs: number): Credential {
    if (!this.#hosts(peer)) {
      throw new PipevineError(
        'refused',
        `Peer ${shortPeerId(peer)} is no member of group "${member.name}" that this process speaks for.`,
      );
    }
    const name = `${group} ${peer}`;
    const ready = this.#hosted.get(name);
    if (ready !== undefined && nowMs < (ready.notBeforeMs + ready.notAfterMs) / 2) return ready;
    const [own] = member.chain;
    const mayHost = own.roles.includes('host') || own.roles.includes('administrator');
    if (member.authority === undefined && (!mayHost || own.notAfterMs <= nowMs)) {
      throw new PipevineError(
        'refused',
        `This peer may not bring peers that it hosts into group "${member.name}"; ask for a code with the role "host".`,
      );
    }
    const init = { subject: peer, roles: ['member'], ...(ready && { serial: ready.serial }) };
    const credential =
      member.authority === undefined
        ? this.#sign(this.#identity, member.chain, group, init)
        : this.#sign(member.authority, undefined, group, init);
    this.#hosted.set(name, credential, 1);
    return credential;
  }

  #verify(group: GroupId, subject: PeerId, encoded: Uint8Array): Credential {
    const member = this.#member(group);
    if (encoded.length === 0) {
      throw new PipevineError(
        'refused',
        `Peer ${shortPeerId(subject)} has shown no credential for group "${member.name}"; it must join first: \`pipevine invite\` gives a code.`,
      );
    }
    const digest = String.fromCharCode(...this.#crypto.sha256(encoded));
    let chain = this.#verified.get(digest);
    if (chain === undefined) {
      chain = verifyCredential(this.#crypto, encoded.slice());
      this.#verified.set(digest, chain, 1);
    }
    return checkCredential(chain, {
      group,
      subject,
      nowMs: this.#nowMs(member),
      isRevoked: (serial) => member.revocations?.serials.has(serial) ?? false,
    });
  }

  #sign(signer: Identity, issuers: CredentialChain | undefined, group: GroupId, init: IssueInit): Credential {
    if (issuers !== undefined && issuers.length >= MAX_CREDENTIAL_CHAIN) {
      throw new PipevineError(
        'refused',
        "This peer is too far from the group's authority to sign for others; ask an administrator nearer to it.",
      );
    }
    const issuer = issuers?.[0];
    const notBeforeMs = this.#wallMs();
    const notAfterMs = notBeforeMs + (init.lifetimeMs ?? CREDENTIAL_LIFETIME_MS);
    return signCredential(
      signer.signing,
      {
        group,
        subject: init.subject,
        roles: init.roles,
        notBeforeMs,
        notAfterMs: Math.min(notAfterMs, issuer?.notAfterMs ?? Infinity),
        serial: init.serial ?? base32Encode(this.#random.bytes(SERIAL_BYTES)),
      },
      issuer?.encoded,
    );
  }

  #store(group: GroupId, member: Member): Promise<void> {
    const value = encodeGroupRecord({
      name: member.name,
      credential: member.chain[0].encoded,
      authoritySeed: member.seed,
      administrator: member.administrator,
    });
    return this.#storage.commit([{ table: GROUP_TABLE, key: groupKey(group), value }]);
  }

  async #storeRevocations(list: RevocationList): Promise<void> {
    await this.#storage.commit([{ table: REVOCATION_TABLE, key: groupKey(list.group), value: list.encoded }]);
    const member = this.#members.get(list.group);
    if (member === undefined || (member.revocations?.sequence ?? -1) >= list.sequence) return;
    member.revocations = list;
    this.#tell('revocations', list.group);
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
  #nowMs(member: Member): number {
    return Math.max(this.#wallMs(), member.chain[0].notBeforeMs);
  }

  #wallMs(): number {
    return Math.max(0, Math.floor(this.#clock.wallMs()));
  }

  #tell(change: GroupsChange['change'], group: GroupId): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener({ change, group });
      } catch (error) {
        // The listener's defect, reported as such, and no harm to the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** The peer id whose key is the group's authority. */
export function authorityOf(group: GroupId): PeerId {
  return peerIdFromBytes(groupIdToBytes(group));
}

function membershipOf(group: GroupId, member: Member): GroupMembership {
  return {
    group,
    name: member.name,
    credential: member.chain[0],
    authority: member.authority !== undefined,
    administrator: member.administrator,
  };
}

function checkName(name: string): void {
  if (name !== '' && name.isWellFormed() && textEncoder.encode(name).length <= MAX_GROUP_NAME_BYTES) return;
  throw new PipevineError('invalid-argument', `A group's name has 1 to ${MAX_GROUP_NAME_BYTES} bytes of UTF-8.`);
}
