import { PipevineError } from '../error/pipevine-error.ts';
import type { AeadKey, Crypto } from '../platform/crypto.ts';

const REKEY_PLAINTEXT = new Uint8Array(32);
const REKEY_NONCE = new Uint8Array([0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);

/**
 * One direction of a Noise session (revision 34, section 5.1): a ChaCha20-Poly1305 key and a 64-bit counter. The nonce
 * is 4 zero bytes and the counter, little-endian. The counter never wraps: it stops with an error at 2^53 - 1.
 */
export class CipherState {
  readonly #crypto: Crypto;
  #key: AeadKey;
  #counter = 0;
  readonly #nonce = new Uint8Array(12);
  readonly #nonceView = new DataView(this.#nonce.buffer);

  constructor(crypto: Crypto, key: Uint8Array) {
    this.#crypto = crypto;
    this.#key = crypto.aeadKey(key);
  }

  /** Number of the next `seal` or `open`. */
  get counter(): number {
    return this.#counter;
  }

  /** Seals under the next number. */
  seal(plaintext: Uint8Array, associatedData?: Uint8Array): Uint8Array {
    const sealed = this.sealAt(this.#counter, plaintext, associatedData);
    this.#counter++;
    return sealed;
  }

  /** Seals under the next number; ciphertext and tag apart. */
  sealInParts(plaintext: Uint8Array): readonly [ciphertext: Uint8Array, tag: Uint8Array] {
    const parts = this.#key.sealInParts(this.#nonceOf(this.#counter), plaintext);
    this.#counter++;
    return parts;
  }

  /** Opens under the next number, which is used up only when the bytes authenticate. */
  open(sealed: Uint8Array, associatedData?: Uint8Array): Uint8Array | undefined {
    const plaintext = this.openAt(this.#counter, sealed, associatedData);
    if (plaintext !== undefined) this.#counter++;
    return plaintext;
  }

  /** Seals under a number that the caller must never give twice. */
  sealAt(counter: number, plaintext: Uint8Array, associatedData?: Uint8Array): Uint8Array {
    return this.#key.seal(this.#nonceOf(counter), plaintext, associatedData);
  }

  /** Opens under a number that came with the bytes; the caller keeps replays away. */
  openAt(counter: number, sealed: Uint8Array, associatedData?: Uint8Array): Uint8Array | undefined {
    return this.#key.open(this.#nonceOf(counter), sealed, associatedData);
  }

  /** Replaces the key by REKEY(key) (sections 4.2 and 11.3); the counter goes on. */
  rekey(): void {
    this.#key = this.#crypto.aeadKey(this.#nextKey());
  }

  /** A state with the key REKEY(key) and counter 0, for use with `sealAt` and `openAt`; this one stays as it is. */
  rekeyed(): CipherState {
    return new CipherState(this.#crypto, this.#nextKey());
  }

  #nextKey(): Uint8Array {
    return this.#key.seal(REKEY_NONCE, REKEY_PLAINTEXT).slice(0, 32);
  }

  #nonceOf(counter: number): Uint8Array {
    if (!(counter < Number.MAX_SAFE_INTEGER)) {
      throw new PipevineError('internal', 'A cipher has used all its numbers; the session must be set up anew.');
    }
    this.#nonceView.setUint32(4, counter, true);
    this.#nonceView.setUint32(8, Math.floor(counter / 0x1_0000_0000), true);
    return this.#nonce;
  }
}
