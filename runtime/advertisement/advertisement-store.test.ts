import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupIdFromBytes, WORLD_GROUP } from '../id/group-id.ts';
import { type Identity, identityFromSeed } from '../id/identity.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Storage } from '../platform/storage.ts';
import type { Advertisement, AdvertisementInit } from './advertisement.ts';
import { signAdvertisement, verifyAdvertisement } from './advertisement-codec.ts';
import { AdvertisementStore, type AdvertisementStoreInit } from './advertisement-store.ts';
import type { StoreChange } from './advertisement-watchers.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const group = groupIdFromBytes(new Uint8Array(32).fill(5));
const own = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(1));
const stranger = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(2));
const lamp: AdvertisementInit = { kind: 'thing', group, key: 'lamp', name: 'Lamp', attributes: { room: 'hall' } };

function signed(sequence: number, change: Partial<Advertisement> = {}, identity: Identity = stranger): Advertisement {
  return signAdvertisement(identity, {
    kind: 'thing',
    group,
    key: 'lamp',
    name: 'Lamp',
    attributes: new Map([['room', 'hall']]),
    body: new Uint8Array([1]),
    issuedAtMs: 0,
    expirationMs: 2 * HOUR,
    sequence,
    ...change,
  });
}

function setUp(init: Partial<AdvertisementStoreInit> = {}, clock = new VirtualClock()) {
  const storage = init.storage ?? new MemoryStorage({ clock });
  const store = new AdvertisementStore({ clock, storage, crypto: nodeCrypto, random: seededRandom(1), ...init });
  return { clock, storage, store };
}

/** The power is cut, and the process starts again with its wall clock `stepMs` off the true time. */
function reboot(storage: Storage, clock: VirtualClock, stepMs: number, init: Partial<AdvertisementStoreInit> = {}) {
  const later = new VirtualClock({ wallMs: clock.wallMs() + stepMs });
  // setUp makes a MemoryStorage unless it is given another.
  return setUp({ ...init, storage: (storage as MemoryStorage).crash(later) }, later);
}

