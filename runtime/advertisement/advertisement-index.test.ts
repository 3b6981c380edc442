import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { groupIdFromBytes } from '../id/group-id.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import type { AdvertisementQuery } from './advertisement.ts';
import {
  type AdvertisementFacts,
  AdvertisementIndex,
  type IndexEntry,
  QueryConditions,
} from './advertisement-index.ts';

const random = seededRandom(4);
const group = groupIdFromBytes(new Uint8Array(32).fill(1));
const otherGroup = groupIdFromBytes(new Uint8Array(32).fill(2));
const publishers = Array.from({ length: 50 }, () => peerIdFromBytes(random.bytes(32)));
const publisher = publishers[0] ?? peerIdFromBytes(new Uint8Array(32));

function facts(of: Partial<AdvertisementFacts>): AdvertisementFacts {
  return { kind: 'thing', group, publisher, key: '', name: '', attributes: new Map(), sequence: 1, ...of };
}

function indexOf(all: readonly AdvertisementFacts[]): { index: AdvertisementIndex; entries: IndexEntry[] } {
  const index = new AdvertisementIndex();
  const entries = all.map((each, i) => index.add(String(i), each, { own: false, expiresAtMs: 1 }));
  return { index, entries };
}

function slots(
  index: AdvertisementIndex,
  query: Omit<AdvertisementQuery, 'kind' | 'group'> & Partial<AdvertisementQuery>,
): string[] {
  return [...index.search(new QueryConditions({ kind: 'thing', group, ...query }))].map(({ slot }) => slot).sort();
}

describe('AdvertisementIndex', () => {
  it('finds by publisher, key, name and attributes, exactly and by pattern, within one group and kind', () => {
    const { index } = indexOf([
      facts({ key: 'a', name: 'red lamp', attributes: new Map([['room', 'hall']]) }),
      facts({
        key: 'b',
        name: 'blue lamp',
        attributes: new Map([
          ['room', 'hall'],
          ['floor', '1'],
        ]),
      }),
      facts({ key: 'a', name: 'red lamp', group: otherGroup }),
      facts({ key: 'a', name: 'red lamp', kind: 'peer' }),
      facts({ key: 'c', name: '', publisher: publishers[1] ?? publisher }),
    ]);
    expect(slots(index, {})).toEqual(['0', '1', '4']);
    expect(slots(index, { key: 'a' })).toEqual(['0']);
    expect(slots(index, { publisher })).toEqual(['0', '1']);
    expect(slots(index, { name: '*lamp' })).toEqual(['0', '1']);
    expect(slots(index, { name: '*' })).toEqual(['0', '1', '4']);
    expect(slots(index, { attributes: { room: 'hall' } })).toEqual(['0', '1']);
    expect(slots(index, { attributes: { room: 'h*', floor: '1' } })).toEqual(['1']);
    expect(slots(index, { attributes: { floor: '*' } })).toEqual(['1']);
    expect(slots(index, { attributes: { room: 'attic' } })).toEqual([]);
    expect(slots(index, { attributes: { roof: '*' } })).toEqual([]);
    expect(slots(index, { group: otherGroup })).toEqual(['2']);
    expect(slots(index, { kind: 'peer' })).toEqual(['3']);
    expect(slots(index, { attributes: { name: 'red lamp', key: 'a' } })).toEqual([]);
  });

  it('agrees with a plain filter on random entries and queries, also after removals', () => {
    const words = ['a', 'ab', 'abc', 'b', ''];
    const word = (): string => words[random.integer(words.length)] ?? '';
    const all = Array.from({ length: 400 }, () =>
      facts({
        publisher: publishers[random.integer(5)] ?? publisher,
        key: word(),
        name: word(),
        attributes: new Map(Array.from({ length: random.integer(3) }, () => [`x${random.integer(3)}`, word()])),
      }),
    );
    const { index, entries } = indexOf(all);
    const removed = new Set<number>();
    for (let i = 0; i < 600; i++) {
      const out = random.integer(entries.length);
      const entry = entries[out];
      if (i % 4 === 0 && entry !== undefined) {
        index.remove(entry);
        removed.add(out);
      }
      const attributes =
        random.fraction() < 0.6 ? { [`x${random.integer(3)}`]: random.fraction() < 0.5 ? word() : `${word()}*` } : {};
      const query: AdvertisementQuery = {
        kind: 'thing',
        group,
        attributes,
        ...(random.fraction() < 0.3 && { name: random.fraction() < 0.5 ? word() : `*${word()}` }),
        ...(random.fraction() < 0.3 && { publisher: publishers[random.integer(6)] ?? publisher }),
        ...(random.fraction() < 0.3 && { key: word() }),
      };
      const conditions = new QueryConditions(query);
      const expected = all.flatMap((each, at) => {
        const advertisement = {
          ...each,
          issuedAtMs: 0,
          expirationMs: 0,
          body: new Uint8Array(0),
          encoded: new Uint8Array(0),
        };
        return !removed.has(at) && conditions.matches(advertisement) ? [String(at)] : [];
      });
      expect(slots(index, query), JSON.stringify(query)).toEqual(expected.sort());
      for (const [at, each] of entries.entries()) {
        if (!removed.has(at)) expect(conditions.meets(each)).toBe(expected.includes(String(at)));
      }
    }
  });

  it('looks at no more than the rarest condition matches, among 100,000', () => {
    const index = new AdvertisementIndex();
    for (let i = 0; i < 100_000; i++) {
      const attributes = new Map([
        ['connector', 'mqtt'],
        ['room', `room ${i % 1_000}`],
        ['serial', String(i)],
      ]);
      index.add(String(i), facts({ name: `thing ${i}`, publisher: publishers[i % 50] ?? publisher, attributes }), {
        own: false,
        expiresAtMs: 1,
      });
    }
    const visits = (query: Parameters<typeof slots>[1]): number => {
      const before = index.visited;
      slots(index, query);
      return index.visited - before;
    };
    expect(visits({ attributes: { serial: '77777' } })).toBe(1);
    expect(visits({ attributes: { connector: 'mqtt', room: 'room 5' } })).toBe(100);
    expect(visits({ attributes: { connector: 'm*', room: 'room 5' }, name: '*5' })).toBe(100);
    expect(visits({ attributes: { connector: 'mqtt', serial: 'none' } })).toBe(0);
    // A pattern is matched once for each different value, not for each advertisement.
    expect(visits({ attributes: { connector: 'b*' } })).toBe(1);
    expect(visits({ attributes: { room: 'room 99*' } })).toBe(1_000 + 1_100);
  });

  it('keeps nothing of what was removed', () => {
    const { index, entries } = indexOf([facts({ name: 'a' }), facts({ name: 'a', key: 'b' })]);
    for (const entry of [...entries, ...entries]) index.remove(entry);
    expect(slots(index, {})).toEqual([]);
    expect(slots(index, { name: 'a' })).toEqual([]);
  });

  it.each([{ limit: 0 }, { limit: 1.5 }, { limit: 100_001 }, { name: '*'.repeat(2_000) }])(
    'refuses the query %j',
    (query) => {
      expect(() => new QueryConditions({ kind: 'thing', group, ...query })).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    },
  );
});
