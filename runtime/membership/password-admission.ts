/**
 * What an administrator keeps of a group's password, in table `group-password` under the base32 part of the group's id:
 * `{1: salt, 2: stretched password}`. The password itself is nowhere.
 */
import { LruCache } from '../bound/lru-cache.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupKey } from '../group/group-record.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { CpaceResponder } from '../pake/cpace.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../platform/storage.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { readMap } from '../wire/shape.ts';
import type { AttemptLimiter } from './attempt-limiter.ts';
import type { PasswordAnswer } from './membership-codec.ts';
import { MAX_PASSWORD_EXCHANGES, NONCE_BYTES, PASSWORD_EXCHANGE_MS, SALT_BYTES } from './membership-defaults.ts';
import { newPasswordBytes } from './password-bytes.ts';

const TABLE = 'group-password';

export interface PasswordAdmissionInit {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  /** This peer: the responder. */
  readonly localPeer: PeerId;
  /** Counts each exchange that was begun and not ended well. */
  readonly attempts: AttemptLimiter;
}

interface Exchange {
  readonly endsAtMs: number;
  /** `offered`: the nonce was told. `begun`: the applicant has used its one guess, and has yet to prove that it was right. */
  readonly state:
    | { readonly type: 'offered'; readonly nonce: Uint8Array }
    | { readonly type: 'begun'; readonly responder: CpaceResponder };
}

/** Admits by password at an administrator: what it stores, and its side of the exchange. One guess an exchange. */
export class PasswordAdmission {
  readonly #init: PasswordAdmissionInit;
  readonly #exchanges = new LruCache<Exchange>(MAX_PASSWORD_EXCHANGES);

  constructor(init: PasswordAdmissionInit) {
    this.#init = init;
  }

  /** From now on this peer admits to the group by this password. Rejects with `invalid-argument` or an error of the storage. */
  async setPassword(group: GroupId, password: string): Promise<void> {
    const { crypto, random, storage } = this.#init;
    const bytes = newPasswordBytes(password);
    const salt = random.bytes(SALT_BYTES);
    const verifier = await crypto.stretch(bytes, salt);
    const value = encodeCanonical(
      new Map([
        [1, salt],
        [2, verifier],
      ]),
    );
    await storage.commit([{ table: TABLE, key: groupKey(group), value }]);
  }

  async forget(group: GroupId): Promise<void> {
    await this.#init.storage.commit([{ table: TABLE, key: groupKey(group), value: undefined }]);
  }

  /** What the applicant needs to begin; undefined when no password was set here. */
  offer(group: GroupId, peer: PeerId): { readonly salt: Uint8Array; readonly nonce: Uint8Array } | undefined {
    const stored = this.#stored(group);
    if (stored === undefined) return undefined;
    const nonce = this.#init.random.bytes(NONCE_BYTES);
    this.#keep(group, peer, { type: 'offered', nonce });
    return { salt: stored.salt, nonce };
  }

  /** Throws `refused`: too many attempts, no offer before, or a share that is no point. */
  begin(group: GroupId, peer: PeerId, nonce: Uint8Array, share: Uint8Array): PasswordAnswer {
    const { crypto, random, clock, localPeer, attempts } = this.#init;
    const stored = this.#stored(group);
    const state = this.#take(group, peer);
    if (stored === undefined || state?.type !== 'offered') throw begunAnew();
    if (!attempts.allows(peer, clock.monotonicMs())) throw tooManyAttempts();
    attempts.failed(peer, clock.monotonicMs());
    const sessionId = joinBytes([nonce, state.nonce]);
    const session = {
      crypto,
      random,
      password: stored.verifier,
      initiator: peer,
      responder: localPeer,
      group,
      sessionId,
    };
    const responder = new CpaceResponder(session, share);
    this.#keep(group, peer, { type: 'begun', responder });
    return { share: responder.share, tag: responder.tag };
  }

  /** Returns when the applicant has proven that it knows the password. Throws `refused`. */
  finish(group: GroupId, peer: PeerId, tag: Uint8Array): void {
    const state = this.#take(group, peer);
    if (state?.type !== 'begun') throw begunAnew();
    state.responder.confirm(tag);
    this.#init.attempts.succeeded(peer);
  }

  get status(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    return { used: this.#exchanges.size, limit: MAX_PASSWORD_EXCHANGES, dropped: this.#exchanges.evicted };
  }

  #keep(group: GroupId, peer: PeerId, state: Exchange['state']): void {
    const endsAtMs = this.#init.clock.monotonicMs() + PASSWORD_EXCHANGE_MS;
    this.#exchanges.set(`${group} ${peer}`, { endsAtMs, state }, 1);
  }

  /** Each state is used once, whatever comes of it. */
  #take(group: GroupId, peer: PeerId): Exchange['state'] | undefined {
    const key = `${group} ${peer}`;
    const exchange = this.#exchanges.get(key);
    this.#exchanges.delete(key);
    return exchange === undefined || exchange.endsAtMs <= this.#init.clock.monotonicMs() ? undefined : exchange.state;
  }

  #stored(group: GroupId): { readonly salt: Uint8Array; readonly verifier: Uint8Array } | undefined {
    const bytes = this.#init.storage.get(TABLE, groupKey(group));
    if (bytes === undefined) return undefined;
    const reader = readMap(decodeStrict(bytes), 'The stored password of a group');
    return { salt: reader.bytes(1, 'salt', { length: SALT_BYTES }), verifier: reader.bytes(2, 'verifier') };
  }
}

export function tooManyAttempts(): PipevineError {
  return new PipevineError('refused', 'Too many wrong codes or passwords came; wait a minute, then try again.');
}

function begunAnew(): PipevineError {
  return new PipevineError('refused', 'No such password exchange is under way here (any more); begin a new one.');
}