describe('AdvertisementStore: publishing', () => {
  it('signs, and is durable before it resolves or anybody hears of it', async () => {
    const { clock, storage, store } = setUp();
    const seen: StoreChange[] = [];
    store.subscribe({ kind: 'thing', group }, (change) => {
      seen.push(change);
      const other = setUp({ storage: (storage as MemoryStorage).crash(clock) }, clock).store;
      expect(other.find({ kind: 'thing', group })).toHaveLength(1);
    });
    const publishing = store.publish(own, lamp);
    expect(store.find({ kind: 'thing', group })).toEqual([]);
    const published = await clock.run(publishing);
    expect(verifyAdvertisement(nodeCrypto, published.encoded)).toEqual(published);
    expect(published).toMatchObject({ publisher: own.id, name: 'Lamp', expirationMs: 2 * HOUR });
    expect(seen).toEqual([{ change: 'added', advertisement: published, own: true }]);
  });

  it('grows the sequence over a restart, also with the clock set back', async () => {
    const first = setUp();
    const before = await first.clock.run(first.store.publish(own, lamp));
    expect(before.sequence).toBe(before.issuedAtMs);
    const second = reboot(first.storage, first.clock, -HOUR);
    const after = await second.clock.run(second.store.publish(own, lamp));
    expect(after.sequence).toBe(before.sequence + 1);
    const third = reboot(second.storage, second.clock, -HOUR);
    const withdrawal = await third.clock.run(third.store.withdraw(own, lamp));
    const fourth = reboot(third.storage, third.clock, -HOUR);
    const again = await fourth.clock.run(fourth.store.publish(own, lamp));
    expect(again.sequence).toBe((withdrawal?.sequence ?? 0) + 1);
  });

  it('gives publications of one turn ascending sequences and keeps the last', async () => {
    const { clock, store } = setUp();
    const all = [1, 2, 3].map((i) => store.publish(own, { ...lamp, name: `Lamp ${i}` }));
    const sequences = (await clock.run(Promise.all(all))).map(({ sequence }) => sequence);
    expect(sequences[1]).toBe((sequences[0] ?? 0) + 1);
    expect(sequences[2]).toBe((sequences[0] ?? 0) + 2);
    expect(store.find({ kind: 'thing', group }).map(({ name }) => name)).toEqual(['Lamp 3']);
  });

  it('says that the storage is full, and publishes nothing then', async () => {
    const { clock, storage, store } = setUp();
    (storage as MemoryStorage).failNextSync('storage-full');
    await expect(clock.run(store.publish(own, lamp))).rejects.toMatchObject({ code: 'storage-full' });
    expect(store.find({ kind: 'thing', group })).toEqual([]);
    await clock.run(store.publish(own, lamp));
    expect(store.find({ kind: 'thing', group })).toHaveLength(1);
  });

  it('keeps own ones for 365 days', async () => {
    const { clock, store } = setUp();
    await clock.run(store.publish(own, lamp));
    await clock.runFor(364 * DAY);
    expect(store.find({ kind: 'thing', group })).toHaveLength(1);
    await clock.runFor(DAY);
    expect(store.find({ kind: 'thing', group })).toEqual([]);
  });

  it('withdraws with a newer version, and does nothing when there is nothing', async () => {
    const { clock, store } = setUp();
    expect(await clock.run(store.withdraw(own, lamp))).toBeUndefined();
    const published = await clock.run(store.publish(own, lamp));
    const seen: StoreChange[] = [];
    store.subscribe({ kind: 'thing', group, name: 'L*' }, (change) => seen.push(change));
    const withdrawal = await clock.run(store.withdraw(own, lamp));
    expect(withdrawal).toMatchObject({ expirationMs: 0, key: 'lamp' });
    expect(withdrawal?.sequence).toBeGreaterThan(published.sequence);
    expect(store.find({ kind: 'thing', group })).toEqual([]);
    expect(seen).toEqual([{ change: 'removed', advertisement: published, withdrawal, own: true }]);
  });

  it('withdraws what is just being published', async () => {
    const { clock, store } = setUp();
    const publishing = store.publish(own, lamp);
    const withdrawing = store.withdraw(own, lamp);
    await clock.run(Promise.all([publishing, withdrawing]));
    expect(await withdrawing).toMatchObject({ expirationMs: 0 });
    expect(store.find({ kind: 'thing', group })).toEqual([]);
  });

  it.each([
    ['a lifetime of nothing', { lifetimeMs: 0 }, 'invalid-argument'],
    ['a fractional expiration', { expirationMs: 1_000.5 }, 'invalid-argument'],
    ['too long a name', { name: 'n'.repeat(129) }, 'invalid-argument'],
    ['a foreign group advertisement', { kind: 'group' }, 'forged'],
  ] as const)('refuses %s', async (_, change, code) => {
    const { clock, store } = setUp();
    await expect(clock.run(store.publish(own, { ...lamp, ...change }))).rejects.toMatchObject({ code });
  });

  it('refuses beyond its bound, and counts it', async () => {
    const { clock, store } = setUp({ bounds: { maxOwn: 1 } });
    await clock.run(store.publish(own, lamp));
    await clock.run(store.publish(own, lamp));
    await expect(clock.run(store.publish(own, { ...lamp, key: 'b' }))).rejects.toMatchObject({ code: 'overloaded' });
    expect(store.status()['advertisements own']).toEqual({ used: 1, limit: 1, dropped: 1 });
  });

  it('signs own ones anew at half of their expiration, so that nobody who is in touch loses them', async () => {
    const { clock, store } = setUp({ identityOf: (peer) => (peer === own.id ? own : undefined) });
    const other = setUp({}, clock).store;
    const first = await clock.run(store.publish(own, lamp));
    other.receive(first.encoded);
    const changes: StoreChange[] = [];
    store.subscribe({ kind: 'thing', group }, (change) => {
      changes.push(change);
      other.receive(change.advertisement.encoded);
    });
    await clock.runFor(5 * HOUR);
    expect(changes.map(({ change }) => change)).toEqual(['updated', 'updated', 'updated', 'updated', 'updated']);
    expect(other.find({ kind: 'thing', group })).toHaveLength(1);
    expect(changes.at(-1)?.advertisement).toMatchObject({ name: 'Lamp', attributes: new Map([['room', 'hall']]) });
  });

  it('signs own ones anew soon after a start, for those who have let them expire', async () => {
    const first = setUp();
    const before = await first.clock.run(first.store.publish(own, lamp));
    const second = reboot(first.storage, first.clock, 3 * HOUR, { identityOf: () => own });
    await second.clock.runFor(60_100);
    const [after] = second.store.find({ kind: 'thing', group });
    expect(after?.sequence).toBeGreaterThan(before.sequence);
  });

  it('does not prolong the life of its own by signing anew', async () => {
    const { clock, store } = setUp({ identityOf: () => own });
    await clock.run(store.publish(own, { ...lamp, lifetimeMs: 3 * HOUR }));
    await clock.runFor(3 * HOUR - 1_000);
    const [last] = store.find({ kind: 'thing', group });
    expect(last?.expirationMs).toBeLessThan(2 * HOUR);
    await clock.runFor(1_000);
    expect(store.find({ kind: 'thing', group })).toEqual([]);
  });
});

