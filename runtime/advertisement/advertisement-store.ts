import { LruCache } from '../bound/lru-cache.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import type { Advertisement, AdvertisementInit, AdvertisementKind, AdvertisementQuery } from './advertisement.ts';
import {
  type AdvertisementFields,
  decodeAdvertisement,
  decodeStoredAdvertisement,
  signAdvertisement,
} from './advertisement-codec.ts';
import {
  type AdvertisementBounds,
  DEFAULT_ADVERTISEMENT_BOUNDS,
  DEFAULT_EXPIRATION_MS,
  DEFAULT_LIFETIME_MS,
  MARK_INTERVAL_MS,
  MAX_ADVERTISEMENT_BYTES,
  MAX_DUE_PER_TURN,
  MAX_VERIFIED_DIGESTS,
  MIN_EXPIRATION_MS,
  RENEW_AFTER_START_MS,
  WRITE_RETRY_MS,
} from './advertisement-defaults.ts';
import { type IndexEntry, QueryConditions } from './advertisement-index.ts';
import { AdvertisementLedger, type LedgerEffect } from './advertisement-ledger.ts';
import {
  type AdvertisementName,
  type AdvertisementRecord,
  CLOCK_KEY,
  CLOCK_TABLE,
  decodeRecord,
  ENCODED_TABLE,
  encodeRecord,
  INDEX_TABLE,
  slotOf,
} from './advertisement-record.ts';
import { AdvertisementWatchers, type StoreChange } from './advertisement-watchers.ts';
import { AgeClock } from './age-clock.ts';
import { equalBytes } from './cose-sign1.ts';
import { WriteBehind } from './write-behind.ts';

export interface AdvertisementStoreInit {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly bounds?: Partial<AdvertisementBounds>;
  /**
   * The identity of a peer that this process can speak as. With it the store signs own advertisements anew at half of
   * their expiration, and soon after a start: whoever has let one expire takes only a newer one.
   */
  readonly identityOf?: (peer: PeerId) => Identity | undefined;
}

/** What became of an advertisement that came from outside. */
export type AdvertisementReceipt =
  /**
   * `added`, `updated`: it is held now. `known`: the very bytes were held already. `withdrawn`: it takes back what it
   * names.
   */
  | { readonly outcome: 'added' | 'updated' | 'known' | 'withdrawn'; readonly advertisement: Advertisement }
  /** A version as new or newer was seen before. Its signature was not even looked at. */
  | { readonly outcome: 'replayed' }
  /** `accept` said no. Its signature was not even looked at. */
  | { readonly outcome: 'unproven' };

export interface ReceiveOptions {
  /** The group that it should be of. */
  readonly group?: GroupId;
  /** Whether to take what is not held yet; asked before the signature is looked at. Withdrawals of what is held need no leave. */
  readonly accept?: (unverified: Advertisement) => boolean;
}

/** An advertisement as the index knows it: its content is still in the storage. */
export interface HeldAdvertisement {
  readonly publisher: PeerId;
  readonly key: string;
  readonly sequence: number;
  /** Its COSE_Sign1, or undefined when it is not held any more. */
  encoded(): Uint8Array | undefined;
  /** The whole, or undefined when it is not held any more. */
  read(): Advertisement | undefined;
}

/** How full a bounded table is, and how often it had to refuse or drop. */
interface Bound {
  readonly used: number;
  readonly limit: number;
  readonly dropped: number;
}

/**
 * The advertisements that this process publishes and has heard of: signed or verified, durable, aged, found by what
 * they say. Bodies stay in the storage; memory holds the index.
 */
export class AdvertisementStore {
  readonly #clock: Clock;
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #bounds: AdvertisementBounds;
  readonly #identityOf: (peer: PeerId) => Identity | undefined;
  readonly #age: AgeClock;
  readonly #ledger: AdvertisementLedger;
  readonly #writes: WriteBehind;
  readonly #decoded: LruCache<Advertisement>;
  /** By digest the slot of what was verified, so that what bounces between peers costs one verification. */
  readonly #verified = new LruCache<string>(MAX_VERIFIED_DIGESTS);
  /** Highest sequence that a publication under way has taken. */
  readonly #reserved = new Map<string, number>();
  readonly #watchers: AdvertisementWatchers;
  #ownRefused = 0;
  #damaged = 0;
  #renewalsFailed = 0;
  #markedAtMs: number;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #closed = false;

