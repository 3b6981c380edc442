import { expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { DialBook } from './dial-book.ts';

const ALICE = peerIdFromBytes(new Uint8Array(32).fill(1));
const BOB = peerIdFromBytes(new Uint8Array(32).fill(2));
const FAILURE = new PipevineError('unreachable', 'nobody there');

test('an address rests longer after each failure, and not at all after a success', () => {
  const book = new DialBook(10);
  const rests = Array.from({ length: 8 }, () => {
    book.failed(ALICE, 'mem://a', FAILURE, 0, 1_000);
    return book.restsUntilMs(ALICE, 'mem://a', false) - 1_000;
  });
  expect(rests).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  expect(book.restsUntilMs(ALICE, 'mem://a', true)).toBe(1_200);
  book.linked(ALICE, 'mem://a', 0);
  expect(book.restsUntilMs(ALICE, 'mem://a', false)).toBe(0);
});

test("what one peer's address did says nothing for another peer", () => {
  const book = new DialBook(10);
  book.failed(ALICE, 'mem://x', new PipevineError('wrong-peer', 'somebody else'), 5, 1_000);
  expect(book.restsUntilMs(BOB, 'mem://x', false)).toBe(0);
  expect(book.attempts(ALICE)).toEqual([
    { address: 'mem://x', outcome: 'wrong-peer', message: 'somebody else', atMs: 5, failures: 1 },
  ]);
  expect(book.attempts(BOB)).toEqual([]);
});

test('an address where the peer was reached is tried again, until somebody else answers there', () => {
  const book = new DialBook(10);
  book.linked(ALICE, 'mem://old', 1);
  book.linked(ALICE, 'mem://new', 2);
  book.failed(ALICE, 'mem://never', FAILURE, 3, 3);
  expect(book.provenAddresses(ALICE)).toEqual(['mem://new', 'mem://old']);
  book.failed(ALICE, 'mem://new', FAILURE, 4, 4);
  expect(book.provenAddresses(ALICE)).toContain('mem://new');
  book.failed(ALICE, 'mem://new', new PipevineError('wrong-peer', ''), 5, 5);
  expect(book.provenAddresses(ALICE)).toEqual(['mem://old']);
});

test('only the latest outcomes are remembered, and it counts what it forgot', () => {
  const book = new DialBook(3);
  for (let i = 0; i < 10; i++) book.linked(ALICE, `mem://${i}`, i);
  expect([book.size, book.forgotten]).toEqual([3, 7]);
  expect(book.attempts(ALICE).map((attempt) => attempt.address)).toEqual(['mem://7', 'mem://8', 'mem://9']);
});
