import { chmodSync, closeSync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { PipevineError } from '@pipevine/runtime';
import { sqliteFailure } from './sqlite-failure.ts';

/** `PVDB`: marks the file as ours among all SQLite databases. */
const APPLICATION_ID = 0x50564442;

/** Raised with each change of the tables. */
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE entry (tab TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (tab, key)) WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

export interface SqliteDatabaseOptions {
  readonly cacheKiB: number;
  /** Pages of 4 KiB beyond which the file does not grow. Undefined: as far as the disk goes. */
  readonly maxPages: number | undefined;
}

/**
 * Opens or makes the database. The file is readable by its owner alone, and belongs to this process until it is closed:
 * `locking_mode=EXCLUSIVE` also does without the shared-memory file. WAL with `synchronous=FULL` loses no acknowledged
 * commit in a power cut; NORMAL does.
 */
export function openSqliteDatabase(file: string, options: SqliteDatabaseOptions): DatabaseSync {
  // Node's own loader, so that a bundle needs neither the loader of ES modules nor sqlite where nothing is stored.
  const sqlite = process.getBuiltinModule('node:sqlite');
  if (sqlite === undefined) {
    throw new PipevineError(
      'unsupported',
      `This Node (${process.version}) has no node:sqlite. Use Node 22.13 or newer, or another storage.`,
    );
  }
  let database: DatabaseSync | undefined;
  try {
    // SQLite gives its other files the mode of this one.
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
    database = new sqlite.DatabaseSync(file);
    database.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${options.cacheKiB};
      PRAGMA foreign_keys = OFF;
    `);
    prepareSchema(file, database);
    if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${options.maxPages}`);
    return database;
  } catch (error) {
    if (database?.isOpen) database.close();
    throw error instanceof Error && 'syscall' in error ? fileFailure(file, error) : sqliteFailure(file, error);
  }
}

function prepareSchema(file: string, database: DatabaseSync): void {
  const applicationId = pragma(database, 'application_id');
  const version = pragma(database, 'user_version');
  if (applicationId === APPLICATION_ID && version === SCHEMA_VERSION) return;
  const objects = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count;
  if (applicationId === 0 && version === 0 && objects === 0) {
    database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
  } else if (applicationId === APPLICATION_ID) {
    throw new PipevineError(
      'storage-failed',
      `${file} has schema version ${version}; this release reads version ${SCHEMA_VERSION}. Use the release that wrote it, or a newer one.`,
    );
  } else {
    throw new PipevineError('storage-failed', `${file} is the database of another program. Choose another file.`);
  }
}

function pragma(database: DatabaseSync, name: string): unknown {
  return database.prepare(`PRAGMA ${name}`).get()?.[name];
}

function fileFailure(file: string, cause: Error): PipevineError {
  const code = 'code' in cause ? cause.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PipevineError('storage-full', `There is no space left for ${file}. Free some space on its disk.`, {
      cause,
    });
  }
  return new PipevineError(
    code === 'EACCES' || code === 'EPERM' ? 'permission-denied' : 'storage-failed',
    `${file} cannot be opened (${cause.message}). Check that its directory exists and who may write there.`,
    { cause },
  );
}
