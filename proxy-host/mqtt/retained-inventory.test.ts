import { expect, test } from 'vitest';
import { RetainedInventory } from './retained-inventory.ts';

function inventory(...retained: string[]): RetainedInventory {
  const all = new RetainedInventory();
  all.begin();
  for (const topic of retained) all.heard(topic, false, true);
  return all;
}

test('what was retained and does not come again is missing, once', () => {
  const all = inventory('a', 'b');
  all.begin();
  all.heard('a', false, true);
  expect(all.missing()).toEqual(['b']);
  expect(all.missing()).toEqual([]);
});

test('a description that comes live is not missing', () => {
  const all = inventory('a', 'b');
  all.begin();
  all.heard('a', false, true);
  all.heard('b', false, false);
  expect(all.missing()).toEqual([]);
});

test('a description that was removed in our hearing is not missing', () => {
  const all = inventory('a', 'b');
  all.heard('b', true, false);
  all.begin();
  all.heard('a', false, true);
  expect(all.missing()).toEqual([]);
});

test('a broker that has forgotten everything says nothing about devices', () => {
  const all = inventory('a', 'b');
  all.begin();
  all.heard('c', false, true);
  expect(all.missing()).toEqual([]);
});

test('a description that was never retained is not missing', () => {
  const all = inventory('a');
  all.heard('live', false, false);
  all.begin();
  all.heard('a', false, true);
  expect(all.missing()).toEqual([]);
});
