import { ADVERTISEMENT_KINDS, type AdvertisementKind } from '../advertisement/advertisement.ts';
import { MAX_QUERY_LIMIT } from '../advertisement/advertisement-defaults.ts';
import type { AdvertisementName } from '../advertisement/advertisement-record.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { StoreChange } from '../advertisement/advertisement-watchers.ts';
import { jitteredBackoffMs } from '../endpoint/backoff.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import {
  FEED_ATTEMPTS,
  FEED_BATCH_BYTES,
  FEED_ENTRIES_PER_TURN,
  FEED_RETRY_FIRST_MS,
  FEED_RETRY_MAX_MS,
  MAX_FEED_BATCH,
  MAX_FEED_PENDING,
} from './rendezvous-defaults.ts';

export interface AdvertisementFeedInit {
  readonly group: GroupId;
  readonly store: Pick<AdvertisementStore, 'search' | 'held'>;
  readonly clock: Clock;
  readonly random: Random;
  /** Who speaks for a peer, when it is hosted. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /** What a full run sends. */
  readonly selects: (name: AdvertisementName) => boolean;
  /** Resolves when the receiver has taken them; what fails is tried again. */
  readonly send: (encoded: readonly Uint8Array[]) => Promise<unknown>;
  /** A full run is through. */
  readonly onComplete?: () => void;
}

interface Item extends AdvertisementName {
  encoded(): Uint8Array | undefined;
}

/** Peers and delegations prove the rest. */
const ORDER: readonly AdvertisementKind[] = [
  ...new Set<AdvertisementKind>(['peer', 'delegation', ...ADVERTISEMENT_KINDS]),
];

/**
 * Keeps one receiver's index up to date: first with all that is selected, then with each change; one message under way
 * at a time. What proves that a publisher may publish (its delegation, the peer advertisement of it or its host) goes
 * before. Encodings are read from the storage when their turn comes; what waits is names.
 */
export class AdvertisementFeed {
  readonly #init: AdvertisementFeedInit;
  readonly #pending = new Map<string, Item>();
  #isFullDue = false;
  #running = false;
  #closed = false;
  #dropped = 0;
  #pause: { readonly timer: Timer; readonly resolve: () => void } | undefined;

  constructor(init: AdvertisementFeedInit) {
    this.#init = init;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Messages given up, and withdrawals that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Sends all that is selected, once more if it is doing so. */
  resync(): void {
    this.#isFullDue = true;
    void this.#run();
  }

  /** Sends a change of the store; what was not withdrawn and is gone, is left to expire at the receiver, too. */
  add({ change, advertisement, withdrawal }: StoreChange): void {
    if (this.#closed || (change === 'removed' && withdrawal === undefined)) return;
    const { group, kind, publisher, key } = advertisement;
    const item = this.#item({ group, kind, publisher, key });
    const slot = `${kind} ${publisher} ${key}`;
    if (this.#pending.size >= MAX_FEED_PENDING && !this.#pending.has(slot)) this.#overflow();
    if (this.#pending.size >= MAX_FEED_PENDING) this.#dropped++;
    else this.#pending.set(slot, withdrawal ? { ...item, encoded: () => withdrawal.encoded } : item);
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#pending.clear();
    this.#pause?.timer.cancel();
    this.#pause?.resolve();
  }

  /** A full run says again all that waits here, withdrawals excepted. */
  #overflow(): void {
    this.#isFullDue = true;
    const { store } = this.#init;
    for (const [slot, item] of this.#pending) if (store.held(item) !== undefined) this.#pending.delete(slot);
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    // What changes in one turn of the loop goes together.
    await this.#turn();
    while (!this.#closed && (this.#isFullDue || this.#pending.size > 0)) {
      if (this.#pending.size > 0) {
        const changes = [...this.#pending.values()];
        this.#pending.clear();
        await this.#send(changes);
      } else {
        this.#isFullDue = false;
        const proofs = new Set<string>();
        for (const kind of ORDER) await this.#send(this.#selected(kind), proofs);
        if (!this.#closed) this.#init.onComplete?.();
      }
    }
    this.#running = false;
  }

  *#selected(kind: AdvertisementKind): Iterable<Item | undefined> {
    const { group, store, selects } = this.#init;
    for (const { publisher, key } of store.search({ group, kind, limit: MAX_QUERY_LIMIT })) {
      const name = { group, kind, publisher, key };
      yield selects(name) ? this.#item(name) : undefined;
    }
  }

  #item(name: AdvertisementName): Item {
    return { ...name, encoded: () => this.#init.store.held(name)?.encoded() };
  }

  async #send(items: Iterable<Item | undefined>, sent = new Set<string>()): Promise<void> {
    let batch: Uint8Array[] = [];
    let bytes = 0;
    let visited = 0;
    for (const item of items) {
      if (++visited % FEED_ENTRIES_PER_TURN === 0) await this.#turn();
      for (const one of item === undefined ? [] : this.#withProofs(item, sent)) {
        if (batch.length === MAX_FEED_BATCH || (bytes > 0 && bytes + one.length > FEED_BATCH_BYTES)) {
          await this.#deliver(batch);
          batch = [];
          bytes = 0;
        }
        batch.push(one);
        bytes += one.length;
      }
      if (this.#closed) return;
    }
    if (bytes > 0) await this.#deliver(batch);
  }

  *#withProofs(item: Item, sent: Set<string>): Iterable<Uint8Array> {
    const { group, hostOf } = this.#init;
    const host = hostOf(item.publisher);
    const proofs: Item[] = [this.#item({ group, kind: 'peer', publisher: host ?? item.publisher, key: '' })];
    if (host !== undefined) proofs.push(this.#item({ group, kind: 'delegation', publisher: item.publisher, key: '' }));
    for (const one of [...proofs, item]) {
      const slot = `${one.kind} ${one.publisher} ${one.key}`;
      if (sent.has(slot)) continue;
      const encoded = one.encoded();
      if (encoded === undefined) continue;
      // The rest is come upon once in a run.
      if (one.kind === 'peer' || one.kind === 'delegation') sent.add(slot);
      yield encoded;
    }
  }

  async #deliver(batch: readonly Uint8Array[]): Promise<void> {
    for (let failures = 1; !this.#closed; failures++) {
      try {
        await this.#init.send(batch);
        return;
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
        if (failures === FEED_ATTEMPTS) {
          this.#dropped++;
          return;
        }
        await this.#rest(
          jitteredBackoffMs(failures, FEED_RETRY_FIRST_MS, FEED_RETRY_MAX_MS, this.#init.random.fraction()),
        );
      }
    }
  }

  #rest(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve();
      this.#pause = { timer: this.#init.clock.setTimer(delayMs, resolve), resolve };
    });
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#init.clock.endOfTurn(resolve));
  }
}
