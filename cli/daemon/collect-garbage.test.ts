import { expect, it } from 'vitest';
import { collectGarbage } from './collect-garbage.ts';

it('frees what nothing refers to, and leaves no function behind', () => {
  let garbage: unknown[] | undefined = Array.from({ length: 200_000 }, (_, index) => ({ index }));
  expect(garbage.length).toBe(200_000);
  const before = process.memoryUsage().heapUsed;
  garbage = undefined;
  collectGarbage();
  expect(before - process.memoryUsage().heapUsed).toBeGreaterThan(4e6);
  expect(globalThis).not.toHaveProperty('gc');
});
