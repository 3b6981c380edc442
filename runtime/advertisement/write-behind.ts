import type { Clock, Timer } from '../platform/clock.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects the changes of one turn of the loop into one commit, one commit at a time. `write` does not wait: what fails
 * is tried again after a pause, and until it succeeds `get` answers from memory. `commit` waits, and does not try
 * again. Of several changes of one key the last one counts.
 */
export class WriteBehind {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #retryMs: number;
  readonly #maxPending: number;
  /** Added to each commit. */
  readonly #companion: () => StorageChange;
  #pending = new Map<string, { readonly change: StorageChange; readonly again: boolean }>();
  #waiters: Waiter[] = [];
  #inFlight: ReadonlyMap<string, { readonly change: StorageChange; readonly again: boolean }> | undefined;
  #idle: (() => void)[] = [];
  #scheduled = false;
  #retry: Timer | undefined;
  #closed = false;
  #dropped = 0;

  constructor(init: {
    readonly storage: Storage;
    readonly clock: Clock;
    /** Pause after a failure, ms. */
    readonly retryMs: number;
    /** Changes that may wait for the storage to work again; beyond it the oldest are dropped and counted. */
    readonly maxPending: number;
    readonly companion: () => StorageChange;
  }) {
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#retryMs = init.retryMs;
    this.#maxPending = init.maxPending;
    this.#companion = init.companion;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Changes given up because too many waited. */
  get dropped(): number {
    return this.#dropped;
  }

  get(table: string, key: string): Uint8Array | undefined {
    const name = `${table}/${key}`;
    const waiting = this.#pending.get(name) ?? this.#inFlight?.get(name);
    return waiting === undefined ? this.#storage.get(table, key) : waiting.change.value;
  }

  write(changes: readonly StorageChange[]): void {
    this.#put(changes, true);
  }

  /** Resolves when the changes are durable; rejects as `Storage.commit` does, and then they are given up. */
  commit(changes: readonly StorageChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#put(changes, false);
      this.#schedule();
    });
  }

  /** Tries once more to write all that waits, then stops. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#schedule();
    if (this.#scheduled || this.#inFlight !== undefined) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #put(changes: readonly StorageChange[], again: boolean): void {
    for (const change of changes) {
      const name = `${change.table}/${change.key}`;
      this.#pending.delete(name);
      this.#pending.set(name, { change, again });
    }
    if (this.#retry === undefined) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight !== undefined || this.#pending.size === 0) return;
    this.#scheduled = true;
    this.#clock.endOfTurn(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const batch = this.#pending;
    const waiters = this.#waiters;
    this.#pending = new Map();
    this.#waiters = [];
    this.#inFlight = batch;
    const changes = [...batch.values()].map(({ change }) => change);
    let failed = false;
    try {
      await this.#storage.commit([...changes, this.#companion()]);
      for (const waiter of waiters) waiter.resolve();
    } catch (error) {
      failed = true;
      for (const waiter of waiters) waiter.reject(error);
      this.#putBack(batch);
    }
    this.#inFlight = undefined;
    if (failed && !this.#closed && this.#waiters.length === 0) {
      this.#retry ??= this.#clock.setTimer(this.#retryMs, () => {
        this.#retry = undefined;
        this.#schedule();
      });
    } else if (!failed || this.#waiters.length > 0) this.#schedule();
    if (this.#scheduled) return;
    for (const done of this.#idle.splice(0)) done();
  }

  #putBack(batch: ReadonlyMap<string, { readonly change: StorageChange; readonly again: boolean }>): void {
    const newer = this.#pending;
    this.#pending = new Map();
    for (const [name, entry] of batch) if (entry.again && !newer.has(name)) this.#pending.set(name, entry);
    for (const [name, entry] of newer) this.#pending.set(name, entry);
    for (const name of this.#pending.keys()) {
      if (this.#pending.size <= this.#maxPending) break;
      this.#pending.delete(name);
      this.#dropped++;
    }
  }
}
