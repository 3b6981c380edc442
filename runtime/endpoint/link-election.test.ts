import { expect, test } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { type Candidate, decides, preferred } from './link-election.ts';

/** Ids whose order as bytes and as text differ: base32 has digits after letters, ASCII before. */
const SMALL = peerIdFromBytes(new Uint8Array(32).fill(0x08));
const LARGE = peerIdFromBytes(new Uint8Array(32).fill(0xf8));

function link(local: typeof SMALL, remote: typeof SMALL, dialled: boolean): Candidate {
  return { localPeer: local, remotePeer: remote, dialled };
}

test('the peer with the smaller id, as bytes, decides', () => {
  expect(LARGE < SMALL).toBe(true);
  expect(decides(link(SMALL, LARGE, true))).toBe(true);
  expect(decides(link(LARGE, SMALL, true))).toBe(false);
});

test('both sides of a simultaneous dial prefer the same link, in whatever order they see them', () => {
  const atSmall = { own: link(SMALL, LARGE, true), other: link(SMALL, LARGE, false) };
  const atLarge = { own: link(LARGE, SMALL, true), other: link(LARGE, SMALL, false) };
  // The one that the peer with the smaller id has dialled.
  expect(preferred(atSmall.own, atSmall.other)).toBe(atSmall.own);
  expect(preferred(atSmall.other, atSmall.own)).toBe(atSmall.own);
  expect(preferred(atLarge.own, atLarge.other)).toBe(atLarge.other);
  expect(preferred(atLarge.other, atLarge.own)).toBe(atLarge.other);
});

test('of two links that the same side dialled the newer is preferred', () => {
  const older = link(SMALL, LARGE, false);
  const newer = link(SMALL, LARGE, false);
  expect(preferred(older, newer)).toBe(newer);
});