describe('AdvertisementStore: receiving', () => {
  it('takes a valid one, a newer version, and knows both again', () => {
    const { store } = setUp();
    const first = signed(5);
    expect(store.receive(first.encoded)).toEqual({ outcome: 'added', advertisement: first });
    expect(store.receive(first.encoded)).toEqual({ outcome: 'known', advertisement: first });
    const second = signed(6, { name: 'Big lamp' });
    expect(store.receive(second.encoded)).toEqual({ outcome: 'updated', advertisement: second });
    expect(store.receive(first.encoded)).toEqual({ outcome: 'replayed' });
    expect(store.find({ kind: 'thing', group })).toEqual([second]);
  });

  it('refuses another version with the same sequence', () => {
    const { store } = setUp();
    store.receive(signed(5).encoded);
    expect(store.receive(signed(5, { name: 'Other' }).encoded)).toEqual({ outcome: 'replayed' });
    expect(store.find({ kind: 'thing', group })[0]?.name).toBe('Lamp');
  });

  it('tells apart by group, kind, publisher and key', () => {
    const { store } = setUp();
    const variants = [
      signed(1),
      signed(1, { key: 'other' }),
      signed(1, { kind: 'pipe' }),
      signed(1, { group: WORLD_GROUP }),
      signed(1, {}, own),
    ];
    for (const each of variants) expect(store.receive(each.encoded).outcome).toBe('added');
    for (const each of variants) {
      const { kind, publisher, key } = each;
      expect(store.get({ kind, group: each.group, publisher, key })).toEqual(each);
    }
  });

  it('throws for what is forged or of another group than expected, and stores nothing of it', () => {
    const { store } = setUp();
    const forged = signed(1).encoded.slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    expect(() => store.receive(forged)).toThrow(expect.objectContaining({ code: 'forged' }));
    expect(() => store.receive(new Uint8Array([1]))).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(() => store.receive(signed(1).encoded, { group: WORLD_GROUP })).toThrow(
      expect.objectContaining({ code: 'refused' }),
    );
    expect(store.find({ kind: 'thing', group })).toEqual([]);
    expect(store.receive(signed(1).encoded, { group }).outcome).toBe('added');
  });

  it('refuses a replay after a reboot, and with the clock set back an hour', async () => {
    const first = setUp();
    const old = signed(1);
    first.store.receive(old.encoded);
    first.store.receive(signed(2).encoded);
    await first.clock.runFor(1_000);
    const second = reboot(first.storage, first.clock, -HOUR);
    expect(second.store.receive(old.encoded)).toEqual({ outcome: 'replayed' });
    await second.clock.runFor(2 * HOUR + 1_000);
    expect(second.store.find({ kind: 'thing', group })).toEqual([]);
    expect(second.store.receive(signed(2).encoded)).toEqual({ outcome: 'replayed' });
    const third = reboot(second.storage, second.clock, -HOUR);
    expect(third.store.receive(signed(2).encoded)).toEqual({ outcome: 'replayed' });
    expect(third.store.receive(signed(3).encoded).outcome).toBe('added');
  });

  it('lets foreign ones expire 2 hours after they came, whatever they say and however the wall clock steps', async () => {
    const { clock, store } = setUp();
    store.receive(signed(1, { expirationMs: 10 * DAY }).encoded);
    store.receive(signed(1, { key: 'short', expirationMs: HOUR }).encoded);
    clock.stepWall(-5 * HOUR);
    await clock.runFor(HOUR - 1);
    expect(store.find({ kind: 'thing', group })).toHaveLength(2);
    await clock.runFor(1);
    expect(store.find({ kind: 'thing', group }).map(({ key }) => key)).toEqual(['lamp']);
    await clock.runFor(HOUR);
    expect(store.find({ kind: 'thing', group })).toEqual([]);
  });

  it('takes a released version again but no older one, also after a reboot with the clock set back an hour', async () => {
    const first = setUp();
    first.store.receive(signed(7).encoded);
    first.store.release({ ...signed(7), group });
    expect(first.store.find({ kind: 'thing', group })).toEqual([]);
    await first.clock.runFor(1_000);
    const second = reboot(first.storage, first.clock, -HOUR).store;
    expect(second.receive(signed(6).encoded).outcome).toBe('replayed');
    expect(second.receive(signed(7).encoded).outcome).toBe('added');
  });

  it('leaves out what is not accepted, without a look at its signature, and remembers nothing of it', () => {
    const { store } = setUp({ crypto: { ...nodeCrypto, verify: () => expect.fail('verified') } });
    const accept = ({ name }: Advertisement) => name !== 'Lamp';
    expect(store.receive(signed(7).encoded, { accept })).toEqual({ outcome: 'unproven' });
    const withdrawal = { expirationMs: 0, name: '', attributes: new Map(), body: new Uint8Array(0) };
    expect(store.receive(signed(8, withdrawal).encoded, { accept: () => false }).outcome).toBe('unproven');
    expect(store.status()['advertisement sequences']?.used).toBe(0);
  });

  it('never gives more time by a reboot, with the clock right, set back or ahead', async () => {
    for (const [stepMs, leftMs] of [
      [0, HOUR],
      [-HOUR, HOUR],
      [HOUR / 2, HOUR / 2],
    ] as const) {
      const first = setUp();
      first.store.receive(signed(1).encoded);
      await first.clock.runFor(HOUR);
      await first.clock.run(first.store.publish(own, lamp));
      const second = reboot(first.storage, first.clock, stepMs);
      await second.clock.runFor(leftMs - 10);
      const query = { kind: 'thing', group, publisher: stranger.id } as const;
      expect(second.store.find(query), `step ${stepMs}`).toHaveLength(1);
      await second.clock.runFor(20);
      expect(second.store.find(query), `step ${stepMs}`).toEqual([]);
    }
  });

  it('gives at most a quarter of an hour too much by a crash together with a clock that is set back', async () => {
    const first = setUp();
    first.store.receive(signed(1).encoded);
    await first.clock.runFor(HOUR + 50 * 60_000);
    const second = reboot(first.storage, first.clock, -DAY);
    await second.clock.runFor(25 * 60_000);
    expect(second.store.find({ kind: 'thing', group })).toEqual([]);
  });

  it('takes a withdrawal, and afterwards no older version', async () => {
    const { clock, storage, store } = setUp();
    store.receive(signed(1).encoded);
    const withdrawal = signed(3, { expirationMs: 0 });
    expect(store.receive(withdrawal.encoded).outcome).toBe('withdrawn');
    expect(store.find({ kind: 'thing', group })).toEqual([]);
    expect(store.receive(signed(2).encoded).outcome).toBe('replayed');
    await clock.runFor(100);
    expect(reboot(storage, clock, 0).store.receive(signed(2).encoded).outcome).toBe('replayed');
  });

  it('remembers a withdrawal of what it never had', () => {
    const { store } = setUp();
    expect(store.receive(signed(3, { expirationMs: 0 }).encoded).outcome).toBe('withdrawn');
    expect(store.receive(signed(2).encoded).outcome).toBe('replayed');
    expect(store.receive(signed(4).encoded).outcome).toBe('added');
  });

  it('verifies the same bytes once', () => {
    let verifications = 0;
    const crypto: Crypto = {
      ...nodeCrypto,
      verify: (...all) => {
        verifications++;
        return nodeCrypto.verify(...all);
      },
    };
    const { store } = setUp({ crypto, bounds: { maxForeignPerPublisher: 1 } });
    const a = signed(1, { key: 'a' });
    const b = signed(1, { key: 'b' });
    for (let i = 0; i < 5; i++) for (const each of [a, a, b]) store.receive(each.encoded);
    expect(verifications).toBe(2);
  });

  it('does not keep the record alive that it came in', async () => {
    const { clock, store } = setUp();
    const { encoded } = signed(1);
    const record = new Uint8Array(60_000);
    record.set(encoded, 100);
    store.receive(record.subarray(100, 100 + encoded.length));
    record.fill(0);
    await clock.runFor(100);
    const [found] = store.find({ kind: 'thing', group });
    expect(found?.encoded).toEqual(encoded);
    expect(found?.encoded.buffer.byteLength).toBeLessThan(1_000);
  });

  it('goes on from memory while the disk is full, and writes when it can', async () => {
    const { clock, storage, store } = setUp({ bounds: { maxCachedBytes: 0 } });
    (storage as MemoryStorage).failNextSync('storage-full');
    store.receive(signed(1).encoded);
    await clock.runFor(100);
    expect(store.find({ kind: 'thing', group })).toHaveLength(1);
    await clock.runFor(60_000);
    expect(reboot(storage, clock, 0).store.find({ kind: 'thing', group })).toHaveLength(1);
  });
});

