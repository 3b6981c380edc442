import { describe, expect, test } from 'vitest';
import { FilterTree } from './filter-tree.ts';
import { topicFilterFault, topicMatches, topicNameFault } from './topic.ts';
import { TopicTree } from './topic-tree.ts';

const limits = { maxTopicLevels: 4, maxTopicBytes: 20 };

// MQTT 3.1.1, section 4.7: its own examples, and the borders between them.
const matching: [filter: string, topic: string, matches: boolean][] = [
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
  ['sport/#', 'sport', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['#', '$SYS/monitor', false],
  ['+/monitor', '$SYS/monitor', false],
  ['$SYS/#', '$SYS/monitor', true],
  ['$SYS/+', '$SYS/monitor', true],
  ['a/$b/#', 'a/$b/c', true],
  ['+/b', 'a/b', true],
  ['a/b', 'a/B', false],
  ['a//b', 'a//b', true],
  ['a/+/b', 'a//b', true],
  ['#', 'a/b/c', true],
  ['a/#', 'ab', false],
];

test.each(matching)('%s on %s: %s', (filter, topic, matches) => {
  expect(topicMatches(filter, topic)).toBe(matches);
  const topics = new TopicTree<string>();
  topics.set(topic, topic);
  expect([...topics.match(filter)].filter((found) => found !== undefined)).toEqual(matches ? [topic] : []);
  const filters = new FilterTree<string>();
  filters.set(filter, 'me', filter);
  expect(filters.match(topic)).toEqual(matches ? [filter] : []);
});

test('both trees agree with the plain rule on many topics and filters, before and after removals', () => {
  let seed = 7;
  const pick = <T>(from: readonly T[]): T => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
    return from[(seed >> 8) % from.length] as T; // the index is in range
  };
  const topics = new Set<string>();
  const filters = new Set<string>();
  for (let count = 0; count < 300; count++) {
    const levels = Array.from({ length: 1 + (count % 4) }, () => pick(['a', 'b', 'c', '', '$x']));
    topics.add(levels.join('/') || 'a');
    const wild: string[] = levels.map((level) => pick([level, '+', level]));
    if (pick([true, false])) wild.push('#');
    filters.add(wild.join('/') || '#');
  }
  const topicTree = new TopicTree<string>();
  const filterTree = new FilterTree<string>();
  for (const topic of topics) topicTree.set(topic, topic);
  for (const filter of filters) filterTree.set(filter, 'me', filter);
  const check = () => {
    for (const filter of filters) {
      const found = [...topicTree.match(filter)].filter((topic) => topic !== undefined).sort();
      expect(found).toEqual([...topics].filter((topic) => topicMatches(filter, topic)).sort());
    }
    for (const topic of topics) {
      expect(filterTree.match(topic).sort()).toEqual([...filters].filter((one) => topicMatches(one, topic)).sort());
    }
  };
  check();
  for (const topic of [...topics]) if (pick([true, false])) topics.delete(topic) && topicTree.delete(topic);
  for (const filter of [...filters]) if (pick([true, false])) filters.delete(filter) && filterTree.delete(filter, 'me');
  check();
  for (const topic of topics) topicTree.delete(topic);
  for (const filter of filters) filterTree.delete(filter, 'me');
  expect([topicTree.size, filterTree.size]).toEqual([0, 0]);
});

test('a search that finds nothing among many topics lets others run meanwhile', () => {
  const tree = new TopicTree<number>();
  for (let index = 0; index < 5_000; index++) tree.set(`a/${index}/b`, index);
  expect([...tree.match('a/+/c')].length).toBeGreaterThan(3);
});

describe('faults', () => {
  test.each([
    ['', 'is empty'],
    ['a/#', 'contains a wildcard'],
    ['a/+', 'contains a wildcard'],
    ['a\0b', 'contains U+0000'],
    ['1/2/3/4/5', 'has more than 4 levels'],
    ['ääääääääääa', 'is longer than 20 bytes'],
  ])('the name %j', (topic, fault) => {
    expect(topicNameFault(topic, limits)).toBe(fault);
  });

  test.each([
    ['a/#/b', 'has a # that is not the last level'],
    ['a#', 'has a # that is not the last level'],
    ['a/b+', 'has a + beside other characters'],
    ['', 'is empty'],
  ])('the filter %j', (filter, fault) => {
    expect(topicFilterFault(filter, limits)).toBe(fault);
  });

  test.each(['a', '/', 'a/b/c/d', 'ääääääääää'])('the name %j has none', (topic) => {
    expect(topicNameFault(topic, limits)).toBeUndefined();
  });

  test.each(['#', '+', '+/+/#', 'a/+/b', '$SYS/#'])('the filter %j has none', (filter) => {
    expect(topicFilterFault(filter, limits)).toBeUndefined();
  });
});
