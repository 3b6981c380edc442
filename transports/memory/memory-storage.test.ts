import { describe, expect, it } from 'vitest';
import { MemoryStorage } from './memory-storage.ts';
import { compareUtf8 } from './utf8-order.ts';
import { VirtualClock } from './virtual-clock.ts';

const put = (key: string, value = 1) => ({ table: 't', key, value: Uint8Array.of(value) });

describe('memory storage', () => {
  it('shows a commit at once and acknowledges it when it would survive', async () => {
    const clock = new VirtualClock();
    const storage = new MemoryStorage({ clock, syncDelayMs: 5 });
    let acknowledgedAt: number | undefined;
    void storage.commit([put('a')]).then(() => {
      acknowledgedAt = clock.monotonicMs();
    });
    expect(storage.get('t', 'a')).toEqual(Uint8Array.of(1));
    await clock.runFor(4.9);
    expect(acknowledgedAt).toBeUndefined();
    expect(storage.crash().get('t', 'a')).toBeUndefined();
  });

  it('finds after a crash what was acknowledged, and nothing else', async () => {
    const clock = new VirtualClock();
    const storage = new MemoryStorage({ clock });
    await clock.run(storage.commit([put('durable'), put('deleted')]));
    await clock.run(storage.commit([{ table: 't', key: 'deleted', value: undefined }]));
    let settled = false;
    storage.commit([put('late')]).then(
      () => {
        settled = true;
      },
      () => {
        settled = true;
      },
    );
    const after = storage.crash();
    await clock.runFor(1000);
    expect(settled).toBe(false);
    expect([...after.scan('t')].map(([key]) => key)).toEqual(['durable']);
    await clock.run(after.commit([put('new')]));
    expect([...after.scan('t')].map(([key]) => key)).toEqual(['durable', 'new']);
    expect(storage.crash().get('t', 'new')).toBeUndefined();
  });

  it('syncs the commits of one turn once', async () => {
    const clock = new VirtualClock();
    const storage = new MemoryStorage({ clock });
    await clock.run(Promise.all([storage.commit([put('a')]), storage.commit([put('b')])]));
    expect(storage.syncCount).toBe(1);
  });

  it('keeps nothing of a sync that fails', async () => {
    const clock = new VirtualClock();
    const storage = new MemoryStorage({ clock });
    await clock.run(storage.commit([put('a', 1)]));
    storage.failNextSync('storage-failed');
    const first = storage.commit([put('a', 2)]);
    const second = storage.commit([put('b', 2)]);
    await expect(clock.run(Promise.allSettled([first, second]))).resolves.toMatchObject([
      { status: 'rejected', reason: { code: 'storage-failed' } },
      { status: 'rejected', reason: { code: 'storage-failed' } },
    ]);
    expect(storage.get('t', 'a')).toEqual(Uint8Array.of(1));
    expect(storage.get('t', 'b')).toBeUndefined();
    await clock.run(storage.commit([put('b', 3)]));
    expect(storage.get('t', 'b')).toEqual(Uint8Array.of(3));
  });

  it('is full at its capacity, and takes more once something is deleted', async () => {
    const clock = new VirtualClock();
    const storage = new MemoryStorage({ clock, capacityBytes: 10 });
    await clock.run(storage.commit([{ table: 't', key: 'a', value: new Uint8Array(8) }]));
    await expect(clock.run(storage.commit([put('b')]))).rejects.toMatchObject({ code: 'storage-full' });
    await clock.run(storage.commit([{ table: 't', key: 'a', value: undefined }, put('b')]));
    expect([...storage.scan('t')].map(([key]) => key)).toEqual(['b']);
  });

  it('waits for pending commits when it closes, and refuses later ones', async () => {
    const clock = new VirtualClock();
    const storage = new MemoryStorage({ clock });
    const pending = storage.commit([put('a')]);
    await clock.run(storage.close());
    await pending;
    await expect(storage.commit([put('b')])).rejects.toMatchObject({ code: 'closed' });
    expect(storage.crash().get('t', 'a')).toEqual(Uint8Array.of(1));
  });

  it('scans a prefix in the order of UTF-8', async () => {
    const clock = new VirtualClock();
    const storage = new MemoryStorage({ clock });
    await clock.run(storage.commit(['b', 'a/\u{10000}', 'a/\uffff', 'a/é', 'a/z'].map((key) => put(key))));
    void storage.commit([put('a/')]);
    expect([...storage.scan('t', 'a/')].map(([key]) => key)).toEqual(['a/', 'a/z', 'a/é', 'a/\uffff', 'a/\u{10000}']);
  });
});

it('orders texts as their UTF-8 bytes are ordered', () => {
  const texts = [
    '',
    'a',
    'ab',
    'b',
    'é',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{10fffd}',
    'a\u{10000}',
    'a\uffff',
  ];
  for (const a of texts) {
    for (const b of texts) {
      expect(Math.sign(compareUtf8(a, b)), `${a} ${b}`).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }
  }
});
