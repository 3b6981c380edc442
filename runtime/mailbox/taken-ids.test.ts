import { nodeCrypto } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import type { StorageChange } from '../platform/storage.ts';
import { TakenIds } from './taken-ids.ts';

const peer = (n: number) => peerIdFromBytes(nodeCrypto.signingKey(new Uint8Array(32).fill(n)).publicKey);
const [alice, bob] = [peer(1), peer(2)];
const id = (n: number) => Uint8Array.from([n & 255, n >> 8, ...new Uint8Array(14)]);

/** A memory and the rows that its changes made. */
function memory(bounds = { perSender: 3, total: 5 }) {
  const rows = new Map<string, Uint8Array>();
  const apply = (changes: readonly StorageChange[]) => {
    for (const { key, value } of changes) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  };
  const open = () => new TakenIds('taken', [...rows].reverse(), bounds);
  return { rows, apply, open };
}

describe('the memory of taken messages', () => {
  it('is the same after a restart, whatever the order of its rows', () => {
    const { apply, open, rows } = memory();
    let taken = open();
    for (const n of [3, 1, 2]) apply(taken.add(alice, id(n)));
    taken = open();
    apply(taken.add(alice, id(4)));
    expect([1, 2, 3, 4].map((n) => taken.has(alice, id(n)))).toEqual([true, true, false, true]);
    expect(taken.has(bob, id(1))).toBe(false);
    expect(rows.size).toBe(3);
  });

  it('is shortened of the sender that has most, when all are too many', () => {
    const { apply, open, rows } = memory();
    const taken = open();
    for (const n of [1, 2, 3]) apply(taken.add(alice, id(n)));
    for (const n of [1, 2]) apply(taken.add(bob, id(n)));
    apply(taken.add(peer(3), id(1)));
    expect([1, 2, 3].map((n) => taken.has(alice, id(n)))).toEqual([false, true, true]);
    expect([1, 2].map((n) => taken.has(bob, id(n)))).toEqual([true, true]);
    expect([taken.size, rows.size, taken.evicted]).toEqual([5, 5, 1]);
  });

  it('takes back what did not become durable', () => {
    const taken = memory().open();
    taken.add(alice, id(1));
    taken.forget(alice, id(1));
    expect(taken.has(alice, id(1))).toBe(false);
    expect(taken.size).toBe(0);
  });
});
