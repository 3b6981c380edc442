import { expect, test } from 'vitest';
import { TurnRing } from './turn-ring.ts';

test('those of a higher class come first, in the order in which they came', () => {
  const ring = new TurnRing<string>();
  ring.push('b1', 'bulk');
  ring.push('n1', 'normal');
  ring.push('c1', 'control');
  ring.push('n2', 'normal');
  ring.push('c2', 'control');
  expect(Array.from({ length: 6 }, () => ring.shift())).toEqual(['c1', 'c2', 'n1', 'n2', 'b1', undefined]);
  expect(ring.isEmpty).toBe(true);
});

test('a class is not kept waiting for ever by those above it', () => {
  const ring = new TurnRing<string>();
  const turns = new Map<string, number>();
  for (const name of ['control', 'normal', 'bulk'] as const) ring.push(name, name);
  for (let turn = 0; turn < 1_700; turn++) {
    const user = ring.shift() ?? '';
    turns.set(user, (turns.get(user) ?? 0) + 1);
    ring.push(user, user as 'control' | 'normal' | 'bulk'); // Only these were put in.
  }
  expect(turns.get('control')).toBeGreaterThan(1_450);
  expect(turns.get('normal')).toBeGreaterThan(90);
  expect(turns.get('bulk')).toBeGreaterThan(90);
});
