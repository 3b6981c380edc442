import { hash } from 'node:crypto';
import { type AeadKey, type AgreementKey, type Crypto, PipevineError, type SigningKey } from '@pipevine/runtime';
import { nodeCrypto } from '@pipevine/transports';

const TAG_BYTES = 16;
const PRIME = 2n ** 255n - 19n;
const BASE = 9n;

/**
 * The runtime's primitives for simulations: an order of magnitude cheaper than the real ones, and worth nothing against
 * anybody who knows them. Peers notice no difference: what was changed, was signed by another key or sealed under another
 * does not verify, agreement commutes as X25519 does (also with shares that are results of an agreement), and all results
 * depend on nothing but the arguments. `stretch` settles in the same turn, which virtual time needs.
 */
export const simulatedCrypto: Crypto = withCheap({
  hmacSha256: (key, data) => digest(KIND.mac, key, data),
  hkdfSha256: expand,
  signingKey,
  verify: (publicKey, message, signature) =>
    publicKey.length === 32 && signature.length === 64 && sameBytes(signatureOf(publicKey, message), signature),
  agreementKey,
  aeadKey: (key) => new CheapAead(key),
  equalConstantTime: sameBytes,
  stretch: async (password: Uint8Array, salt: Uint8Array) => digest(KIND.stretch, password, salt),
});

/** Begins what is hashed, so that a result of one primitive is never one of another. */
const KIND = { mac: 1, derive: 2, publicKey: 3, signature: 4, stretch: 5 } as const;

/** What is not replaced is as in Node: hashes, and whatever the interface has besides. */
function withCheap(
  cheap: Partial<Crypto> & { stretch(password: Uint8Array, salt: Uint8Array): Promise<Uint8Array> },
): Crypto {
  return { ...nodeCrypto, ...cheap };
}

/** SHA-256 over the kind, the length of each part, and the part. */
function digest(kind: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const input = new Uint8Array(parts.reduce((length, part) => length + 4 + part.length, 1));
  const view = new DataView(input.buffer);
  input[0] = kind;
  let offset = 1;
  for (const part of parts) {
    view.setUint32(offset, part.length);
    input.set(part, offset + 4);
    offset += 4 + part.length;
  }
  const result = hash('sha256', input, 'buffer');
  return new Uint8Array(result.buffer, result.byteOffset, result.byteLength);
}

function expand(inputKey: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length);
  let block = digest(KIND.derive, inputKey, salt, info);
  for (let offset = 0; offset < length; offset += 32) {
    output.set(block.subarray(0, Math.min(32, length - offset)), offset);
    if (offset + 32 < length) block = digest(KIND.derive, block);
  }
  return output;
}

function signingKey(seed: Uint8Array): SigningKey {
  const publicKey = digest(KIND.publicKey, expect32(seed));
  return { publicKey, sign: (message) => signatureOf(publicKey, message) };
}

function signatureOf(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const half = digest(KIND.signature, publicKey, message);
  const signature = new Uint8Array(64);
  signature.set(half);
  signature.set(half, 32);
  return signature;
}

