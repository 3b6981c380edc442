import { expect, test } from 'vitest';
import { ChannelTable } from './channel-table.ts';

test('the smallest free channel is given first', () => {
  const table = new ChannelTable<string>(8, true);
  expect(['a', 'b', 'c', 'd'].map((user) => table.add(user))).toEqual([0, 1, 2, 3]);
  table.remove(1, 'b');
  table.remove(0, 'a');
  expect(table.add('e')).toBe(0);
  expect(table.add('f')).toBe(1);
  expect(table.add('g')).toBe(4);
  expect([table.used, table.full, table.get(1), table.get(7)]).toEqual([5, false, 'f', undefined]);
  expect(table.get(4_000_000_000)).toBeUndefined();
});

test('whoever removes a channel must still have it', () => {
  const table = new ChannelTable<string>(2, true);
  const channel = table.add('a');
  table.remove(channel, 'a');
  table.add('b');
  table.remove(channel, 'a');
  expect(table.get(channel)).toBe('b');
});

test('over a link that may deliver late, a number is not used again soon', () => {
  const table = new ChannelTable<string>(4, false);
  const first = table.add('a');
  table.remove(first, 'a');
  const second = table.add('b');
  expect([first, second]).toEqual([0, 4]);
  expect([table.get(0), table.get(4), table.get(8)]).toEqual([undefined, 'b', undefined]);
  table.remove(first, 'b');
  expect(table.get(second)).toBe('b');
});
