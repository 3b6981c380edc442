import { expect, test } from 'vitest';
import { groupIdFromBytes } from '../id/group-id.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { PropagationState } from './propagation-state.ts';
import { CLOCK_TOLERANCE_MS, MAX_TTL_HOPS } from './resolver-defaults.ts';

const peer = (number: number) => peerIdFromBytes(new Uint8Array(32).fill(number));
const [self, origin, hop] = [peer(1), peer(2), peer(3)];
const group = groupIdFromBytes(new Uint8Array(32).fill(9));
const WALL_MS = 1_000_000_000;
const message = { id: new Uint8Array(16), group, origin, issuedAtMs: WALL_MS, timeoutMs: 2_000 };
const arrival = { from: hop, path: [origin, hop], ttlHops: 1 };
const refusal = (code: string) => expect.objectContaining({ code });

test('a message is new until it was taken', () => {
  const state = new PropagationState(group, self);
  expect(state.isNew(message, arrival, WALL_MS)).toBe(true);
  state.take(message, 0);
  expect(state.isNew(message, arrival, WALL_MS)).toBe(false);
});

test('a message that went through here before is none', () => {
  const state = new PropagationState(group, self);
  expect(state.isNew(message, { ...arrival, path: [origin, self, hop] }, WALL_MS)).toBe(false);
  expect(state.isNew({ ...message, origin: self }, { ...arrival, path: [self, hop] }, WALL_MS)).toBe(false);
});

test('a path begins with the origin, ends with the sender and is no longer than the largest ttl allows', () => {
  const state = new PropagationState(group, self);
  const judge = (change: Partial<typeof arrival>) => () => state.isNew(message, { ...arrival, ...change }, WALL_MS);
  expect(judge({ path: [hop] })).toThrow(refusal('malformed'));
  expect(judge({ path: [origin] })).toThrow(refusal('malformed'));
  expect(judge({ path: [] })).toThrow(refusal('malformed'));
  expect(judge({ ttlHops: MAX_TTL_HOPS })).toThrow(refusal('malformed'));
  expect(judge({ ttlHops: MAX_TTL_HOPS - 1 })()).toBe(true);
});

test('a message is taken for as long as clocks may differ and its query runs', () => {
  const state = new PropagationState(group, self);
  const at = (wallMs: number) => () => state.isNew(message, arrival, wallMs);
  expect(at(WALL_MS + CLOCK_TOLERANCE_MS + 2_000)()).toBe(true);
  expect(at(WALL_MS - CLOCK_TOLERANCE_MS)()).toBe(true);
  expect(at(WALL_MS + CLOCK_TOLERANCE_MS + 2_001)).toThrow(refusal('expired'));
  expect(at(WALL_MS - CLOCK_TOLERANCE_MS - 1)).toThrow(refusal('expired'));
});

test('a message of another group is refused', () => {
  const state = new PropagationState(groupIdFromBytes(new Uint8Array(32).fill(8)), self);
  expect(() => state.isNew(message, arrival, WALL_MS)).toThrow(refusal('refused'));
});
