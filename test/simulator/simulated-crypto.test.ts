import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { simulatedCrypto } from './simulated-crypto.ts';

const random = seededRandom('simulated crypto');

/** What the simulated primitives must have in common with the real ones. */
for (const [name, crypto] of Object.entries({ simulatedCrypto, nodeCrypto })) {
  describe(name, () => {
    it('opens what was sealed, and nothing that was changed in a bit, by another key, nonce or associated data', () => {
      const rawKey = random.bytes(32);
      const key = crypto.aeadKey(rawKey);
      const nonce = random.bytes(12);
      const associated = random.bytes(5);
      for (const length of [0, 1, 3, 4, 17, 300]) {
        const plaintext = random.bytes(length);
        const sealed = key.seal(nonce, plaintext, associated);
        expect(sealed).toHaveLength(length + 16);
        expect(crypto.aeadKey(rawKey).open(nonce, sealed, associated)).toEqual(plaintext);
        if (length > 3) expect(sealed.subarray(0, length)).not.toEqual(plaintext);
        for (let bit = 0; bit < sealed.length * 8; bit += 5) {
          const changed = sealed.slice();
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expect(key.open(nonce, changed, associated)).toBeUndefined();
        }
        expect(crypto.aeadKey(random.bytes(32)).open(nonce, sealed, associated)).toBeUndefined();
        expect(key.open(random.bytes(12), sealed, associated)).toBeUndefined();
        expect(key.open(nonce, sealed, random.bytes(5))).toBeUndefined();
        expect(key.open(nonce, sealed)).toBeUndefined();
        expect(key.open(nonce, sealed.subarray(0, 15), associated)).toBeUndefined();
        const [ciphertext, tag] = key.sealInParts(nonce, plaintext);
        expect(key.open(nonce, Uint8Array.from([...ciphertext, ...tag]))).toEqual(plaintext);
      }
    });

    it('verifies what its key signed, and nothing else', () => {
      const key = crypto.signingKey(random.bytes(32));
      const message = random.bytes(50);
      const signature = key.sign(message);
      expect(signature).toHaveLength(64);
      expect(crypto.verify(key.publicKey, message, signature)).toBe(true);
      expect(crypto.verify(crypto.signingKey(random.bytes(32)).publicKey, message, signature)).toBe(false);
      expect(crypto.verify(key.publicKey, random.bytes(50), signature)).toBe(false);
      expect(crypto.verify(key.publicKey, message, random.bytes(64))).toBe(false);
      expect(crypto.verify(key.publicKey.subarray(1), message, signature)).toBe(false);
      expect(crypto.verify(key.publicKey, message, signature.subarray(1))).toBe(false);
    });

    it('agrees on one secret in either order, also on a share that is a result, and not with zero', () => {
      const a = crypto.agreementKey(random.bytes(32));
      const b = crypto.agreementKey(random.bytes(32));
      const stranger = crypto.agreementKey(random.bytes(32));
      const secret = a.agree(b.publicKey);
      expect(secret).toHaveLength(32);
      expect(b.agree(a.publicKey)).toEqual(secret);
      expect(stranger.agree(a.publicKey)).not.toEqual(secret);
      const generator = stranger.publicKey;
      const [fromA, fromB] = [a.agree(generator), b.agree(generator)];
      if (fromA === undefined || fromB === undefined) throw new Error('no share');
      expect(a.agree(fromB)).toEqual(b.agree(fromA));
      expect(a.agree(new Uint8Array(32))).toBeUndefined();
    });

    it('derives by every argument', () => {
      const [key, salt, info] = [random.bytes(32), random.bytes(32), random.bytes(9)];
      const derived = crypto.hkdfSha256(key, salt, info, 77);
      expect(derived).toHaveLength(77);
      expect(crypto.hkdfSha256(key, salt, info, 77)).toEqual(derived);
      for (const other of [
        crypto.hkdfSha256(random.bytes(32), salt, info, 77),
        crypto.hkdfSha256(key, random.bytes(32), info, 77),
        crypto.hkdfSha256(key, salt, random.bytes(9), 77),
        crypto.hmacSha256(key, salt),
      ]) {
        expect(other.subarray(0, 32)).not.toEqual(derived.subarray(0, 32));
      }
      expect(crypto.hmacSha256(key, info)).not.toEqual(crypto.hmacSha256(salt, info));
      expect(crypto.equalConstantTime(key, key.slice())).toBe(true);
      expect(crypto.equalConstantTime(key, salt)).toBe(false);
    });
  });
}
