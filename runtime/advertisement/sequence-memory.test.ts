import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { SequenceMemory } from './sequence-memory.ts';

const a = peerIdFromBytes(new Uint8Array(32).fill(1));
const b = peerIdFromBytes(new Uint8Array(32).fill(2));

describe('SequenceMemory', () => {
  it('remembers the newest sequence of each name', () => {
    const memory = new SequenceMemory(10, 10);
    memory.remember(a, 'x', 1);
    memory.remember(a, 'x', 5);
    expect(memory.get(a, 'x')).toBe(5);
    expect(memory.get(b, 'x')).toBeUndefined();
    expect(memory.size).toBe(1);
    memory.forget(a, 'x');
    expect(memory.get(a, 'x')).toBeUndefined();
  });

  it('forgets the oldest of the publisher with most, so that a flood costs its author', () => {
    const memory = new SequenceMemory(4, 10);
    memory.remember(b, 'quiet', 1);
    for (const slot of ['1', '2', '3']) expect(memory.remember(a, slot, 1)).toEqual([]);
    expect(memory.remember(a, '4', 1)).toEqual(['1']);
    expect(memory.get(b, 'quiet')).toBe(1);
    expect(memory.get(a, '1')).toBeUndefined();
    expect(memory.forgotten).toBe(1);
  });

  it('holds each publisher to its own bound', () => {
    const memory = new SequenceMemory(100, 2);
    memory.remember(a, '1', 1);
    memory.remember(a, '2', 1);
    expect(memory.remember(a, '3', 1)).toEqual(['1']);
    expect(memory.size).toBe(2);
  });
});
