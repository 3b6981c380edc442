/**
 * Keys of epochs that this peer holds. Table `epoch-key`: the group's key and the key's id to
 * `{1: key, ? 2: since when a later epoch counts, wall clock in ms}`.
 */
import { LruCache } from '../bound/lru-cache.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupKey } from '../group/group-record.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { AeadKey, Crypto } from '../platform/crypto.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { readMap } from '../wire/shape.ts';
import { keyIdOf } from './epoch-view.ts';
import { KEY_BYTES } from './propagate-codec.ts';
import { MAX_KEYS, MAX_SENDER_KEYS, OLD_EPOCH_MS } from './propagate-defaults.ts';

const TABLE = 'epoch-key';
const INFO = new TextEncoder().encode('pipevine/1 propagate');

interface HeldKey {
  readonly key: Uint8Array;
  readonly retiredAtMs: number | undefined;
}

export interface EpochKeysInit {
  readonly group: GroupId;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly onError: (error: PipevineError) => void;
}

export class EpochKeys {
  readonly #init: EpochKeysInit;
  readonly #prefix: string;
  readonly #held = new Map<string, HeldKey>();
  readonly #senders = new LruCache<AeadKey>(MAX_SENDER_KEYS);
  #timer: Timer | undefined;

  constructor(init: EpochKeysInit) {
    this.#init = init;
    this.#prefix = `${groupKey(init.group)} `;
    for (const [name, value] of init.storage.scan(TABLE, this.#prefix)) {
      try {
        this.#held.set(name.slice(this.#prefix.length), decodeHeld(value));
      } catch (error) {
        // A damaged key is a key that is asked for again.
        if (!(error instanceof PipevineError)) throw error;
      }
    }
  }

  get size(): number {
    return this.#held.size;
  }

  has(keyId: string): boolean {
    return this.#readable(keyId) !== undefined;
  }

  /** The key itself, to be given to another member. */
  key(keyId: string): Uint8Array | undefined {
    return this.#readable(keyId)?.key;
  }

  /** What `sender` seals with in that epoch. */
  sender(keyId: string, sender: PeerId): AeadKey | undefined {
    const held = this.#readable(keyId);
    if (held === undefined) return undefined;
    const name = `${keyId} ${sender}`;
    const ready = this.#senders.get(name);
    if (ready !== undefined) return ready;
    const { crypto, group } = this.#init;
    const info = joinBytes([INFO, peerIdToBytes(sender)]);
    const key = crypto.aeadKey(crypto.hkdfSha256(held.key, groupIdToBytes(group), info, KEY_BYTES));
    this.#senders.set(name, key, 1);
    return key;
  }

  /** Resolves to the key's id when it would survive a power cut. Rejects with an error of the storage. */
  async add(key: Uint8Array): Promise<string> {
    const keyId = keyIdOf(this.#init.crypto.sha256(key));
    if (!this.has(keyId)) {
      const held = { key: key.slice(), retiredAtMs: undefined };
      await this.#init.storage.commit([this.#change(keyId, held)]);
      this.#held.set(keyId, held);
    }
    return keyId;
  }

  /** This epoch counts: the keys of all others are for what is still under way, and go after an hour. */
  retireAllBut(current: string | undefined): void {
    const nowMs = this.#wallMs();
    const changes: StorageChange[] = [];
    for (const [keyId, held] of this.#held) {
      // What counted before counts again when a later epoch is void.
      const retiredAtMs = keyId === current ? undefined : (held.retiredAtMs ?? nowMs);
      if (retiredAtMs === held.retiredAtMs) continue;
      const changed = { key: held.key, retiredAtMs };
      this.#held.set(keyId, changed);
      changes.push(this.#change(keyId, changed));
    }
    this.#commit([...changes, ...this.#expire(nowMs)]);
  }

  /** The group is left: nothing is kept of it. */
  forget(): void {
    this.#commit([...this.#held.keys()].map((keyId) => this.#change(keyId, undefined)));
    this.#held.clear();
    this.close();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #readable(keyId: string): HeldKey | undefined {
    const held = this.#held.get(keyId);
    return held === undefined || isOver(held, this.#wallMs()) ? undefined : held;
  }

  #expire(nowMs: number): StorageChange[] {
    const changes: StorageChange[] = [];
    const retired = [...this.#held].filter(([, { retiredAtMs }]) => retiredAtMs !== undefined);
    retired.sort(([, a], [, b]) => (a.retiredAtMs ?? 0) - (b.retiredAtMs ?? 0));
    for (const [keyId, held] of retired) {
      if (this.#held.size <= MAX_KEYS && !isOver(held, nowMs)) continue;
      this.#held.delete(keyId);
      changes.push(this.#change(keyId, undefined));
    }
    this.close();
    if (retired.length > changes.length) {
      this.#timer = this.#init.clock.setTimer(OLD_EPOCH_MS, () => this.#commit(this.#expire(this.#wallMs())));
    }
    return changes;
  }

  #change(keyId: string, held: HeldKey | undefined): StorageChange {
    return { table: TABLE, key: this.#prefix + keyId, value: held && encodeHeld(held) };
  }

  #commit(changes: readonly StorageChange[]): void {
    if (changes.length === 0) return;
    this.#init.storage.commit(changes).catch((error: unknown) => {
      if (!(error instanceof PipevineError)) throw error;
      this.#init.onError(error);
    });
  }

  #wallMs(): number {
    return Math.max(0, Math.floor(this.#init.clock.wallMs()));
  }
}

/** A clock that was set back does not lengthen the hour. */
function isOver({ retiredAtMs }: HeldKey, nowMs: number): boolean {
  return retiredAtMs !== undefined && Math.abs(nowMs - retiredAtMs) >= OLD_EPOCH_MS;
}

function encodeHeld({ key, retiredAtMs }: HeldKey): Uint8Array {
  return encodeCanonical(
    new Map<number, Uint8Array | number | undefined>([
      [1, key],
      [2, retiredAtMs],
    ]),
  );
}

function decodeHeld(bytes: Uint8Array): HeldKey {
  const reader = readMap(decodeStrict(bytes), 'The record of an epoch key');
  return {
    key: reader.bytes(1, 'key', { length: KEY_BYTES }),
    retiredAtMs: reader.has(2) ? reader.integer(2, 'retired at') : undefined,
  };
}