describe('AdvertisementStore: bounds', () => {
  it('evicts what is nearest to expiry of the publisher with most, which may bring it again', () => {
    const { store } = setUp({ bounds: { maxForeign: 4 } });
    const quiet = signed(9, {}, own);
    store.receive(quiet.encoded);
    const soon = signed(5, { key: 'soon', expirationMs: HOUR });
    for (const each of [signed(1, { key: 'a' }), soon, signed(1, { key: 'b' })]) store.receive(each.encoded);
    store.receive(signed(1, { key: 'c' }).encoded);
    expect(
      store
        .find({ kind: 'thing', group })
        .map(({ key }) => key)
        .sort(),
    ).toEqual(['a', 'b', 'c', 'lamp']);
    expect(store.status()['advertisements foreign']).toEqual({ used: 4, limit: 4, dropped: 1 });
    expect(store.receive(signed(4, { key: 'soon' }).encoded).outcome).toBe('replayed');
    expect(store.receive(soon.encoded).outcome).toBe('added');
  });

  it('holds each publisher to its bound', () => {
    const { store } = setUp({ bounds: { maxForeignPerPublisher: 3 } });
    for (let i = 0; i < 10; i++) store.receive(signed(1, { key: `k${i}` }).encoded);
    store.receive(signed(1, {}, own).encoded);
    expect(store.find({ kind: 'thing', group })).toHaveLength(4);
  });

  it('makes room among publishers of one each', () => {
    const { store } = setUp({ bounds: { maxForeign: 3 } });
    for (let i = 0; i < 10; i++) {
      const identity = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(100 + i));
      store.receive(signed(1, {}, identity).encoded);
    }
    expect(store.find({ kind: 'thing', group })).toHaveLength(3);
  });

  it('never counts own ones against the foreign bound, nor evicts them', async () => {
    const { clock, store } = setUp({ bounds: { maxForeign: 1 } });
    for (const key of ['a', 'b', 'c']) await clock.run(store.publish(own, { ...lamp, key }));
    for (const key of ['a', 'b', 'c']) store.receive(signed(1, { key }).encoded);
    expect(store.find({ kind: 'thing', group, publisher: own.id })).toHaveLength(3);
    expect(store.find({ kind: 'thing', group, publisher: stranger.id })).toHaveLength(1);
  });

  it('bounds the memory of sequences, and forgets in the storage too', async () => {
    const { clock, storage, store } = setUp({ bounds: { maxRemembered: 2 } });
    for (let i = 0; i < 5; i++) store.receive(signed(1, { key: `k${i}`, expirationMs: 0 }).encoded);
    await clock.runFor(100);
    expect(store.status()['advertisement sequences']).toEqual({ used: 2, limit: 2, dropped: 3 });
    expect([...storage.scan('advertisement-index')]).toHaveLength(2);
  });

  it('lets many expire without doing all in one turn', async () => {
    const { clock, store } = setUp();
    for (let i = 0; i < 1_000; i++) store.receive(signed(1, { key: `k${i}` }).encoded);
    const turns = new Set<number>();
    const removals: number[] = [];
    store.subscribe({ kind: 'thing', group }, () => {
      turns.add(clock.eventCount);
      removals.push(clock.eventCount);
    });
    await clock.runFor(2 * HOUR);
    expect(removals).toHaveLength(1_000);
    for (const turn of turns) expect(removals.filter((each) => each === turn).length).toBeLessThanOrEqual(200);
  });

  it('passes over damaged records, and counts them', async () => {
    const { clock, storage, store } = setUp();
    store.receive(signed(1).encoded);
    store.receive(signed(1, { key: 'b' }).encoded);
    store.receive(signed(1, { key: 'c' }).encoded);
    await clock.runFor(100);
    const [first, second] = [...storage.scan('advertisement-index')].map(([slot]) => slot);
    const garbage = new Uint8Array([0xff]);
    await clock.run(
      storage.commit([
        { table: 'advertisement-index', key: first ?? '', value: garbage },
        { table: 'advertisement', key: second ?? '', value: garbage },
        { table: 'advertisement-clock', key: 'mark', value: garbage },
      ]),
    );
    const after = reboot(storage, clock, 0).store;
    expect(after.find({ kind: 'thing', group })).toHaveLength(1);
    expect(after.status()['advertisement writes']?.dropped).toBe(3);
  });
});