/** Multiplication modulo 2^255 - 19 in place of the curve's: it commutes, and zero stands for the points of small order. */
function agreementKey(seed: Uint8Array): AgreementKey {
  // As X25519 clamps: the scalar is never zero, whatever the seed.
  const scalar = (numberOf(expect32(seed)) % (PRIME - 1n)) + 1n;
  return {
    publicKey: bytesOf((scalar * BASE) % PRIME),
    agree(remotePublicKey) {
      const product = (scalar * numberOf(expect32(remotePublicKey))) % PRIME;
      return product === 0n ? undefined : bytesOf(product);
    },
  };
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`);
}

function bytesOf(number: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(number.toString(16).padStart(64, '0'), 'hex'));
}

/** Masks by four bytes that follow from key and nonce; the tag is a checksum that starts from both. */
class CheapAead implements AeadKey {
  readonly #a: number;
  readonly #b: number;

  constructor(key: Uint8Array) {
    [this.#a, this.#b] = checksum(0x9e3779b9, 0x243f6a88, expect32(key));
  }

  seal(nonce: Uint8Array, plaintext: Uint8Array, associatedData?: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
    const [a, b] = checksum(this.#a, this.#b, nonce);
    mask(a, plaintext, sealed);
    writeTag(a, b, plaintext, associatedData, sealed, plaintext.length);
    return sealed;
  }

  sealInParts(nonce: Uint8Array, plaintext: Uint8Array): readonly [Uint8Array, Uint8Array] {
    const sealed = this.seal(nonce, plaintext);
    return [sealed.subarray(0, plaintext.length), sealed.subarray(plaintext.length)];
  }

  open(nonce: Uint8Array, sealed: Uint8Array, associatedData?: Uint8Array): Uint8Array | undefined {
    const length = sealed.length - TAG_BYTES;
    if (length < 0) return undefined;
    const [a, b] = checksum(this.#a, this.#b, nonce);
    const plaintext = new Uint8Array(length);
    mask(a, sealed, plaintext);
    const tag = new Uint8Array(TAG_BYTES);
    writeTag(a, b, plaintext, associatedData, tag, 0);
    for (let i = 0; i < TAG_BYTES; i++) if (tag[i] !== sealed[length + i]) return undefined;
    return plaintext;
  }
}

/** Into as many bytes as the shorter of the two has. */
function mask(word: number, from: Uint8Array, to: Uint8Array): void {
  const length = Math.min(from.length, to.length);
  const whole = length & ~3;
  const [m0, m1, m2, m3] = [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24];
  for (let i = 0; i < whole; i += 4) {
    to[i] = (from[i] ?? 0) ^ m0;
    to[i + 1] = (from[i + 1] ?? 0) ^ m1;
    to[i + 2] = (from[i + 2] ?? 0) ^ m2;
    to[i + 3] = (from[i + 3] ?? 0) ^ m3;
  }
  for (let i = whole; i < length; i++) to[i] = (from[i] ?? 0) ^ (word >>> ((i & 3) << 3));
}

function writeTag(
  a: number,
  b: number,
  plaintext: Uint8Array,
  associatedData: Uint8Array | undefined,
  into: Uint8Array,
  offset: number,
): void {
  let [c, d] = checksum(a, b, plaintext);
  if (associatedData !== undefined) [c, d] = checksum(c ^ 0x5bd1e995, d ^ plaintext.length, associatedData);
  writeWord(c, into, offset);
  writeWord(d, into, offset + 4);
  writeWord(c ^ (b >>> 1), into, offset + 8);
  writeWord(d ^ a, into, offset + 12);
}

function writeWord(word: number, into: Uint8Array, offset: number): void {
  into[offset] = word >>> 24;
  into[offset + 1] = word >>> 16;
  into[offset + 2] = word >>> 8;
  into[offset + 3] = word;
}

/** Two lanes of a multiplying checksum over words of four bytes, each with a final mix. */
function checksum(a: number, b: number, bytes: Uint8Array): readonly [number, number] {
  const { length } = bytes;
  let c = a ^ length;
  let d = b;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const word =
      (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) | ((bytes[i + 3] ?? 0) << 24);
    c = Math.imul(c ^ word, 0x01000193);
    c ^= c >>> 15;
    d = Math.imul(d + word, 0x85ebca6b) ^ (d >>> 13);
  }
  for (let i = whole; i < length; i++) {
    c = Math.imul(c ^ (bytes[i] ?? 0), 0x01000193);
    d = Math.imul(d + (bytes[i] ?? 0), 0x85ebca6b);
  }
  return [mixed(c), mixed(d ^ c)];
}

function mixed(word: number): number {
  const once = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  return (once ^ (once >>> 13)) >>> 0;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

function expect32(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 32) throw new PipevineError('invalid-argument', `A key has 32 bytes, not ${bytes.length}.`);
  return bytes;
}
