import { expect, test } from 'vitest';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { MAX_MESSAGES_OF_ORIGIN, MAX_ORIGINS, ORIGIN_BURST, ORIGIN_PER_SECOND } from './resolver-defaults.ts';
import { SeenMessages } from './seen-messages.ts';

function origin(number: number): PeerId {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, number);
  return peerIdFromBytes(key);
}

function message(from: number, number: number) {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(0, number);
  return { origin: origin(from), id, issuedAtMs: 1_000 + number };
}

test('a message is new once, and ids of different origins have nothing to do with each other', () => {
  const seen = new SeenMessages();
  expect(seen.has(message(1, 1))).toBe(false);
  expect(seen.add(message(1, 1), 0)).toBe(true);
  expect([seen.has(message(1, 1)), seen.has(message(1, 2)), seen.has(message(2, 1))]).toEqual([true, false, false]);
});

test('what was forgotten for newer messages cannot be played again', () => {
  const seen = new SeenMessages();
  const spacingMs = 1_000 / ORIGIN_PER_SECOND;
  const count = 3 * MAX_MESSAGES_OF_ORIGIN;
  for (let i = 0; i < count; i++) expect(seen.add(message(1, i), i * spacingMs)).toBe(true);
  for (let i = 0; i < count; i++) expect(seen.has(message(1, i))).toBe(true);
  expect(seen.has(message(1, count))).toBe(false);
});

test('an origin may send so many at once, and so many a second; others are not concerned', () => {
  const seen = new SeenMessages();
  const taken = (from: number, nowMs: number) =>
    Array.from({ length: 100 }, (_, i) => seen.add(message(from, nowMs + i), nowMs)).filter(Boolean).length;
  expect([taken(1, 0), taken(2, 0), taken(1, 1_000)]).toEqual([ORIGIN_BURST, ORIGIN_BURST, ORIGIN_PER_SECOND]);
});

test('one that was refused for its rate may come again', () => {
  const seen = new SeenMessages();
  for (let i = 0; i < ORIGIN_BURST; i++) seen.add(message(1, i), 0);
  expect([seen.add(message(1, 99), 0), seen.has(message(1, 99))]).toEqual([false, false]);
  expect(seen.add(message(1, 99), 1_000)).toBe(true);
});

test('no more origins are remembered than the limit', () => {
  const seen = new SeenMessages();
  for (let i = 0; i < MAX_ORIGINS + 10; i++) seen.add(message(i, 1), 0);
  expect([seen.size, seen.evicted]).toEqual([MAX_ORIGINS, 10]);
});
