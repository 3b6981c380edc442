import { PipevineError } from '../error/pipevine-error.ts';
import { checkCredential } from '../group/credential-check.ts';
import { verifyCredential } from '../group/credential-codec.ts';
import { MAX_ROLE_BYTES, MAX_ROLES, RENEWAL_GRACE_MS, SERIAL_BYTES } from '../group/group-defaults.ts';
import type { GroupMembership, Groups } from '../group/groups.ts';
import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdToBytes, WORLD_GROUP } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeListener, PipeService } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../platform/storage.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { AttemptLimiter } from './attempt-limiter.ts';
import { groupFingerprint } from './group-fingerprint.ts';
import { formatJoinCode, formatJoinLink, JOIN_SECRET_BYTES } from './join-code.ts';
import { type IssuedJoinCode, JoinCodeBook } from './join-code-book.ts';
import { decodeJoinCodeRecord, encodeJoinCodeRecord, JOIN_CODE_TABLE } from './join-code-record.ts';
import {
  decodeMembershipRequest,
  encodeApplyAnswer,
  encodeMembershipAnswer,
  type MembershipRequest,
} from './membership-codec.ts';
import {
  ATTEMPT_WINDOW_MS,
  JOIN_CODE_LIFETIME_MS,
  JOIN_CODE_USES,
  MAX_JOIN_CODE_LIFETIME_MS,
  MAX_JOIN_CODE_USES,
  MAX_JOIN_CODES,
  MAX_WRONG_IN_TOTAL,
  MAX_WRONG_PER_PEER,
  MEMBERSHIP_SERVICE,
} from './membership-defaults.ts';

export interface MembershipServiceInit {
  readonly groups: Groups;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  /** The encoded `group` advertisement, when it is at hand: a new member gets it along. */
  readonly groupAdvertisement?: (group: GroupId) => Uint8Array | undefined;
}

export interface InviteOptions {
  /** Default 24 hours, at most 365 days. */
  readonly lifetimeMs?: number;
  /** How many peers the code admits; default 1, at most 256. */
  readonly uses?: number;
  /** Roles of whoever joins; default `member`. */
  readonly roles?: readonly string[];
  /** Addresses that go into the link. */
  readonly seeds?: readonly EndpointAddress[];
}

/** A new join code. Its secret is kept nowhere: this is the only time to see it. */
export interface Invitation {
  /** In groups of five, for people. */
  readonly code: string;
  /** `pipevine://join/CODE?seed=...`, for a QR code. */
  readonly link: string;
  readonly expiresAtMs: number;
}

const SECRET_DOMAIN = new TextEncoder().encode('pipevine/1 join secret');

