import { seededRandom } from '@pipevine/transports';
import { expect, it } from 'vitest';
import { ReplayWindow } from './replay-window.ts';

it('accepts each counter once, in any order within the window', () => {
  const window = new ReplayWindow(4_096);
  for (const counter of [0, 5, 3, 4_000, 1, 4_098]) expect(window.accept(counter)).toBe(true);
  for (const counter of [5, 3, 4_000, 4_098]) expect(window.accept(counter)).toBe(false);
});

it('takes what is older than the window for a replay', () => {
  const window = new ReplayWindow(64);
  window.accept(100);
  expect(window.isFresh(37)).toBe(true);
  expect(window.isFresh(36)).toBe(false);
  expect(window.accept(36)).toBe(false);
});

it('forgets what a jump leaves behind, and nothing else', () => {
  const window = new ReplayWindow(64);
  for (let counter = 0; counter < 64; counter++) window.accept(counter);
  window.accept(2 ** 40);
  expect(window.accept(2 ** 40 - 63)).toBe(true);
  expect(window.accept(2 ** 40)).toBe(false);
  expect(window.accept(2 ** 40 - 64)).toBe(false);
});

it('agrees with a plain set over random traffic', () => {
  const random = seededRandom('window');
  const window = new ReplayWindow(128);
  const seen = new Set<number>();
  let highest = -1;
  for (let i = 0; i < 20_000; i++) {
    const counter = Math.max(0, highest + random.integer(12) - 9 - (random.integer(50) === 0 ? 150 : 0));
    const expected = counter > highest - 128 && !seen.has(counter);
    expect(window.accept(counter)).toBe(expected);
    seen.add(counter);
    highest = Math.max(highest, counter);
  }
});