  /** Reads the index from the storage: about 10 us an advertisement. */
  constructor(init: AdvertisementStoreInit) {
    this.#clock = init.clock;
    this.#crypto = init.crypto;
    this.#random = init.random;
    this.#bounds = { ...DEFAULT_ADVERTISEMENT_BOUNDS, ...init.bounds };
    this.#identityOf = init.identityOf ?? (() => undefined);
    this.#ledger = new AdvertisementLedger(this.#bounds);
    this.#decoded = new LruCache(this.#bounds.maxCachedBytes);
    this.#watchers = new AdvertisementWatchers(this.#bounds.maxSubscriptions);
    this.#age = this.#resumeAge(init.storage);
    this.#markedAtMs = this.#age.nowMs();
    this.#writes = new WriteBehind({
      storage: init.storage,
      clock: init.clock,
      retryMs: WRITE_RETRY_MS,
      maxPending: 2 * (this.#bounds.maxForeign + this.#bounds.maxRemembered),
      companion: () => this.#mark(),
    });
    this.#load(init.storage);
    this.#arm();
  }

  /**
   * Signs and stores an advertisement, in place of an older one of the same kind, group and key. It is durable before
   * anybody sees it. Rejects with `invalid-argument`, `too-large`, `overloaded`, `closed`, `storage-full` or
   * `storage-failed`.
   */
  async publish(identity: Identity, init: AdvertisementInit): Promise<Advertisement> {
    this.#checkOpen();
    const lifetimeMs = checkDuration('lifetimeMs', init.lifetimeMs ?? DEFAULT_LIFETIME_MS);
    const expirationMs = checkDuration('expirationMs', init.expirationMs ?? DEFAULT_EXPIRATION_MS);
    const name = { group: init.group, kind: init.kind, publisher: identity.id, key: init.key ?? '' };
    const slot = slotOf(this.#crypto, name);
    const ownCount = this.#ledger.ownCount + this.#reserved.size;
    if (this.#ledger.get(slot)?.own !== true && ownCount >= this.#bounds.maxOwn) {
      this.#ownRefused++;
      throw new PipevineError(
        'overloaded',
        `This process publishes ${this.#bounds.maxOwn} advertisements already; withdraw some, or raise maxOwn.`,
      );
    }
    return this.#issue(identity, slot, this.#age.nowMs() + lifetimeMs, {
      kind: init.kind,
      group: init.group,
      key: name.key,
      name: init.name ?? '',
      attributes: new Map(Object.entries(init.attributes ?? {})),
      body: init.body ?? new Uint8Array(0),
      expirationMs: Math.min(expirationMs, lifetimeMs),
    });
  }

  /**
   * Withdraws: signs a newer version with expiration 0 and holds the advertisement no more; its sequence stays known.
   * Resolves to the withdrawal, for others to be told, or undefined when there was nothing to withdraw.
   */
  async withdraw(
    identity: Identity,
    name: Pick<AdvertisementInit, 'kind' | 'group' | 'key'>,
  ): Promise<Advertisement | undefined> {
    this.#checkOpen();
    const key = name.key ?? '';
    const slot = slotOf(this.#crypto, { group: name.group, kind: name.kind, publisher: identity.id, key });
    if (this.#ledger.get(slot) === undefined && !this.#reserved.has(slot)) return undefined;
    const sequence = this.#reserve(slot, identity.id);
    try {
      const withdrawal = signAdvertisement(identity, {
        kind: name.kind,
        group: name.group,
        key,
        name: '',
        attributes: new Map(),
        body: new Uint8Array(0),
        sequence,
        issuedAtMs: this.#wallMs(),
        expirationMs: 0,
      });
      const last = this.#held(slot);
      await this.#writes.commit(this.#goneChanges(slot, identity.id, true, sequence));
      this.#removeWithdrawn(slot, last ?? this.#held(slot), withdrawal, true);
      return withdrawal;
    } finally {
      this.#release(slot, sequence);
    }
  }

  /**
   * Takes in what came from outside. Throws `too-large`, `malformed` or `forged`, and `refused` when it is of another
   * group than the one it should be of. Never waits: it is written to the storage behind.
   */
  receive(encoded: Uint8Array, options?: ReceiveOptions): AdvertisementReceipt {
    this.#checkOpen();
    // What is too large is not even hashed: the decoder refuses it.
    const digest = encoded.length > MAX_ADVERTISEMENT_BYTES ? '' : String.fromCharCode(...this.#crypto.sha256(encoded));
    const same = this.#heldAs(digest, encoded);
    if (same !== undefined && same.group === (options?.group ?? same.group)) {
      return { outcome: 'known', advertisement: same };
    }
    // A copy of its own, so that what is kept does not keep the whole record that it came in.
    const unverified = decodeAdvertisement(encoded.slice());
    const { advertisement } = unverified;
    if (options?.group !== undefined && advertisement.group !== options.group) {
      throw new PipevineError('refused', 'An advertisement of another group came; what crosses groups is dropped.');
    }
    const { publisher, sequence } = advertisement;
    const slot = slotOf(this.#crypto, advertisement);
    const highest = this.#ledger.highest(slot, publisher);
    if (highest !== undefined && sequence <= highest) {
      const held = sequence === highest ? this.#writes.get(ENCODED_TABLE, slot) : undefined;
      if (held === undefined || !equalBytes(held, advertisement.encoded)) return { outcome: 'replayed' };
      return { outcome: 'known', advertisement };
    }
    const takesBack = advertisement.expirationMs === 0 && this.#ledger.get(slot) !== undefined;
    if (!takesBack && options?.accept?.(advertisement) === false) return { outcome: 'unproven' };
    if (this.#verified.get(digest) === undefined) unverified.verify(this.#crypto);
    this.#verified.set(digest, slot, 1);
    if (advertisement.expirationMs === 0) {
      this.#writes.write(this.#goneChanges(slot, publisher, false, sequence));
      this.#removeWithdrawn(slot, this.#held(slot), advertisement, false);
      return { outcome: 'withdrawn', advertisement };
    }
    const expiresAtMs = this.#age.nowMs() + Math.min(advertisement.expirationMs, this.#bounds.maxForeignExpirationMs);
    this.#writes.write(heldChanges(slot, advertisement, false, expiresAtMs));
    const outcome = this.#hold(slot, advertisement, { own: false, expiresAtMs });
    return { outcome, advertisement };
  }

  /**
   * Holds a foreign advertisement no more, as if it had expired: this version is refused from now on, a newer one is taken.
   * Does nothing for own ones, nor when another version is held by now.
   */
  forget({ group, kind, publisher, key, sequence }: AdvertisementName & { readonly sequence: number }): void {
    const entry = this.#ledger.get(slotOf(this.#crypto, { group, kind, publisher, key }));
    if (entry !== undefined && !entry.own && entry.sequence === sequence) this.#expire(entry);
  }

  /** Holds a foreign advertisement no more, though nothing is wrong with it: the same version may come again. As `forget` otherwise. */
  release({ group, kind, publisher, key, sequence }: AdvertisementName & { readonly sequence: number }): void {
    const entry = this.#ledger.get(slotOf(this.#crypto, { group, kind, publisher, key }));
    if (entry !== undefined && !entry.own && entry.sequence === sequence) this.#carryOut(this.#ledger.release(entry));
  }

  /** Who has published what is held of a kind in a group; expired ones may be among them. */
  publishersOf(group: GroupId, kind: AdvertisementKind): PeerId[] {
    return this.#ledger.publishersOf(group, kind);
  }

  /** What is held and meets the query, in no particular order. Throws `invalid-argument`. */
  find(query: AdvertisementQuery): Advertisement[] {
    return this.search(query).flatMap((held) => held.read() ?? []);
  }

  /** The same, but without a look at the storage: for whoever does not need the content of all, or not at once. */
  search(query: AdvertisementQuery): HeldAdvertisement[] {
    const conditions = new QueryConditions(query);
    const nowMs = this.#age.nowMs();
    const found: HeldAdvertisement[] = [];
    for (const entry of this.#ledger.search(conditions)) {
      if (entry.expiresAtMs > nowMs && found.push(this.#lazily(entry)) >= conditions.limit) break;
    }
    return found;
  }

  /** The newest version under this name, without a look at the storage. */
  held(name: AdvertisementName): HeldAdvertisement | undefined {
    const entry = this.#ledger.get(slotOf(this.#crypto, name));
    return entry === undefined || entry.expiresAtMs <= this.#age.nowMs() ? undefined : this.#lazily(entry);
  }

  /** The newest version under this name. */
  get(name: AdvertisementName): Advertisement | undefined {
    const entry = this.#ledger.get(slotOf(this.#crypto, name));
    return entry === undefined || entry.expiresAtMs <= this.#age.nowMs() ? undefined : this.#held(entry.slot);
  }

  /**
   * Calls `listener` for each change of what meets the query, after it has happened, until the returned function is
   * called. The query's limit does not count. Throws `invalid-argument`, or `overloaded` when too many listen.
   */
  subscribe(query: AdvertisementQuery, listener: (change: StoreChange) => void): () => void {
    return this.#watchers.add(query, listener);
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, Bound>> {
    const bounds = this.#bounds;
    const ledger = this.#ledger;
    return {
      'advertisements own': {
        used: ledger.ownCount,
        limit: bounds.maxOwn,
        dropped: this.#ownRefused + this.#renewalsFailed,
      },
      'advertisements foreign': { used: ledger.foreignCount, limit: bounds.maxForeign, dropped: ledger.evictedCount },
      'advertisement sequences': {
        used: ledger.rememberedCount,
        limit: bounds.maxRemembered,
        dropped: ledger.forgottenCount,
      },
      'advertisement watchers': this.#watchers.bound(),
      'advertisement writes': {
        used: this.#writes.pending,
        limit: 2 * (bounds.maxForeign + bounds.maxRemembered),
        dropped: this.#writes.dropped + this.#damaged,
      },
    };
  }

  /** Entries and values that searches have looked at so far. */
  get visited(): number {
    return this.#ledger.visited;
  }

  /** Writes what waits, and stops. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#watchers.clear();
    await this.#writes.close();
  }

  #resumeAge(storage: Storage): AgeClock {
    try {
      return new AgeClock(this.#clock, storage.get(CLOCK_TABLE, CLOCK_KEY));
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#damaged++;
      return new AgeClock(this.#clock, undefined);
    }
  }

  #load(storage: Storage): void {
    const nowMs = this.#age.nowMs();
    const markLost = this.#damaged > 0 || storage.get(CLOCK_TABLE, CLOCK_KEY) === undefined;
    const gone: { readonly slot: string; readonly record: AdvertisementRecord & { readonly state: 'gone' } }[] = [];
    for (const [slot, value] of storage.scan(INDEX_TABLE)) {
      let record: AdvertisementRecord;
      try {
        record = decodeRecord(value);
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
        this.#damaged++;
        this.#writes.write(deletions(slot));
        continue;
      }
      if (record.state === 'gone') {
        gone.push({ slot, record });
        continue;
      }
      const { own, facts } = record;
      // Without the mark of the clock the dates mean nothing; then nothing lives longer than a new one would.
      const longestMs = own ? DEFAULT_LIFETIME_MS : this.#bounds.maxForeignExpirationMs;
      const expiresAtMs = markLost ? Math.min(record.expiresAtMs, nowMs + longestMs) : record.expiresAtMs;
      const renewal = own ? { renewAtMs: this.#soon(nowMs) } : undefined;
      this.#carryOut(this.#ledger.hold(slot, facts, { own, expiresAtMs, ...renewal }).effects);
    }
    gone.sort((a, b) => a.record.goneAtMs - b.record.goneAtMs);
    for (const { slot, record } of gone) {
      this.#carryOut(this.#ledger.remember(slot, record.publisher, record.own, record.sequence));
    }
  }

  async #issue(
    identity: Identity,
    slot: string,
    expiresAtMs: number,
    content: Omit<AdvertisementFields, 'sequence' | 'issuedAtMs'>,
  ): Promise<Advertisement> {
    const sequence = this.#reserve(slot, identity.id);
    try {
      const advertisement = signAdvertisement(identity, { ...content, sequence, issuedAtMs: this.#wallMs() });
      await this.#writes.commit(heldChanges(slot, advertisement, true, expiresAtMs));
      // Another publication, started later, may have been done first.
      if ((this.#ledger.highest(slot, identity.id) ?? -1) < sequence) {
        const renewInMs = Math.floor((content.expirationMs / 2) * (0.9 + 0.1 * this.#random.fraction()));
        this.#hold(slot, advertisement, { own: true, expiresAtMs, renewAtMs: this.#age.nowMs() + renewInMs });
      }
      return advertisement;
    } finally {
      this.#release(slot, sequence);
    }
  }

  #reserve(slot: string, publisher: PeerId): number {
    const last = Math.max(this.#ledger.highest(slot, publisher) ?? -1, this.#reserved.get(slot) ?? -1);
    const sequence = Math.max(last + 1, this.#wallMs());
    this.#reserved.set(slot, sequence);
    return sequence;
  }

  #release(slot: string, sequence: number): void {
    if (this.#reserved.get(slot) === sequence) this.#reserved.delete(slot);
  }

  #hold(
    slot: string,
    advertisement: Advertisement,
    holding: { readonly own: boolean; readonly expiresAtMs: number; readonly renewAtMs?: number },
  ): 'added' | 'updated' {
    const before = this.#ledger.get(slot);
    const { effects } = this.#ledger.hold(slot, advertisement, holding);
    this.#remember(slot, advertisement);
    this.#watchers.notify(before, { advertisement, own: holding.own }, true);
    this.#carryOut(effects);
    this.#arm();
    return before === undefined ? 'added' : 'updated';
  }

  #removeWithdrawn(slot: string, last: Advertisement | undefined, withdrawal: Advertisement, own: boolean): void {
    const entry = this.#ledger.get(slot);
    if (entry !== undefined && entry.sequence > withdrawal.sequence) return;
    this.#decoded.delete(slot);
    this.#carryOut(
      entry === undefined
        ? this.#ledger.remember(slot, withdrawal.publisher, own, withdrawal.sequence)
        : this.#ledger.drop(entry, withdrawal.sequence),
    );
    if (entry !== undefined && last !== undefined) {
      this.#watchers.notify(entry, { advertisement: last, withdrawal, own: entry.own }, false);
    }
  }

  #carryOut(effects: readonly LedgerEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'forgotten') {
        this.#writes.write([{ table: INDEX_TABLE, key: effect.slot, value: undefined }]);
        continue;
      }
      const { entry } = effect;
      const last = this.#watchers.concern(entry) ? this.#read(entry) : undefined;
      this.#decoded.delete(entry.slot);
      this.#writes.write(this.#goneChanges(entry.slot, entry.publisher, false, Math.max(0, entry.sequence - 1)));
      if (last !== undefined) this.#watchers.notify(entry, { advertisement: last, own: false }, false);
    }
  }

  #arm(): void {
    if (this.#closed) return;
    const deadline = this.#ledger.nextDeadline();
    if (deadline === undefined || deadline >= this.#timerAtMs) return;
    this.#timer?.cancel();
    const nowMs = this.#age.nowMs();
    const delayMs = Math.min(Math.max(0, deadline - nowMs), MARK_INTERVAL_MS);
    this.#timerAtMs = nowMs + delayMs;
    this.#timer = this.#clock.setTimer(delayMs, () => this.#wake());
  }

  #wake(): void {
    this.#timerAtMs = Infinity;
    const nowMs = this.#age.nowMs();
    for (let due = 0; due < MAX_DUE_PER_TURN; due++) {
      const entry = this.#ledger.takeDue(nowMs);
      if (entry === undefined) break;
      if (entry.expiresAtMs <= nowMs) this.#expire(entry);
      else this.#renew(entry, nowMs);
    }
    if (nowMs >= this.#markedAtMs + MARK_INTERVAL_MS) this.#writes.write([this.#mark()]);
    this.#arm();
  }

  #expire(entry: IndexEntry): void {
    const last = this.#watchers.concern(entry) ? this.#read(entry) : undefined;
    this.#decoded.delete(entry.slot);
    this.#writes.write(this.#goneChanges(entry.slot, entry.publisher, entry.own, entry.sequence));
    this.#carryOut(this.#ledger.drop(entry, entry.sequence));
    if (last !== undefined) this.#watchers.notify(entry, { advertisement: last, own: entry.own }, false);
  }

  #renew(entry: IndexEntry, nowMs: number): void {
    // The next attempt, should this one fail or be impossible now; a success puts a new entry in the place of this one.
    this.#ledger.renewAt(entry, this.#soon(nowMs));
    const identity = this.#identityOf(entry.publisher);
    const last = identity === undefined ? undefined : this.#read(entry);
    if (identity === undefined || last === undefined || this.#reserved.has(entry.slot)) return;
    const expirationMs = Math.min(last.expirationMs, entry.expiresAtMs - nowMs);
    this.#issue(identity, entry.slot, entry.expiresAtMs, { ...last, expirationMs }).catch((error: unknown) => {
      // A full disk: the attempt set above comes again, and what was published before stays as it is.
      if (!(error instanceof PipevineError)) throw error;
      this.#renewalsFailed++;
    });
  }

  #discard(entry: IndexEntry): void {
    this.#damaged++;
    this.#ledger.discard(entry);
    this.#writes.write(deletions(entry.slot));
  }

  #lazily(entry: IndexEntry): HeldAdvertisement {
    const isHeld = () => this.#ledger.get(entry.slot) === entry;
    return {
      publisher: entry.publisher,
      key: entry.key,
      sequence: entry.sequence,
      encoded: () => (isHeld() ? this.#writes.get(ENCODED_TABLE, entry.slot) : undefined),
      read: () => {
        if (!isHeld()) return undefined;
        const advertisement = this.#read(entry);
        if (advertisement === undefined) this.#discard(entry);
        return advertisement;
      },
    };
  }

  /** What is held and has these very bytes; most of what comes has come before, and need not be decoded again. */
  #heldAs(digest: string, encoded: Uint8Array): Advertisement | undefined {
    const slot = this.#verified.get(digest);
    const held = slot === undefined ? undefined : this.#held(slot);
    return held !== undefined && equalBytes(held.encoded, encoded) ? held : undefined;
  }

  #held(slot: string): Advertisement | undefined {
    const entry = this.#ledger.get(slot);
    return entry === undefined ? undefined : this.#read(entry);
  }

  #read(entry: IndexEntry): Advertisement | undefined {
    const ready = this.#decoded.get(entry.slot);
    if (ready !== undefined) return ready;
    const encoded = this.#writes.get(ENCODED_TABLE, entry.slot);
    if (encoded === undefined) return undefined;
    try {
      // It was verified before it was stored; the storage is this peer's own.
      const advertisement = decodeStoredAdvertisement(encoded);
      if (advertisement.sequence !== entry.sequence) return undefined;
      this.#remember(entry.slot, advertisement);
      return advertisement;
    } catch (error) {
      if (error instanceof PipevineError) return undefined;
      throw error;
    }
  }

  #remember(slot: string, advertisement: Advertisement): void {
    this.#decoded.set(slot, advertisement, 2 * advertisement.encoded.length);
  }

  #goneChanges(slot: string, publisher: PeerId, own: boolean, sequence: number): StorageChange[] {
    const record = { state: 'gone', own, sequence, goneAtMs: this.#age.nowMs(), publisher } as const;
    return [
      { table: INDEX_TABLE, key: slot, value: encodeRecord(record) },
      { table: ENCODED_TABLE, key: slot, value: undefined },
    ];
  }

  #soon(nowMs: number): number {
    return nowMs + Math.floor(RENEW_AFTER_START_MS * (1 + this.#random.fraction()));
  }

  #mark(): StorageChange {
    this.#markedAtMs = this.#age.nowMs();
    return { table: CLOCK_TABLE, key: CLOCK_KEY, value: this.#age.mark() };
  }

  #wallMs(): number {
    return Math.max(0, Math.floor(this.#clock.wallMs()));
  }

  #checkOpen(): void {
    if (this.#closed) throw new PipevineError('closed', 'The advertisement store is closed.');
  }
}

function heldChanges(slot: string, facts: Advertisement, own: boolean, expiresAtMs: number): StorageChange[] {
  return [
    { table: INDEX_TABLE, key: slot, value: encodeRecord({ state: 'held', own, expiresAtMs, facts }) },
    { table: ENCODED_TABLE, key: slot, value: facts.encoded },
  ];
}

function deletions(slot: string): StorageChange[] {
  return [
    { table: INDEX_TABLE, key: slot, value: undefined },
    { table: ENCODED_TABLE, key: slot, value: undefined },
  ];
}

function checkDuration(what: string, durationMs: number): number {
  if (!Number.isSafeInteger(durationMs) || durationMs < MIN_EXPIRATION_MS) {
    throw new PipevineError(
      'invalid-argument',
      `${what} must be a whole number of milliseconds, at least ${MIN_EXPIRATION_MS}, not ${durationMs}.`,
    );
  }
  return durationMs;
}
