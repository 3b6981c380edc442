import { readFileSync } from 'node:fs';
import { decode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { type CborInput, encodeCanonical } from '../wire/encode.ts';
import type { PeerInfo } from './peer-info.ts';
import { decodeInfoQuery, decodePeerInfo, encodeInfoQuery, encodePeerInfo } from './peer-info-codec.ts';
import { MAX_INFO_BYTES } from './peer-info-defaults.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/peerinfo.cddl', import.meta.url), 'utf8'));
const read = (bytes: Uint8Array): unknown => decode(bytes, { useMaps: true, strict: true });
const bytes32 = (byte: number) => new Uint8Array(32).fill(byte);

const LINK = { peer: peerIdFromBytes(bytes32(2)), transport: 'tcp', address: 'tcp://10.0.0.2:7473', rttMs: 1.25 };
const INFO: PeerInfo = {
  name: 'Küche',
  version: '0.1.0',
  roles: ['gateway'],
  uptimeMs: 61_000,
  bytesIn: 2 ** 40,
  bytesOut: 0,
  memoryBytes: 50_000_000,
  linkCount: 2,
  groups: [groupIdFromBytes(bytes32(9))],
  links: [LINK, { ...LINK, rttMs: undefined }],
};
const BARE: PeerInfo = { ...INFO, roles: [], memoryBytes: undefined, groups: [], links: undefined };

/** The members of an answer, with one replaced. */
function changed(key: number, value: CborInput | undefined): Uint8Array {
  const members = decodedMap(encodePeerInfo(INFO));
  return encodeCanonical(new Map<number, CborInput | undefined>([...members, [key, value]]));
}

// The decoder gives what CborInput admits: it reads our own encoding.
const decodedMap = (bytes: Uint8Array) => read(bytes) as Map<number, CborInput>;

describe('peer information', () => {
  it.each([INFO, BARE])('is read back as it was written, in the documented shape', (info) => {
    const encoded = encodePeerInfo(info);
    expect(decodePeerInfo(encoded)).toEqual(info);
    expect(cddl.matches('answer', read(encoded))).toBe(true);
  });

  it('is asked for with and without links', () => {
    for (const links of [true, false]) {
      expect(decodeInfoQuery(encodeInfoQuery({ links }))).toEqual({ links });
      expect(cddl.matches('query', read(encodeInfoQuery({ links })))).toBe(true);
    }
  });

  it('leaves out what is too much for an answer, and stays within its size', () => {
    const address = `tcp://${'h'.repeat(506)}`;
    const links = Array.from({ length: 300 }, () => ({ ...LINK, address }));
    const encoded = encodePeerInfo({ ...INFO, links, linkCount: 300 });
    expect(encoded.length).toBeLessThanOrEqual(MAX_INFO_BYTES);
    expect(decodePeerInfo(encoded)).toMatchObject({ linkCount: 300, links: { length: 64 } });
  });

  it.each([
    ['a missing name', changed(1, undefined)],
    ['a name that is too long', changed(1, 'x'.repeat(513))],
    ['a negative uptime', changed(4, -1)],
    ['a group of 31 bytes', changed(9, [new Uint8Array(31)])],
    ['too many links', changed(10, Array(65).fill([bytes32(2), 'tcp', 'tcp://a:1', null]))],
    ['a link without its round trip', changed(10, [[bytes32(2), 'tcp', 'tcp://a:1']])],
    ['a round trip that is a text', changed(10, [[bytes32(2), 'tcp', 'tcp://a:1', 'fast']])],
    ['an array', encodeCanonical([1, 2])],
  ])('refuses %s, as the document does', (_what, encoded) => {
    expect(() => decodePeerInfo(encoded)).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(cddl.matches('answer', read(encoded))).toBe(false);
  });

  it('is refused at every length but its own, and beyond the limit unread', () => {
    const encoded = encodePeerInfo(INFO);
    for (let end = 0; end < encoded.length; end++) {
      expect(() => decodePeerInfo(encoded.subarray(0, end))).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
    expect(() => decodePeerInfo(new Uint8Array(MAX_INFO_BYTES + 1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
    expect(() => decodeInfoQuery(new Uint8Array(65))).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});
