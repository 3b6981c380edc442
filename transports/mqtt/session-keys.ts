import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { nodeCrypto } from '../node/node-crypto.ts';

/** Bytes of the tag at the end of a frame. */
export const TAG_BYTES = 8;

/** Makes and checks the tags of one direction of a session: HMAC-SHA-256 (RFC 2104), its first 8 bytes. */
export class FrameTagger {
  readonly #key: KeyObject;

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  tag(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(createHmac('sha256', this.#key).update(bytes).digest().subarray(0, TAG_BYTES));
  }

  matches(bytes: Uint8Array, tag: Uint8Array): boolean {
    return nodeCrypto.equalConstantTime(this.tag(bytes), tag);
  }
}

export interface SessionKeys {
  readonly fromDialler: FrameTagger;
  readonly fromListener: FrameTagger;
}

/** A listener's id: SHA-256 of its X25519 public key, the first 16 bytes as hex. Who dials the id checks the key. */
export function listenerId(publicKey: Uint8Array): string {
  return Buffer.from(nodeCrypto.sha256(publicKey).subarray(0, 16)).toString('hex');
}

/** HKDF-SHA-256 of the shared secret, salted with session id and both public keys: 32 bytes for either direction. */
export function sessionKeys(
  shared: Uint8Array,
  sessionId: Uint8Array,
  diallerKey: Uint8Array,
  listenerKey: Uint8Array,
): SessionKeys {
  const salt = Buffer.concat([sessionId, diallerKey, listenerKey]);
  const keys = nodeCrypto.hkdfSha256(shared, salt, Buffer.from('pipevine/1 mqtt session'), 64);
  return { fromDialler: new FrameTagger(keys.slice(0, 32)), fromListener: new FrameTagger(keys.slice(32)) };
}
