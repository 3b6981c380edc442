import { PipevineError, type Storage, type StorageChange } from '@pipevine/runtime';

/** A Storage in memory whose commits a test can hold back or refuse. */
export class MemoryStorage implements Storage {
  readonly #tables = new Map<string, Map<string, Uint8Array>>();
  #held: (() => void)[] | undefined;
  #full = false;
  commits = 0;

  /** Commits from now on wait for `release`. */
  hold(): void {
    this.#held ??= [];
  }

  get heldCommits(): number {
    return this.#held?.length ?? 0;
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const resolve of held) resolve();
  }

  setFull(full: boolean): void {
    this.#full = full;
  }

  get(table: string, key: string): Uint8Array | undefined {
    return this.#tables.get(table)?.get(key);
  }

  *scan(table: string, prefix = ''): Iterable<readonly [key: string, value: Uint8Array]> {
    const rows = [...(this.#tables.get(table) ?? [])].filter(([key]) => key.startsWith(prefix));
    yield* rows.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  async commit(changes: readonly StorageChange[]): Promise<void> {
    if (this.#full) throw new PipevineError('storage-full', 'the disk is full');
    this.commits++;
    for (const { table, key, value } of changes) {
      const rows = this.#tables.get(table) ?? new Map<string, Uint8Array>();
      this.#tables.set(table, rows);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value.slice());
    }
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
  }

  async close(): Promise<void> {}
}