describe('AdvertisementStore: finding and watching', () => {
  it('finds after a restart without verifying again', async () => {
    const first = setUp();
    for (let i = 0; i < 20; i++)
      first.store.receive(signed(1, { key: `k${i}`, attributes: new Map([['i', String(i % 4)]]) }).encoded);
    await first.clock.runFor(100);
    const crypto: Crypto = {
      ...nodeCrypto,
      verify: () => {
        throw new Error('verified');
      },
    };
    const second = reboot(first.storage, first.clock, 0, { crypto });
    const found = second.store.find({ kind: 'thing', group, attributes: { i: '3' } });
    expect(found.map(({ key }) => key).sort()).toEqual(['k11', 'k15', 'k19', 'k3', 'k7']);
    for (const each of found) expect(verifyAdvertisement(nodeCrypto, each.encoded)).toEqual(each);
  });

  it('stops at the limit', () => {
    const { store } = setUp();
    for (let i = 0; i < 20; i++) store.receive(signed(1, { key: `k${i}` }).encoded);
    expect(store.find({ kind: 'thing', group, limit: 7 })).toHaveLength(7);
  });

  it('answers without the cache of decoded ones too', async () => {
    const { clock, store } = setUp({ bounds: { maxCachedBytes: 0 } });
    const each = signed(1);
    store.receive(each.encoded);
    await clock.runFor(100);
    expect(store.find({ kind: 'thing', group })).toEqual([each]);
    expect(store.receive(each.encoded).outcome).toBe('known');
  });

  it('tells watchers of what they asked for only, expiry included', async () => {
    const { clock, store } = setUp();
    const seen: string[] = [];
    const note = (who: string) => (change: StoreChange) =>
      seen.push(`${who} ${change.change} ${change.advertisement.key}`);
    store.subscribe({ kind: 'thing', group, attributes: { room: 'h*' } }, note('hall'));
    store.subscribe({ kind: 'thing', group, publisher: own.id }, note('own'));
    store.subscribe({ kind: 'pipe', group }, note('pipe'));
    const stop = store.subscribe({ kind: 'thing', group }, note('brief'));
    store.receive(signed(1).encoded);
    stop();
    stop();
    store.receive(signed(1).encoded);
    store.receive(signed(2, { key: 'lamp', name: 'new' }).encoded);
    store.receive(signed(3, { attributes: new Map([['room', 'attic']]) }).encoded);
    store.receive(signed(4, { expirationMs: 5_000 }).encoded);
    await clock.runFor(6_000);
    expect(seen).toEqual([
      'hall added lamp',
      'brief added lamp',
      'hall updated lamp',
      'hall removed lamp',
      'hall added lamp',
      'hall removed lamp',
    ]);
  });

  it('tells watchers of one publisher what that one publishes, its expiry included, and nothing of others', async () => {
    const { clock, store } = setUp();
    const another = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(3));
    const seen: string[] = [];
    const watch = (name: string, { id: publisher }: Identity) =>
      store.subscribe({ kind: 'thing', group, publisher }, ({ change }) => seen.push(`${name} ${change}`));
    const stop = watch('stranger', stranger);
    watch('another', another);
    store.receive(signed(1, { expirationMs: 5_000 }).encoded);
    store.receive(signed(1, {}, another).encoded);
    await clock.runFor(6_000);
    expect(seen).toEqual(['stranger added', 'another added', 'stranger removed']);
    stop();
    watch('again', stranger);
    store.receive(signed(2).encoded);
    expect(seen.slice(3)).toEqual(['again added']);
  });

  it('forgets a foreign one on demand, takes only a newer one after that, and never forgets its own', async () => {
    const { clock, storage, store } = setUp();
    const each = signed(5);
    const seen: string[] = [];
    store.subscribe({ kind: 'thing', group }, ({ change }) => seen.push(change));
    store.receive(signed(4).encoded);
    store.receive(each.encoded);
    store.forget(signed(4));
    expect(store.find({ kind: 'thing', group })).toEqual([each]);
    store.forget(each);
    store.forget(each);
    expect(store.find({ kind: 'thing', group })).toEqual([]);
    await clock.runFor(100);
    expect(reboot(storage, clock, 0).store.receive(each.encoded).outcome).toBe('replayed');
    const fresh = setUp();
    const published = await fresh.clock.run(fresh.store.publish(own, lamp));
    fresh.store.forget(published);
    expect(fresh.store.find({ kind: 'thing', group })).toEqual([published]);
    expect(seen).toEqual(['added', 'updated', 'removed']);
  });

  it('tells watchers what was evicted', () => {
    const { store } = setUp({ bounds: { maxForeign: 1 } });
    const seen: string[] = [];
    store.subscribe({ kind: 'thing', group }, ({ change, advertisement }) =>
      seen.push(`${change} ${advertisement.key}`),
    );
    store.receive(signed(1, { key: 'a' }).encoded);
    store.receive(signed(1, { key: 'b' }).encoded);
    expect(seen).toEqual(['added a', 'added b', 'removed a']);
  });

  it('bounds the watchers', () => {
    const { store } = setUp({ bounds: { maxSubscriptions: 1 } });
    const stop = store.subscribe({ kind: 'thing', group }, () => undefined);
    expect(() => store.subscribe({ kind: 'thing', group }, () => undefined)).toThrow(
      expect.objectContaining({ code: 'overloaded' }),
    );
    stop();
    store.subscribe({ kind: 'thing', group }, () => undefined);
  });

  it('writes what waits when it is closed, and then says that it is', async () => {
    const { clock, storage, store } = setUp();
    store.receive(signed(1).encoded);
    await clock.run(store.close());
    await clock.run(store.close());
    expect(() => store.receive(signed(2).encoded)).toThrow(expect.objectContaining({ code: 'closed' }));
    await expect(store.publish(own, lamp)).rejects.toBeInstanceOf(PipevineError);
    expect(reboot(storage, clock, 0).store.find({ kind: 'thing', group })).toHaveLength(1);
  });
});
