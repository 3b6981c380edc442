import { createPublicKey, verify } from 'node:crypto';
import { nodeCrypto } from '@pipevine/transports';
import { decode as decodeIndependently } from 'cborg';
import { describe, expect, it } from 'vitest';
import { identityFromSeed } from '../id/identity.ts';
import { shortPeerId } from '../id/peer-id.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { makeIdentityPayload, requireCommonVersion, verifyIdentityPayload } from './identity-payload.ts';

const ALICE = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(1));
const BOB = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(2));
const staticKey = ALICE.agreement.publicKey;
const payload = makeIdentityPayload(ALICE, { versions: [1], maxRecordBytes: 4_096, credential: new Uint8Array(5) });
const code = (value: string) => expect.objectContaining({ name: 'PipevineError', code: value });

describe('an identity payload', () => {
  it('proves who holds the static key, and carries the claims', () => {
    expect(verifyIdentityPayload(nodeCrypto, payload, staticKey, ALICE.id)).toEqual({
      peer: ALICE.id,
      versions: [1],
      maxRecordBytes: 4_096,
      credential: new Uint8Array(5),
    });
  });

  it('verifies with an independent decoder and plain Ed25519 over the documented bytes', () => {
    const map = decodeIndependently(payload, { useMaps: true }) as Map<number, Uint8Array>;
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), map.get(1) ?? Buffer.alloc(0)]);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const signed = Buffer.concat([Buffer.from('pipevine/1 noise static key'), staticKey]);
    expect(verify(null, signed, key, map.get(2) ?? Buffer.alloc(0))).toBe(true);
  });

  it('is forged when the static key is another', () => {
    const other = BOB.agreement.publicKey;
    expect(() => verifyIdentityPayload(nodeCrypto, payload, other)).toThrowError(code('forged'));
  });

  it('is forged when the public key is another', () => {
    const swapped = payload.slice();
    swapped.set(BOB.signing.publicKey, Buffer.from(payload).indexOf(ALICE.signing.publicKey));
    expect(() => verifyIdentityPayload(nodeCrypto, swapped, staticKey)).toThrowError(code('forged'));
  });

  it('names both peers when another one than expected answers', () => {
    const names = new RegExp(`${shortPeerId(BOB.id)}.*${shortPeerId(ALICE.id)}`);
    expect(() => verifyIdentityPayload(nodeCrypto, payload, staticKey, BOB.id)).toThrowError(
      expect.objectContaining({ code: 'wrong-peer', message: expect.stringMatching(names) }),
    );
  });

  it.each<[string, Uint8Array, string]>([
    ['no map', encodeCanonical([1]), 'malformed'],
    ['an empty map', encodeCanonical(new Map()), 'malformed'],
    ['a short public key', encodeCanonical(new Map([[1, new Uint8Array(31)]])), 'malformed'],
    ['bytes after it', Uint8Array.from([...payload, 0]), 'malformed'],
    ['too many bytes', new Uint8Array(6_000), 'too-large'],
  ])('is refused when it is %s', (_, bytes, expected) => {
    expect(() => verifyIdentityPayload(nodeCrypto, bytes, staticKey)).toThrowError(code(expected));
  });

  it('is refused where no common version is spoken', () => {
    const later = makeIdentityPayload(ALICE, { versions: [2, 3] });
    const verified = verifyIdentityPayload(nodeCrypto, later, staticKey);
    expect(() => requireCommonVersion(verified)).toThrowError(code('unsupported'));
  });
});
