import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { PipevineError, type Storage, type StorageChange } from '@pipevine/runtime';
import { openSqliteDatabase } from './sqlite-database.ts';
import { sqliteFailure } from './sqlite-failure.ts';

export interface SqliteStorageInit {
  /** Path of the database file; its directory exists. */
  readonly file: string;
  /** Page cache. Default: 1,024, enough for the indexes of a gateway and small beside an idle peer. */
  readonly cacheKiB?: number;
  /** Bound on the file's size in pages of 4 KiB. Default: none. */
  readonly maxPages?: number;
}

/** Rows that one step of a scan holds in memory. */
const SCAN_ROWS = 256;

interface Waiting {
  resolve(): void;
  reject(error: PipevineError): void;
}

/**
 * Opens storage in a SQLite file. Throws `busy` when another process has it open, `storage-failed` when it is damaged or
 * foreign, `storage-full`, `permission-denied`, or `unsupported` where Node has no SQLite.
 */
export function openSqliteStorage(init: SqliteStorageInit): SqliteStorage {
  const { file, cacheKiB = 1024, maxPages } = init;
  return new SqliteStorage(file, openSqliteDatabase(file, { cacheKiB, maxPages }));
}

/**
 * Storage in a SQLite file. Commits of one turn of the event loop share one transaction, which is open, and so visible to
 * reads, until the next phase of the loop syncs it: one fsync for all of them, and none while messages are handled.
 */
export class SqliteStorage implements Storage {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #scanFrom: StatementSync;
  readonly #scanAfter: StatementSync;
  #waiting: Waiting[] = [];
  #inTransaction = false;
  #syncs = 0;
  #state: 'open' | 'closed' = 'open';

  constructor(file: string, database: DatabaseSync) {
    this.#file = file;
    this.#database = database;
    this.#get = database.prepare('SELECT value FROM entry WHERE tab = ? AND key = ?');
    this.#put = database.prepare('INSERT OR REPLACE INTO entry (tab, key, value) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM entry WHERE tab = ? AND key = ?');
    const scan = (comparison: string): StatementSync =>
      database.prepare(
        `SELECT key, value FROM entry WHERE tab = ? AND key ${comparison} ? ORDER BY key LIMIT ${SCAN_ROWS}`,
      );
    this.#scanFrom = scan('>=');
    this.#scanAfter = scan('>');
  }

  /** Transactions that were synced to disk. */
  get syncCount(): number {
    return this.#syncs;
  }

  get(table: string, key: string): Uint8Array | undefined {
    const row = this.#read(() => this.#get.get(table, key));
    return row?.value instanceof Uint8Array ? row.value : undefined;
  }

  *scan(table: string, prefix = ''): Iterable<readonly [key: string, value: Uint8Array]> {
    let statement = this.#scanFrom;
    let from = prefix;
    for (;;) {
      // All rows of a step at once: the caller may commit between two of them.
      const rows = this.#read(() => statement.all(table, from));
      for (const { key, value } of rows) {
        if (typeof key !== 'string' || !(value instanceof Uint8Array) || !key.startsWith(prefix)) return;
        from = key;
        yield [key, value];
      }
      if (rows.length < SCAN_ROWS) return;
      statement = this.#scanAfter;
    }
  }

  commit(changes: readonly StorageChange[]): Promise<void> {
    if (this.#state === 'closed') {
      return Promise.reject(new PipevineError('closed', `${this.#file} is closed: nothing can be committed any more.`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#sync());
      try {
        if (!this.#inTransaction) this.#database.exec('BEGIN IMMEDIATE');
        this.#inTransaction = true;
        for (const { table, key, value } of changes) {
          if (value === undefined) this.#delete.run(table, key);
          else this.#put.run(table, key, value);
        }
      } catch (error) {
        this.#rollBack(error);
      }
    });
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#sync();
    try {
      this.#database.close();
    } catch (error) {
      throw sqliteFailure(this.#file, error);
    }
  }

  #sync(): void {
    if (this.#waiting.length === 0) return;
    try {
      if (this.#inTransaction) {
        this.#database.exec('COMMIT');
        this.#syncs++;
      }
    } catch (error) {
      this.#rollBack(error);
      return;
    }
    this.#inTransaction = false;
    const settled = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of settled) resolve();
  }

  /**
   * A failure takes all commits of the turn with it: those that came later were made by someone who may have read what is
   * now gone.
   */
  #rollBack(cause: unknown): void {
    const settled = this.#waiting;
    this.#waiting = [];
    this.#inTransaction = false;
    let failure = sqliteFailure(this.#file, cause);
    try {
      // After some failures SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch (error) {
      failure = sqliteFailure(this.#file, error);
    }
    for (const { reject } of settled) reject(failure);
  }

  #read<T>(read: () => T): T {
    if (!this.#database.isOpen)
      throw new PipevineError('closed', `${this.#file} is closed: nothing can be read any more.`);
    try {
      return read();
    } catch (error) {
      throw sqliteFailure(this.#file, error);
    }
  }
}
