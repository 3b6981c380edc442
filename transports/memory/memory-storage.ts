import { type Clock, PipevineError, type Storage, type StorageChange } from '@pipevine/runtime';
import { compareUtf8 } from './utf8-order.ts';

type Table = Map<string, Uint8Array>;

export interface MemoryStorageInit {
  readonly clock: Clock;
  /** Time from the end of the turn of a commit until it would survive a power cut. Default: 2. */
  readonly syncDelayMs?: number;
  /** Sum of the sizes of all keys and values beyond which commits fail with `storage-full`. Default: no bound. */
  readonly capacityBytes?: number;
}

interface Group {
  /** What the group changes, newest per key: undefined deletes. */
  readonly changes: Map<string, Map<string, Uint8Array | undefined>>;
  readonly waiting: { resolve(): void; reject(error: PipevineError): void }[];
}

/**
 * Storage that a simulated crash can cut: what was committed is visible at once and durable a little later, and the
 * commits made meanwhile share that sync, as they do on a disk.
 */
export class MemoryStorage implements Storage {
  readonly #clock: Clock;
  readonly #syncDelayMs: number;
  readonly #capacityBytes: number;
  readonly #durable: Map<string, Table>;
  #group: Group | undefined;
  #syncs = 0;
  #failNext: 'storage-full' | 'storage-failed' | undefined;
  #state: 'open' | 'closed' | 'crashed' = 'open';

  constructor(init: MemoryStorageInit, durable: Map<string, Table> = new Map()) {
    this.#clock = init.clock;
    this.#syncDelayMs = init.syncDelayMs ?? 2;
    this.#capacityBytes = init.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#durable = durable;
  }

  /** Groups of commits that became durable. */
  get syncCount(): number {
    return this.#syncs;
  }

  get(table: string, key: string): Uint8Array | undefined {
    const changed = this.#group?.changes.get(table);
    const value = changed?.has(key) ? changed.get(key) : this.#durable.get(table)?.get(key);
    return value?.slice();
  }

  *scan(table: string, prefix = ''): Iterable<readonly [key: string, value: Uint8Array]> {
    const keys = new Set([
      ...(this.#durable.get(table)?.keys() ?? []),
      ...(this.#group?.changes.get(table)?.keys() ?? []),
    ]);
    for (const key of [...keys].filter((name) => name.startsWith(prefix)).sort(compareUtf8)) {
      const value = this.get(table, key);
      if (value !== undefined) yield [key, value];
    }
  }

  commit(changes: readonly StorageChange[]): Promise<void> {
    if (this.#state === 'crashed') return new Promise(() => undefined);
    if (this.#state === 'closed') {
      return Promise.reject(new PipevineError('closed', 'The storage is closed: nothing can be committed any more.'));
    }
    const group = this.#openGroup();
    for (const { table, key, value } of changes) {
      let changed = group.changes.get(table);
      if (changed === undefined) {
        changed = new Map();
        group.changes.set(table, changed);
      }
      changed.set(key, value?.slice());
    }
    return new Promise((resolve, reject) => group.waiting.push({ resolve, reject }));
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    const last = this.#group === undefined ? undefined : this.commit([]);
    this.#state = 'closed';
    await last?.catch(() => undefined);
  }

  /** The next sync fails with this code, and all that would have become durable with it is gone. */
  failNextSync(code: 'storage-full' | 'storage-failed'): void {
    this.#failNext = code;
  }

  /**
   * Cuts the power: commits that wait never settle. Returns what the next process finds, which is what was durable; it
   * runs on `clock`, or on the clock of this one.
   */
  crash(clock: Clock = this.#clock): MemoryStorage {
    this.#state = 'crashed';
    this.#group = undefined;
    const durable = new Map([...this.#durable].map(([name, table]) => [name, new Map(table)]));
    const init = { clock, syncDelayMs: this.#syncDelayMs, capacityBytes: this.#capacityBytes };
    return new MemoryStorage(init, durable);
  }

  #openGroup(): Group {
    if (this.#group === undefined) {
      const group: Group = { changes: new Map(), waiting: [] };
      this.#group = group;
      this.#clock.endOfTurn(() => this.#clock.setTimer(this.#syncDelayMs, () => this.#sync(group)));
    }
    return this.#group;
  }

  #sync(group: Group): void {
    if (this.#group !== group) return;
    this.#group = undefined;
    const error = this.#failure(group);
    if (error !== undefined) {
      for (const { reject } of group.waiting) reject(error);
      return;
    }
    for (const [name, changes] of group.changes) {
      const table = this.#durable.get(name) ?? new Map<string, Uint8Array>();
      this.#durable.set(name, table);
      for (const [key, value] of changes) {
        if (value === undefined) table.delete(key);
        else table.set(key, value);
      }
    }
    this.#syncs++;
    for (const { resolve } of group.waiting) resolve();
  }

  #failure(group: Group): PipevineError | undefined {
    const code = this.#failNext ?? (this.#sizeWith(group) > this.#capacityBytes ? 'storage-full' : undefined);
    this.#failNext = undefined;
    if (code === undefined) return undefined;
    return code === 'storage-full'
      ? new PipevineError(
          code,
          'The storage is full: nothing of this commit was kept. Free some space, then try again.',
        )
      : new PipevineError(code, 'The storage failed to write: nothing of this commit was kept.');
  }

  #sizeWith(group: Group): number {
    if (this.#capacityBytes === Number.POSITIVE_INFINITY) return 0;
    let bytes = 0;
    for (const [name, table] of this.#durable) {
      const changed = group.changes.get(name);
      for (const [key, value] of table) if (!changed?.has(key)) bytes += key.length + value.length;
    }
    for (const changed of group.changes.values()) {
      for (const [key, value] of changed) if (value !== undefined) bytes += key.length + value.length;
    }
    return bytes;
  }
}
