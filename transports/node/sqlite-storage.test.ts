import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStorage, type SqliteStorage } from './sqlite-storage.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();
const put = (key: string, value: string, table = 't') => ({ table, key, value: bytes(value) });

let directory: string;
let file: string;
let open: SqliteStorage[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pipevine-sqlite-'));
  file = join(directory, 'pipevine.db');
  open = [];
});

afterEach(async () => {
  for (const storage of open) await storage.close();
  rmSync(directory, { recursive: true });
});

function storageAt(options: { maxPages?: number } = {}): SqliteStorage {
  const storage = openSqliteStorage({ file, ...options });
  open.push(storage);
  return storage;
}

describe('reads and commits', () => {
  it('shows a commit at once, and after it is opened again', async () => {
    const storage = storageAt();
    const committed = storage.commit([put('a', '1'), put('b', '2'), put('a', 'other', 'u')]);
    expect(text(storage.get('t', 'a'))).toBe('1');
    await committed;
    await storage.commit([{ table: 't', key: 'b', value: undefined }]);
    await storage.close();
    const again = storageAt();
    expect(text(again.get('t', 'a'))).toBe('1');
    expect(again.get('t', 'b')).toBeUndefined();
    expect(text(again.get('u', 'a'))).toBe('other');
    expect(again.get('none', 'a')).toBeUndefined();
  });

  it('keeps an empty value apart from none', async () => {
    const storage = storageAt();
    await storage.commit([{ table: 't', key: 'empty', value: new Uint8Array(0) }]);
    expect(storage.get('t', 'empty')).toEqual(new Uint8Array(0));
  });

  it('scans a prefix in the order of UTF-8, and no further', async () => {
    const storage = storageAt();
    const keys = ['b', 'a/2', 'a/10', 'a', 'a/\u{10000}', 'a/\uffff', 'a/é', 'a0', 'a/'];
    await storage.commit(keys.map((key) => put(key, key)));
    const found = [...storage.scan('t', 'a/')].map(([key]) => key);
    expect(found).toEqual(['a/', 'a/10', 'a/2', 'a/é', 'a/\uffff', 'a/\u{10000}']);
    expect([...storage.scan('t')]).toHaveLength(keys.length);
    expect([...storage.scan('t', 'zz')]).toEqual([]);
  });

  it('scans more rows than one step holds, while the scanned table changes', async () => {
    const storage = storageAt();
    const key = (i: number): string => `k${String(i).padStart(5, '0')}`;
    await storage.commit(Array.from({ length: 1000 }, (_, i) => put(key(i), String(i))));
    const seen: string[] = [];
    for (const [name] of storage.scan('t', 'k')) {
      seen.push(name);
      void storage.commit([{ table: 't', key: name, value: undefined }]);
    }
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => key(i)));
    expect([...storage.scan('t')]).toEqual([]);
  });

  it('keeps values apart from the arrays they came in', async () => {
    const storage = storageAt();
    const value = bytes('mine');
    await storage.commit([{ table: 't', key: 'k', value }]);
    value.fill(0);
    storage.get('t', 'k')?.fill(0);
    expect(text(storage.get('t', 'k'))).toBe('mine');
  });

  it('syncs all commits of one turn once', async () => {
    const storage = storageAt();
    await Promise.all(Array.from({ length: 100 }, (_, i) => storage.commit([put(`k${i}`, 'v')])));
    expect(storage.syncCount).toBe(1);
    await storage.commit([put('later', 'v')]);
    expect(storage.syncCount).toBe(2);
  });

  it('waits for pending commits when it closes, and refuses later ones', async () => {
    const storage = storageAt();
    const pending = storage.commit([put('k', 'v')]);
    await storage.close();
    await pending;
    await storage.close();
    await expect(storage.commit([put('k', 'w')])).rejects.toMatchObject({ code: 'closed' });
    expect(() => storage.get('t', 'k')).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(text(storageAt().get('t', 'k'))).toBe('v');
  });
});

