import { expect, test } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { StallBook } from './stall-book.ts';

const ALICE = peerIdFromBytes(new Uint8Array(32).fill(1));
const BOB = peerIdFromBytes(new Uint8Array(32).fill(2));
const MINUTE = 60_000;

test('what stalled goes behind for a minute, twice as long each time that repeats, up to ten', () => {
  const book = new StallBook(10);
  let now = 0;
  const lengths = [];
  for (let i = 0; i < 6; i++) {
    book.stalled(ALICE, 'tcp://10.0.0.1:50001', now);
    const from = now;
    while (book.isBehind(ALICE, 'tcp://10.0.0.1:7473', now)) now += MINUTE;
    lengths.push((now - from) / MINUTE);
  }
  expect(lengths).toEqual([1, 2, 4, 8, 10, 10]);
  // Long ago, it says nothing any more.
  now += 11 * MINUTE;
  book.stalled(ALICE, 'tcp://10.0.0.1:50001', now);
  expect(book.isBehind(ALICE, 'tcp://10.0.0.1:7473', now + MINUTE - 1)).toBe(true);
  expect(book.isBehind(ALICE, 'tcp://10.0.0.1:7473', now + MINUTE)).toBe(false);
});

test('it counts for all addresses of the scheme, and for that peer alone', () => {
  const book = new StallBook(10);
  book.stalled(ALICE, 'tcp://10.0.0.1:50001', 0);
  expect(book.isBehind(ALICE, 'tcp://[fd00::1]:7473', 1)).toBe(true);
  expect(book.isBehind(ALICE, 'udp://10.0.0.1:50001', 1)).toBe(false);
  expect(book.isBehind(BOB, 'tcp://10.0.0.1:50001', 1)).toBe(false);
});