/** What an administrator does for a group: makes join codes, admits who comes with one, renews credentials. */
export class MembershipService {
  readonly #groups: Groups;
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #groupAdvertisement: (group: GroupId) => Uint8Array | undefined;
  readonly #book: JoinCodeBook;
  readonly #attempts = new AttemptLimiter({
    windowMs: ATTEMPT_WINDOW_MS,
    maxPerPeer: MAX_WRONG_PER_PEER,
    maxInTotal: MAX_WRONG_IN_TOTAL,
  });

  constructor(init: MembershipServiceInit) {
    this.#groups = init.groups;
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#crypto = init.crypto;
    this.#random = init.random;
    this.#groupAdvertisement = init.groupAdvertisement ?? (() => undefined);
    const codes = [...init.storage.scan(JOIN_CODE_TABLE)].map(([id, value]) => decodeJoinCodeRecord(id, value));
    this.#book = new JoinCodeBook(MAX_JOIN_CODES, (a, b) => init.crypto.equalConstantTime(a, b), codes);
  }

  /** Serves the membership protocol in the world group until the listener is closed. */
  serve(pipes: Pick<PipeService, 'serve'>): PipeListener {
    return pipes.serve({ group: WORLD_GROUP, name: MEMBERSHIP_SERVICE, kinds: ['request'] }, (body, context) =>
      this.handle(body, context.remotePeer),
    );
  }

  /** Makes a join code. Rejects with `not-found`, `refused` (no administrator here) or `invalid-argument`. */
  async invite(group: GroupId, options: InviteOptions = {}): Promise<Invitation> {
    const membership = this.#groups.membership(group);
    if (membership === undefined) {
      throw new PipevineError('not-found', 'This peer is no member of that group; `pipevine status` shows its groups.');
    }
    if (!this.#groups.mayAdmit(group)) {
      throw new PipevineError(
        'refused',
        `This peer is no administrator of group "${membership.name}"; ask for a code on the peer that is.`,
      );
    }
    const secret = this.#random.bytes(JOIN_SECRET_BYTES);
    const nowMs = this.#wallMs();
    const code: IssuedJoinCode = {
      id: base32Encode(this.#random.bytes(10)),
      group,
      secretHash: this.#hashSecret(group, secret),
      createdAtMs: nowMs,
      expiresAtMs: nowMs + whole('lifetimeMs', options.lifetimeMs ?? JOIN_CODE_LIFETIME_MS, MAX_JOIN_CODE_LIFETIME_MS),
      uses: whole('uses', options.uses ?? JOIN_CODE_USES, MAX_JOIN_CODE_USES),
      roles: checkRoles(options.roles ?? ['member']),
      redemptions: [],
    };
    const link = {
      fingerprint: groupFingerprint(this.#crypto, group),
      secret,
      seeds: options.seeds ?? [],
    };
    const gone = this.#book.add(code);
    try {
      await this.#storage.commit([
        { table: JOIN_CODE_TABLE, key: code.id, value: encodeJoinCodeRecord(code) },
        ...gone.map(({ id }) => ({ table: JOIN_CODE_TABLE, key: id, value: undefined })),
      ]);
    } catch (error) {
      this.#book.remove(code.id);
      throw error;
    }
    return { code: formatJoinCode(link), link: formatJoinLink(link), expiresAtMs: code.expiresAtMs };
  }

  /** Answers one request of `remotePeer`, whom the session has authenticated. */
  async handle(body: Uint8Array, remotePeer: PeerId): Promise<Uint8Array> {
    const request = decodeMembershipRequest(body);
    switch (request.type) {
      case 'apply':
        return this.#apply(request.fingerprint);
      case 'join':
        return this.#join(request, remotePeer);
      case 'renew':
        return this.#renew(request, remotePeer);
    }
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      'join codes': { used: this.#book.size, limit: MAX_JOIN_CODES, dropped: this.#book.dropped },
      'join attempts': { used: this.#attempts.recent, limit: MAX_WRONG_IN_TOTAL, dropped: this.#attempts.refused },
    };
  }

  #apply(fingerprint: Uint8Array): Uint8Array {
    const { group, name, credential } = this.#groupOf(fingerprint);
    return encodeApplyAnswer({ group, groupName: name, proof: credential.encoded });
  }

  async #join(request: MembershipRequest & { type: 'join' }, remotePeer: PeerId): Promise<Uint8Array> {
    const { group, name } = this.#groupOf(request.fingerprint);
    if (!this.#attempts.allows(remotePeer, this.#clock.monotonicMs())) {
      throw new PipevineError('refused', 'Too many wrong join codes came; wait a minute, then try again.');
    }
    const outcome = this.#book.redeem({
      group,
      secretHash: this.#hashSecret(group, request.secret),
      peer: remotePeer,
      name: request.name,
      serial: base32Encode(this.#random.bytes(SERIAL_BYTES)),
      nowMs: this.#wallMs(),
    });
    if (outcome.type !== 'granted') {
      if (outcome.type === 'wrong') this.#attempts.failed(remotePeer, this.#clock.monotonicMs());
      throw notRedeemed(outcome.type);
    }
    const { code, redemption } = outcome;
    try {
      await this.#storage.commit([{ table: JOIN_CODE_TABLE, key: code.id, value: encodeJoinCodeRecord(code) }]);
    } catch (error) {
      this.#book.giveBack(code.id, redemption);
      throw error;
    }
    if (this.#groups.isRevoked(group, redemption.serial)) {
      throw new PipevineError('revoked', 'This membership was revoked; ask an administrator of the group.');
    }
    const { encoded } = this.#groups.issue(group, {
      subject: remotePeer,
      roles: code.roles,
      serial: redemption.serial,
    });
    return encodeMembershipAnswer({
      credential: encoded,
      groupName: name,
      groupAdvertisement: this.#groupAdvertisement(group),
    });
  }

  async #renew(request: MembershipRequest & { type: 'renew' }, remotePeer: PeerId): Promise<Uint8Array> {
    const membership = this.#groups.membership(request.group);
    if (membership === undefined || !this.#groups.mayAdmit(request.group)) throw notHere();
    const chain = verifyCredential(this.#crypto, request.credential);
    const issuer = chain[1];
    if (issuer !== undefined && !issuer.roles.includes('administrator')) {
      throw new PipevineError('refused', 'The credential of a hosted peer is renewed by its host.');
    }
    const credential = checkCredential([chain[0]], {
      group: request.group,
      subject: remotePeer,
      nowMs: this.#wallMs(),
      graceMs: RENEWAL_GRACE_MS,
      isRevoked: (serial) => this.#groups.isRevoked(request.group, serial),
    });
    if (chain.some(({ serial }) => this.#groups.isRevoked(request.group, serial))) {
      throw new PipevineError(
        'revoked',
        'Who signed this credential is no administrator any more; ask for a new code.',
      );
    }
    const { roles, serial } = credential;
    const renewed = this.#groups.issue(request.group, { subject: remotePeer, roles, serial });
    return encodeMembershipAnswer({ credential: renewed.encoded, groupName: membership.name });
  }

  #groupOf(fingerprint: Uint8Array): GroupMembership {
    for (const membership of this.#groups.list()) {
      if (!this.#groups.mayAdmit(membership.group)) continue;
      const own = groupFingerprint(this.#crypto, membership.group);
      if (this.#crypto.equalConstantTime(own, fingerprint)) return membership;
    }
    throw notHere();
  }

  #hashSecret(group: GroupId, secret: Uint8Array): Uint8Array {
    const input = new Uint8Array(SECRET_DOMAIN.length + 32 + secret.length);
    input.set(SECRET_DOMAIN);
    input.set(groupIdToBytes(group), SECRET_DOMAIN.length);
    input.set(secret, SECRET_DOMAIN.length + 32);
    return this.#crypto.sha256(input);
  }

  #wallMs(): number {
    return Math.max(0, Math.floor(this.#clock.wallMs()));
  }
}

function notRedeemed(why: 'wrong' | 'expired' | 'used-up'): PipevineError {
  switch (why) {
    case 'wrong':
      return new PipevineError(
        'refused',
        'The join code was not accepted. Compare it with the original, or ask for a new one with `pipevine invite`.',
      );
    case 'expired':
      return new PipevineError('expired', 'The join code ran out. Ask for a new one with `pipevine invite`.');
    case 'used-up':
      return new PipevineError(
        'refused',
        'The join code was used by as many peers as it was made for. Ask for a new one with `pipevine invite`.',
      );
  }
}

function notHere(): PipevineError {
  return new PipevineError('not-found', 'This peer is no administrator of that group; ask another one.');
}

function whole(what: string, value: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw new PipevineError(
    'invalid-argument',
    `${what} of a join code is a whole number from 1 to ${max}, not ${value}.`,
  );
}

function checkRoles(roles: readonly string[]): readonly string[] {
  const good = roles.every((role) => /^[a-z][a-z0-9-]*$/.test(role) && role.length <= MAX_ROLE_BYTES);
  if (roles.length >= 1 && roles.length <= MAX_ROLES && good) return roles;
  throw new PipevineError(
    'invalid-argument',
    `Roles are 1 to ${MAX_ROLES} words of lower-case letters, digits and dashes, like member or administrator; got "${roles.join(', ').slice(0, 80)}".`,
  );
}
