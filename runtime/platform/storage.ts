/** One change of a commit: a value to store, or undefined to delete the key. */
export interface StorageChange {
  readonly table: string;
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/**
 * Durable, ordered tables of bytes. Reads are synchronous and see every commit that was made, durable or not;
 * whoever acknowledges something waits for the commit first.
 */
export interface Storage {
  get(table: string, key: string): Uint8Array | undefined;
  /** Entries whose key starts with `prefix`, in ascending order of the keys' UTF-8 bytes. */
  scan(table: string, prefix?: string): Iterable<readonly [key: string, value: Uint8Array]>;
  /**
   * Applies all changes or none. Resolves when they would survive a power cut; commits made in one turn of the loop
   * may share a sync. Rejects with code `storage-full` or `storage-failed`, and then none of the changes is visible.
   */
  commit(changes: readonly StorageChange[]): Promise<void>;
  /** Waits for pending commits, then releases the storage. Idempotent. */
  close(): Promise<void>;
}