describe('failures', () => {
  it('says storage-full and keeps nothing of the shared transaction', async () => {
    const storage = storageAt({ maxPages: 20 });
    await storage.commit([put('kept', 'v')]);
    const small = storage.commit([put('small', 'v'), put('kept', 'changed')]);
    const large = storage.commit([{ table: 't', key: 'large', value: new Uint8Array(1_000_000) }]);
    await expect(small).rejects.toMatchObject({ code: 'storage-full', message: expect.stringContaining(file) });
    await expect(large).rejects.toMatchObject({
      code: 'storage-full',
      message: expect.stringContaining('Free some space'),
    });
    expect(storage.get('t', 'small')).toBeUndefined();
    expect(storage.get('t', 'large')).toBeUndefined();
    expect(text(storage.get('t', 'kept'))).toBe('v');
    await storage.commit([put('small', 'again')]);
    expect(text(storage.get('t', 'small'))).toBe('again');
  });

  it('says busy, naming the file, while another process has it open', () => {
    storageAt();
    expect(() => openSqliteStorage({ file })).toThrow(
      expect.objectContaining({ code: 'busy', message: expect.stringContaining(file) }),
    );
  });

  it('says which file is damaged and what to do', () => {
    writeFileSync(file, 'this is no database at all, but long enough to be looked at as if it were one'.repeat(100));
    expect(() => openSqliteStorage({ file })).toThrow(
      expect.objectContaining({
        code: 'storage-failed',
        message: expect.stringMatching(/pipevine\.db.*[Mm]ove it away/),
      }),
    );
  });

  it('says so when a page is damaged under it', async () => {
    const storage = storageAt();
    await storage.commit(Array.from({ length: 500 }, (_, i) => put(`k${i}`, 'v'.repeat(100))));
    await storage.close();
    const content = readFileSync(file);
    content.fill(0xff, 4096, content.length);
    writeFileSync(file, content);
    const damaged = storageAt();
    expect(() => [...damaged.scan('t')]).toThrow(
      expect.objectContaining({ code: 'storage-failed', message: expect.stringContaining(file) }),
    );
  });

  it('leaves the database of another program alone', () => {
    const other = new DatabaseSync(file);
    other.exec('CREATE TABLE theirs (x)');
    other.close();
    expect(() => openSqliteStorage({ file })).toThrow(
      expect.objectContaining({ code: 'storage-failed', message: expect.stringContaining('another program') }),
    );
  });

  it('refuses a schema that a newer release wrote', async () => {
    await storageAt().close();
    const newer = new DatabaseSync(file);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    expect(() => openSqliteStorage({ file })).toThrow(
      expect.objectContaining({ code: 'storage-failed', message: expect.stringContaining('version 99') }),
    );
  });

  it('names a directory that is not there', () => {
    expect(() => openSqliteStorage({ file: join(directory, 'none', 'x.db') })).toThrow(
      expect.objectContaining({ code: 'storage-failed', message: expect.stringContaining('directory exists') }),
    );
  });
});

it('lets nobody but the owner read the file', async () => {
  writeFileSync(file, '', { mode: 0o644 });
  const storage = storageAt();
  await storage.commit([put('k', 'v')]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600);
});

it('loses nothing acknowledged when the process is killed', async () => {
  const writer = new URL('./sqlite-kill-writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [writer, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: number[] = [];
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === 200) child.kill('SIGKILL');
  }
  await ended;
  expect(acknowledged.length).toBeGreaterThanOrEqual(200);
  const storage = storageAt();
  for (const i of acknowledged) expect(text(storage.get('acknowledged', String(i)))).toBe(`value ${i}`);
  // Each commit wrote two keys: never one without the other.
  expect([...storage.scan('twin')].length).toBe([...storage.scan('acknowledged')].length);
}, 20_000);
