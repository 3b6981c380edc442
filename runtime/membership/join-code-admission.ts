import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_ROLE_BYTES, MAX_ROLES, SERIAL_BYTES } from '../group/group-defaults.ts';
import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import type { AttemptLimiter } from './attempt-limiter.ts';
import { groupFingerprint } from './group-fingerprint.ts';
import { formatJoinCode, formatJoinLink, JOIN_SECRET_BYTES } from './join-code.ts';
import { type IssuedJoinCode, JoinCodeBook, type Redemption } from './join-code-book.ts';
import { decodeJoinCodeRecord, encodeJoinCodeRecord, JOIN_CODE_TABLE } from './join-code-record.ts';
import {
  JOIN_CODE_LIFETIME_MS,
  JOIN_CODE_USES,
  MAX_JOIN_CODE_LIFETIME_MS,
  MAX_JOIN_CODE_USES,
  MAX_JOIN_CODES,
} from './membership-defaults.ts';
import { tooManyAttempts } from './password-admission.ts';

export interface InviteOptions {
  /** Default 24 hours, at most 365 days. */
  readonly lifetimeMs?: number;
  /** How many peers the code admits; default 1, at most 256. */
  readonly uses?: number;
  /** Roles of whoever joins; default: what the group's charter gives, else `member`. */
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

/** A use that was taken. `change` makes it durable; `giveBack` undoes it when that failed. */
export interface TakenUse {
  readonly roles: readonly string[];
  readonly redemption: Redemption;
  readonly change: StorageChange;
  giveBack(): void;
}

const SECRET_DOMAIN = new TextEncoder().encode('pipevine/1 join secret');

/** Join codes at an administrator: makes them, and takes their uses. */
export class JoinCodeAdmission {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #attempts: AttemptLimiter;
  readonly #book: JoinCodeBook;

  /** `attempts` counts wrong codes. */
  constructor(init: {
    readonly storage: Storage;
    readonly clock: Clock;
    readonly crypto: Crypto;
    readonly random: Random;
    readonly attempts: AttemptLimiter;
  }) {
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#crypto = init.crypto;
    this.#random = init.random;
    this.#attempts = init.attempts;
    const codes = [...init.storage.scan(JOIN_CODE_TABLE)].map(([id, value]) => decodeJoinCodeRecord(id, value));
    this.#book = new JoinCodeBook(MAX_JOIN_CODES, (a, b) => init.crypto.equalConstantTime(a, b), codes);
  }

  /** Rejects with `invalid-argument` or an error of the storage. */
  async invite(group: GroupId, options: InviteOptions & { readonly roles: readonly string[] }): Promise<Invitation> {
    const secret = this.#random.bytes(JOIN_SECRET_BYTES);
    const nowMs = Math.floor(this.#clock.wallMs());
    const code: IssuedJoinCode = {
      id: base32Encode(this.#random.bytes(10)),
      group,
      secretHash: this.#hash(group, secret),
      createdAtMs: nowMs,
      expiresAtMs: nowMs + whole('lifetimeMs', options.lifetimeMs ?? JOIN_CODE_LIFETIME_MS, MAX_JOIN_CODE_LIFETIME_MS),
      uses: whole('uses', options.uses ?? JOIN_CODE_USES, MAX_JOIN_CODE_USES),
      roles: checkRoles(options.roles),
      redemptions: [],
    };
    const link = { fingerprint: groupFingerprint(this.#crypto, group), secret, seeds: options.seeds ?? [] };
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

  /** Takes one use for `peer`; the same peer gets the use that it has. Throws `refused` or `expired`. */
  redeem(group: GroupId, secret: Uint8Array, peer: PeerId, name: string): TakenUse {
    const monotonicMs = this.#clock.monotonicMs();
    if (!this.#attempts.allows(peer, monotonicMs)) throw tooManyAttempts();
    const serial = base32Encode(this.#random.bytes(SERIAL_BYTES));
    const nowMs = this.#clock.wallMs();
    const outcome = this.#book.redeem({ group, secretHash: this.#hash(group, secret), peer, name, serial, nowMs });
    if (outcome.type !== 'granted') {
      if (outcome.type === 'wrong') this.#attempts.failed(peer, monotonicMs);
      throw notRedeemed(outcome.type);
    }
    const { code, redemption } = outcome;
    return {
      roles: code.roles,
      redemption,
      change: { table: JOIN_CODE_TABLE, key: code.id, value: encodeJoinCodeRecord(code) },
      giveBack: () => {
        // A use from before is durable already.
        if (redemption.serial === serial) this.#book.giveBack(code.id, redemption);
      },
    };
  }

  get status(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    return { used: this.#book.size, limit: MAX_JOIN_CODES, dropped: this.#book.dropped };
  }

  #hash(group: GroupId, secret: Uint8Array): Uint8Array {
    return this.#crypto.sha256(joinBytes([SECRET_DOMAIN, groupIdToBytes(group), secret]));
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

function whole(what: string, value: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw new PipevineError(
    'invalid-argument',
    `${what} of a join code is a whole number from 1 to ${max}, not ${value}.`,
  );
}

/** Throws `invalid-argument`. */
function checkRoles(roles: readonly string[]): readonly string[] {
  const good = roles.every((role) => /^[a-z][a-z0-9-]*$/.test(role) && role.length <= MAX_ROLE_BYTES);
  if (roles.length >= 1 && roles.length <= MAX_ROLES && good) return roles;
  throw new PipevineError(
    'invalid-argument',
    `Roles are 1 to ${MAX_ROLES} words of lower-case letters, digits and dashes, like member or administrator; got "${roles.join(', ').slice(0, 80)}".`,
  );
}
