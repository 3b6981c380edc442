import { base32Encode } from '../id/base32.ts';
import { type PeerId, parsePeerId } from '../id/peer-id.ts';
import type { StorageChange } from '../platform/storage.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readInteger } from '../wire/shape.ts';
import { MAX_TAKEN, MAX_TAKEN_OF_SENDER } from './mailbox-defaults.ts';

export interface TakenBounds {
  readonly perSender: number;
  readonly total: number;
}

/**
 * The ids of messages that were taken, so that none is taken twice. Bounded: of one sender the oldest go, and when all are too
 * many, those of the sender that has most; so a sender that floods shortens no memory but its own. Rows are
 * `SENDER/ID` to a number that grows.
 */
export class TakenIds {
  readonly #table: string;
  readonly #bounds: TakenBounds;
  readonly #senders = new Map<PeerId, Set<string>>();
  #size = 0;
  #nextOrder = 0;
  #evicted = 0;

  constructor(
    table: string,
    rows: Iterable<readonly [key: string, value: Uint8Array]>,
    bounds: TakenBounds = { perSender: MAX_TAKEN_OF_SENDER, total: MAX_TAKEN },
  ) {
    this.#table = table;
    this.#bounds = bounds;
    const entries = [...rows].map(([key, value]) => ({ key, order: readInteger(decodeStrict(value), 'A taken id') }));
    for (const { key, order } of entries.sort((a, b) => a.order - b.order)) {
      const [sender = '', id = ''] = key.split('/');
      this.#nextOrder = order + 1;
      this.#put(parsePeerId(sender), id);
    }
  }

  get size(): number {
    return this.#size;
  }

  get limit(): number {
    return this.#bounds.total;
  }

  get evicted(): number {
    return this.#evicted;
  }

  has(sender: PeerId, id: Uint8Array): boolean {
    return this.#senders.get(sender)?.has(base32Encode(id)) ?? false;
  }

  /** Remembers one; what comes back must be made durable with whatever taking it means. */
  add(sender: PeerId, id: Uint8Array): StorageChange[] {
    const name = base32Encode(id);
    this.#put(sender, name);
    const changes = [this.#change(sender, name, encodeCanonical(this.#nextOrder++))];
    const own = this.#senders.get(sender);
    if (own !== undefined && own.size > this.#bounds.perSender) changes.push(...this.#evict(sender));
    while (this.#size > this.#bounds.total) changes.push(...this.#evict(this.#largest(sender)));
    return changes;
  }

  /** Takes an `add` back that did not become durable. */
  forget(sender: PeerId, id: Uint8Array): void {
    this.#delete(sender, base32Encode(id));
  }

  #put(sender: PeerId, name: string): void {
    let names = this.#senders.get(sender);
    if (names === undefined) {
      names = new Set();
      this.#senders.set(sender, names);
    }
    if (!names.has(name)) this.#size++;
    names.add(name);
  }

  #delete(sender: PeerId, name: string): void {
    const names = this.#senders.get(sender);
    if (names?.delete(name) !== true) return;
    this.#size--;
    if (names.size === 0) this.#senders.delete(sender);
  }

  #evict(sender: PeerId): StorageChange[] {
    for (const oldest of this.#senders.get(sender) ?? []) {
      this.#delete(sender, oldest);
      this.#evicted++;
      return [this.#change(sender, oldest, undefined)];
    }
    return [];
  }

  #largest(otherwise: PeerId): PeerId {
    let largest = otherwise;
    let most = 0;
    for (const [sender, { size }] of this.#senders) {
      if (size <= most) continue;
      largest = sender;
      most = size;
    }
    return largest;
  }

  #change(sender: PeerId, name: string, value: Uint8Array | undefined): StorageChange {
    return { table: this.#table, key: `${sender}/${name}`, value };
  }
}
