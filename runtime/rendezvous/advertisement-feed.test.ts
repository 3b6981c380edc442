import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { decodeAdvertisement } from '../advertisement/advertisement-codec.ts';
import { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import { AdvertisementFeed } from './advertisement-feed.ts';
import { FEED_BATCH_BYTES, MAX_FEED_PENDING } from './rendezvous-defaults.ts';

const group = groupIdFromBytes(seededRandom('group').bytes(32));
const identity = identityFromSeed(nodeCrypto, seededRandom('publisher').bytes(32));
const base = { group, kind: 'thing' } as const;

function bench(fail: () => boolean = () => false) {
  const clock = new VirtualClock();
  const common = { clock, random: seededRandom(1), crypto: nodeCrypto };
  const store = new AdvertisementStore({ ...common, storage: new MemoryStorage({ clock }) });
  const batches: Uint8Array[][] = [];
  const completed: number[] = [];
  let underWay = 0;
  const feed = new AdvertisementFeed({
    ...common,
    group,
    store,
    hostOf: () => undefined,
    selects: ({ key }) => !key.startsWith('other'),
    send: async (encoded) => {
      expect(++underWay).toBe(1);
      await new Promise<void>((resolve) => clock.setTimer(10, resolve));
      underWay--;
      if (fail()) throw new PipevineError('timeout', 'No answer.');
      batches.push([...encoded]);
    },
    onComplete: () => completed.push(clock.monotonicMs()),
  });
  store.subscribe(base, (change) => feed.add(change));
  const publish = (key: string, bytes = 10) =>
    clock.run(store.publish(identity, { ...base, key, body: new Uint8Array(bytes) }));
  const sent = () => batches.flat().map((one) => decodeAdvertisement(one).advertisement);
  return { clock, store, feed, batches, completed, publish, sent };
}

describe('a feed of advertisements', () => {
  it('sends a full run in batches that fit, with the proof first and once', async () => {
    const { clock, store, feed, batches, completed, publish, sent } = bench();
    await clock.run(store.publish(identity, { group, kind: 'peer' }));
    for (let i = 0; i < 20; i++) await publish(`thing ${i}`, 10_000);
    await publish('other');
    await clock.runFor(1_000);
    batches.length = 0;
    feed.resync();
    await clock.runFor(1_000);
    expect(sent().map(({ kind }) => kind)).toEqual(['peer', ...Array.from({ length: 20 }, () => 'thing')]);
    for (const batch of batches) {
      expect(batch.reduce((bytes, one) => bytes + one.length, 0)).toBeLessThanOrEqual(FEED_BATCH_BYTES);
    }
    expect(completed).toHaveLength(1);
  });

  it('tries a batch again that failed, gives it up at last, and goes on', async () => {
    let failures = 3;
    const { clock, feed, publish, sent } = bench(() => failures-- > 0);
    await publish('a');
    await clock.runFor(30_000);
    expect(sent().map(({ key }) => key)).toEqual(['a']);
    failures = 8;
    await publish('b');
    await clock.runFor(300_000);
    expect(feed.dropped).toBe(1);
    await publish('c');
    await clock.runFor(1_000);
    expect(sent().map(({ key }) => key)).toEqual(['a', 'c']);
  });

  it('sends only the newest of many versions, and a withdrawal in its place', async () => {
    let blocked = true;
    const { clock, store, publish, sent } = bench(() => blocked);
    await publish('first');
    await clock.runFor(100);
    for (let i = 0; i < 5; i++) await publish('a', i);
    await publish('b');
    await clock.run(store.withdraw(identity, { ...base, key: 'b' }));
    blocked = false;
    await clock.runFor(10_000);
    expect(sent().map(({ key, expirationMs }) => [key, expirationMs > 0])).toEqual([
      ['first', true],
      ['a', true],
      ['b', false],
    ]);
  });

  it('runs anew when more changed than may wait, and keeps the withdrawals', async () => {
    let blocked = true;
    const { clock, store, feed, completed, publish, sent } = bench(() => blocked);
    await publish('first');
    await publish('gone');
    await clock.runFor(100);
    await clock.run(store.withdraw(identity, { ...base, key: 'gone' }));
    const many = Array.from({ length: MAX_FEED_PENDING + 50 }, (_, i) =>
      store.publish(identity, { ...base, key: `thing ${i}` }),
    );
    await clock.run(Promise.all(many));
    expect(feed.pending).toBeLessThanOrEqual(MAX_FEED_PENDING);
    blocked = false;
    await clock.runFor(60_000);
    expect(completed).toHaveLength(1);
    const last = new Map(sent().map(({ key, expirationMs }) => [key, expirationMs]));
    expect(last.size).toBe(MAX_FEED_PENDING + 52);
    expect(last.get('gone')).toBe(0);
  });

  it('sends nothing more once it is closed', async () => {
    const { clock, feed, publish, sent } = bench();
    feed.close();
    await publish('a');
    feed.resync();
    expect(feed.pending).toBe(0);
    await clock.runFor(1_000);
    expect(sent()).toEqual([]);
  });
});
