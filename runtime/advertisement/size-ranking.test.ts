import { seededRandom } from '@pipevine/transports';
import { expect, it } from 'vitest';
import { SizeRanking } from './size-ranking.ts';

it('names an owner with the most after any sequence of comings and goings', () => {
  const random = seededRandom(2);
  const ranking = new SizeRanking<number>();
  const sizes = new Map<number, number>();
  expect(ranking.largest).toBeUndefined();
  for (let i = 0; i < 5_000; i++) {
    const owner = random.integer(20);
    const size = sizes.get(owner) ?? 0;
    if (random.fraction() < 0.5) {
      ranking.grow(owner);
      sizes.set(owner, size + 1);
    } else {
      ranking.shrink(owner);
      sizes.set(owner, Math.max(0, size - 1));
    }
    const largest = ranking.largest;
    const most = Math.max(...sizes.values());
    if (most === 0) expect(largest).toBeUndefined();
    else expect(largest === undefined ? -1 : sizes.get(largest)).toBe(most);
  }
});
