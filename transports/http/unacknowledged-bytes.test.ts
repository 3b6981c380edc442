import { expect, it } from 'vitest';
import { UnacknowledgedBytes } from './unacknowledged-bytes.ts';

it('gives the same bytes until they are acknowledged, however they were cut', () => {
  const kept = new UnacknowledgedBytes();
  kept.append([Uint8Array.of(0, 1, 2), new Uint8Array(0), Uint8Array.of(3)]);
  kept.append([Uint8Array.of(4, 5)]);
  expect([...kept.read(5)]).toEqual([0, 1, 2, 3, 4]);
  expect(kept.acknowledge(2)).toBe(true);
  expect([...kept.read(100)]).toEqual([2, 3, 4, 5]);
  expect(kept.acknowledge(4)).toBe(true);
  expect([...kept.read(100)]).toEqual([4, 5]);
  expect(kept.acknowledge(6)).toBe(true);
  expect(kept.length).toBe(0);
});

it('refuses to forget what was never written, and what it forgot before', () => {
  const kept = new UnacknowledgedBytes();
  kept.append([Uint8Array.of(0, 1, 2)]);
  expect(kept.acknowledge(4)).toBe(false);
  expect(kept.acknowledge(2)).toBe(true);
  expect(kept.acknowledge(1)).toBe(false);
  expect([kept.start, kept.end]).toEqual([2, 3]);
});

it('stays exact over thousands of small chunks', () => {
  const kept = new UnacknowledgedBytes();
  const count = 5000;
  for (let i = 0; i < count; i++) kept.append([Uint8Array.of(i & 255, (i * 7) & 255)]);
  for (let offset = 0; offset < 2 * count; offset += 7) {
    expect(kept.acknowledge(offset)).toBe(true);
    const index = Math.floor(offset / 2);
    expect(kept.read(1)[0]).toBe(offset % 2 === 0 ? index & 255 : (index * 7) & 255);
  }
});
