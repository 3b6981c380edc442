import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  hash,
  hkdfSync,
  type KeyObject,
  scrypt,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { type AeadKey, type AgreementKey, type Crypto, PipevineError, type SigningKey } from '@pipevine/runtime';
import { isUsablePoint } from './curve-points.ts';

/** DER around raw 32-byte keys (RFC 8410, sections 4 and 7). */
const ED25519_PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex');
const ED25519_PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');
const X25519_PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex');
const X25519_PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');

const CIPHER = 'chacha20-poly1305';
const TAG_BYTES = 16;
const CIPHER_OPTIONS = { authTagLength: TAG_BYTES };
const MAX_HKDF_BYTES = 255 * 32;
const STRETCHED_BYTES = 32;
/** 128 N r = 32 MiB; `maxmem` must lie above it. */
const STRETCH_OPTIONS = { N: 2 ** 15, r: 8, p: 1, maxmem: 40 * 1024 * 1024 };

/** Making a public KeyObject costs a third of a verification, and few peers sign most of what a peer verifies. */
const MAX_CACHED_PUBLIC_KEYS = 256;

/** The runtime's primitives over node:crypto. Keys become KeyObjects once: raw bytes cost 10 us more at each use. */
export const nodeCrypto: Crypto = {
  sha256: (data) => plain(hash('sha256', data, 'buffer')),
  sha512: (data) => plain(hash('sha512', data, 'buffer')),

  hmacSha256: (key, data) => plain(createHmac('sha256', createSecretKey(key)).update(data).digest()),
  hmacSha512: (key, data) => plain(createHmac('sha512', createSecretKey(key)).update(data).digest()),

  hkdfSha256(inputKey, salt, info, length) {
    if (!Number.isInteger(length) || length < 0 || length > MAX_HKDF_BYTES) {
      throw new PipevineError('invalid-argument', `HKDF-SHA-256 gives 0 to ${MAX_HKDF_BYTES} bytes, not ${length}.`);
    }
    return length === 0 ? new Uint8Array(0) : new Uint8Array(hkdfSync('sha256', inputKey, salt, info, length));
  },

  signingKey,
  verify: verifyEd25519,
  agreementKey,
  aeadKey,

  equalConstantTime: (a, b) => a.length === b.length && timingSafeEqual(a, b),

  stretch: (password, salt) =>
    new Promise((resolve, reject) => {
      // In the thread pool: the event loop goes on.
      scrypt(password, salt, STRETCHED_BYTES, STRETCH_OPTIONS, (error, key) => {
        if (error === null) resolve(plain(key));
        else reject(new PipevineError('internal', `Stretching a password failed: ${error.message}`, { cause: error }));
      });
    }),
};

function signingKey(seed: Uint8Array): SigningKey {
  const key = privateKey(ED25519_PRIVATE, seed);
  return { publicKey: rawPublicKey(key), sign: (message) => plain(sign(null, message, key)) };
}

function agreementKey(seed: Uint8Array): AgreementKey {
  const key = privateKey(X25519_PRIVATE, seed);
  return {
    publicKey: rawPublicKey(key),
    agree(remotePublicKey) {
      const remote = publicKey(X25519_PUBLIC, expect32(remotePublicKey, 'An X25519 public key'));
      let secret: Buffer;
      try {
        secret = diffieHellman({ privateKey: key, publicKey: remote });
      } catch {
        // OpenSSL refuses to return the all-zero secret; with keys of the right kind and length nothing else fails.
        return undefined;
      }
      return secret.every((byte) => byte === 0) ? undefined : plain(secret);
    },
  };
}

function aeadKey(rawKey: Uint8Array): AeadKey {
  const key = createSecretKey(expect32(rawKey, 'A ChaCha20-Poly1305 key'));
  return {
    seal(nonce, plaintext, associatedData) {
      const cipher = createCipheriv(CIPHER, key, nonce, CIPHER_OPTIONS);
      if (associatedData !== undefined) cipher.setAAD(associatedData, { plaintextLength: plaintext.length });
      const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
      sealed.set(cipher.update(plaintext));
      cipher.final();
      sealed.set(cipher.getAuthTag(), plaintext.length);
      return sealed;
    },
    sealInParts(nonce, plaintext) {
      const cipher = createCipheriv(CIPHER, key, nonce, CIPHER_OPTIONS);
      const ciphertext = cipher.update(plaintext);
      cipher.final();
      return [ciphertext, cipher.getAuthTag()];
    },
    open(nonce, sealed, associatedData) {
      const length = sealed.length - TAG_BYTES;
      if (length < 0) return undefined;
      const decipher = createDecipheriv(CIPHER, key, nonce, CIPHER_OPTIONS);
      if (associatedData !== undefined) decipher.setAAD(associatedData, { plaintextLength: length });
      decipher.setAuthTag(sealed.subarray(length));
      const plaintext = decipher.update(sealed.subarray(0, length));
      try {
        decipher.final();
      } catch {
        return undefined;
      }
      return plain(plaintext);
    },
  };
}

function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32 || signature.length !== 64) return false;
  if (!isUsablePoint(key) || !isUsablePoint(signature.subarray(0, 32))) return false;
  try {
    return verify(null, message, cachedPublicKey(key), signature);
  } catch {
    // Bytes that are no point of the curve: a bad signature like any other.
    return false;
  }
}

const publicKeys = new Map<string, KeyObject>();

function cachedPublicKey(raw: Uint8Array): KeyObject {
  const name = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1');
  const known = publicKeys.get(name);
  if (known !== undefined) return known;
  const key = publicKey(ED25519_PUBLIC, raw);
  if (publicKeys.size >= MAX_CACHED_PUBLIC_KEYS) {
    const [oldest] = publicKeys.keys();
    if (oldest !== undefined) publicKeys.delete(oldest);
  }
  publicKeys.set(name, key);
  return key;
}

function privateKey(prefix: Buffer, seed: Uint8Array): KeyObject {
  const der = Buffer.concat([prefix, expect32(seed, 'A key seed')]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

function publicKey(prefix: Buffer, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' });
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return Uint8Array.from(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
}

function expect32(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length !== 32) throw new PipevineError('invalid-argument', `${what} has 32 bytes, not ${bytes.length}.`);
  return bytes;
}

/** The same bytes without Buffer's methods: Buffer's `slice` makes a view where Uint8Array's makes a copy. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
