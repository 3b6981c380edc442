import { describe, expect, it } from 'vitest';
import { parsePeerId, peerIdFromBytes, peerIdToBytes, shortPeerId } from './peer-id.ts';

const key = Uint8Array.from({ length: 32 }, (_, index) => index);

describe('a peer id', () => {
  it('is the public key, as a URN', () => {
    const id = peerIdFromBytes(key);
    expect(id).toBe('urn:pipevine:peer:aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq');
    expect(peerIdToBytes(id)).toEqual(key);
    expect(shortPeerId(id)).toBe('aaaqeaye');
  });

  it('is read with and without its prefix, in either case, to the same text', () => {
    const id = peerIdFromBytes(key);
    expect(parsePeerId(id)).toBe(id);
    expect(parsePeerId(id.slice('urn:pipevine:peer:'.length).toUpperCase())).toBe(id);
  });

  it.each(['', 'lamp', 'urn:pipevine:peer:', 'urn:pipevine:group:aaaq', `${'a'.repeat(51)}1`])('refuses %j', (text) => {
    expect(() => parsePeerId(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  it('has 32 bytes', () => {
    expect(() => peerIdFromBytes(new Uint8Array(31))).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});
