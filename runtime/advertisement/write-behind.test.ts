import { MemoryStorage, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { WriteBehind } from './write-behind.ts';

const value = (byte: number): Uint8Array => new Uint8Array([byte]);
const change = (key: string, byte: number | undefined) => ({
  table: 't',
  key,
  value: byte === undefined ? undefined : value(byte),
});

function setUp(maxPending = 100) {
  const clock = new VirtualClock();
  const storage = new MemoryStorage({ clock });
  let marks = 0;
  const writes = new WriteBehind({
    storage,
    clock,
    retryMs: 1_000,
    maxPending,
    companion: () => ({ table: 'mark', key: 'mark', value: value(++marks) }),
  });
  return { clock, storage, writes };
}

describe('WriteBehind', () => {
  it('makes one commit of what one turn writes, the last value of a key counting', async () => {
    const { clock, storage, writes } = setUp();
    writes.write([change('a', 1), change('b', 2)]);
    writes.write([change('a', 3)]);
    expect(writes.get('t', 'a')).toEqual(value(3));
    await clock.runFor(10);
    expect(storage.syncCount).toBe(1);
    expect(storage.get('t', 'a')).toEqual(value(3));
    expect(storage.get('t', 'b')).toEqual(value(2));
    expect(storage.get('mark', 'mark')).toEqual(value(1));
  });

  it('tries again after a failure, and answers from memory meanwhile', async () => {
    const { clock, storage, writes } = setUp();
    storage.failNextSync('storage-full');
    writes.write([change('a', 1), change('b', 1)]);
    await clock.runFor(500);
    expect(storage.get('t', 'a')).toBeUndefined();
    expect(writes.get('t', 'a')).toEqual(value(1));
    writes.write([change('a', 2)]);
    await clock.runFor(1_000);
    expect(storage.get('t', 'a')).toEqual(value(2));
    expect(storage.get('t', 'b')).toEqual(value(1));
    expect(writes.pending).toBe(0);
  });

  it('rejects a commit that failed, gives it up, and keeps what was only written', async () => {
    const { clock, storage, writes } = setUp();
    storage.failNextSync('storage-failed');
    writes.write([change('kept', 1)]);
    const failed = writes.commit([change('given up', 1)]);
    await expect(clock.run(failed)).rejects.toMatchObject({ code: 'storage-failed' });
    await clock.runFor(2_000);
    expect(storage.get('t', 'kept')).toEqual(value(1));
    expect(storage.get('t', 'given up')).toBeUndefined();
  });

  it('resolves a commit only when it is durable', async () => {
    const { clock, storage, writes } = setUp();
    await clock.run(writes.commit([change('a', 1)]));
    expect(storage.crash().get('t', 'a')).toEqual(value(1));
  });

  it('drops the oldest and counts when the storage stays broken', async () => {
    const { clock, storage, writes } = setUp(2);
    storage.failNextSync('storage-full');
    writes.write([change('a', 1), change('b', 1), change('c', 1)]);
    await clock.runFor(2_000);
    expect(writes.dropped).toBe(1);
    expect(storage.get('t', 'a')).toBeUndefined();
    expect(storage.get('t', 'c')).toEqual(value(1));
  });

  it('writes what waits before it is closed', async () => {
    const { clock, storage, writes } = setUp();
    writes.write([change('a', 1)]);
    await clock.run(writes.close());
    expect(storage.get('t', 'a')).toEqual(value(1));
  });

  it('closes also when the storage fails for good', async () => {
    const { clock, storage, writes } = setUp();
    storage.failNextSync('storage-failed');
    writes.write([change('a', 1)]);
    await clock.run(writes.close());
    expect(storage.get('t', 'a')).toBeUndefined();
  });
});
