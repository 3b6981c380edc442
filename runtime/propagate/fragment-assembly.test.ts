import { nodeCrypto } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { identityFromSeed } from '../id/identity.ts';
import { FragmentAssembly } from './fragment-assembly.ts';
import { MAX_PARTIAL, PARTIAL_MS } from './propagate-defaults.ts';

const idOf = (byte: number) => identityFromSeed(nodeCrypto, new Uint8Array(32).fill(byte)).id;
const part = (message: number, index: number, count = 2) => ({
  name: 'news',
  bytes: new Uint8Array([message, index]),
  fragment: { message: new Uint8Array(8).fill(message), index, count },
});

describe('FragmentAssembly', () => {
  it('puts a message together in whatever order its fragments come, once, and repeated ones do no harm', () => {
    const assembly = new FragmentAssembly();
    const [a, b] = [idOf(1), idOf(2)];
    expect(assembly.add(a, part(1, 2, 3), 0)).toBeUndefined();
    expect(assembly.add(b, part(1, 0, 3), 0)).toBeUndefined();
    expect(assembly.add(a, part(1, 2, 3), 0)).toBeUndefined();
    expect(assembly.add(a, part(1, 0, 3), 0)).toBeUndefined();
    expect(assembly.add(a, part(1, 1, 3), 0)).toEqual(new Uint8Array([1, 0, 1, 1, 1, 2]));
    expect(assembly.size).toBe(1);
  });

  it('gives up the own oldest of whoever leaves many unfinished, and nobody else', () => {
    const assembly = new FragmentAssembly();
    const [a, b] = [idOf(1), idOf(2)];
    assembly.add(b, part(9, 0), 0);
    for (let message = 1; message <= 10; message++) assembly.add(a, part(message, 0), 0);
    expect([assembly.size, assembly.dropped]).toEqual([3, 8]);
    expect(assembly.add(b, part(9, 1), 0)).toBeDefined();
    expect(assembly.add(a, part(10, 1), 0)).toBeDefined();
  });

  it('holds a bounded number in all, and none for longer than a minute', () => {
    const assembly = new FragmentAssembly();
    for (let origin = 1; origin <= 40; origin++) assembly.add(idOf(origin), part(1, 0), 0);
    expect([assembly.size, assembly.dropped]).toEqual([MAX_PARTIAL, 40 - MAX_PARTIAL]);
    assembly.add(idOf(50), part(1, 0), PARTIAL_MS);
    expect(assembly.size).toBe(1);
  });

  it('takes no fragments that contradict each other', () => {
    const assembly = new FragmentAssembly();
    assembly.add(idOf(1), part(1, 0, 2), 0);
    expect(assembly.add(idOf(1), part(1, 1, 3), 0)).toBeUndefined();
    expect([assembly.size, assembly.dropped]).toEqual([0, 1]);
  });
});
