/**
 * The handshake of the Noise Protocol Framework (revision 34) with X25519, ChaChaPoly and SHA-256: HandshakeState and
 * SymmetricState of section 5 as one object. No input or output, no clock.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { AgreementKey, Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { CipherState } from './cipher-state.ts';
import type { NoisePattern, NoiseToken } from './noise-pattern.ts';

/** Longest Noise message, in bytes (section 3). */
const MAX_MESSAGE_BYTES = 65_535;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const EMPTY = new Uint8Array(0);

export interface HandshakeInit {
  readonly pattern: NoisePattern;
  readonly role: 'initiator' | 'responder';
  readonly crypto: Crypto;
  /** Gives the ephemeral key. */
  readonly random: Random;
  /** What both sides must agree on beforehand; see LINK_PROLOGUE and pipePrologue. */
  readonly prologue: Uint8Array;
  readonly localStatic: AgreementKey;
  /** The responder's static key: the initiator of IK and X must give it. */
  readonly remoteStaticKey?: Uint8Array;
}

/** The two directions of a finished handshake. */
export interface SessionCiphers {
  readonly send: CipherState;
  readonly receive: CipherState;
}

export class Handshake {
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #pattern: NoisePattern;
  readonly #initiator: boolean;
  readonly #localStatic: AgreementKey;
  #localEphemeral: AgreementKey | undefined;
  #remoteEphemeral: Uint8Array | undefined;
  #remoteStatic: Uint8Array | undefined;
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  #cipher: CipherState | undefined;
  /** Number of the cipher's next use; kept here and not in the cipher, so that a failed message can be undone. */
  #counter = 0;
  #messages = 0;

  constructor(init: HandshakeInit) {
    this.#crypto = init.crypto;
    this.#random = init.random;
    this.#pattern = init.pattern;
    this.#initiator = init.role === 'initiator';
    this.#localStatic = init.localStatic;
    // A protocol name of at most 32 bytes is padded with zeros, a longer one hashed (section 5.2).
    const name = new TextEncoder().encode(`Noise_${init.pattern.name}_25519_ChaChaPoly_SHA256`);
    this.#hash = name.length <= 32 ? padded(name) : init.crypto.sha256(name);
    this.#chainingKey = this.#hash;
    this.#mixHash(init.prologue);
    if (init.pattern.knowsResponder) {
      const key = this.#initiator ? init.remoteStaticKey : init.localStatic.publicKey;
      if (key?.length !== KEY_BYTES) {
        throw new PipevineError(
          'invalid-argument',
          `Pattern ${init.pattern.name} needs the responder's static key of ${KEY_BYTES} bytes.`,
        );
      }
      if (this.#initiator) this.#remoteStatic = key;
      this.#mixHash(key);
    }
  }

  /** Whether all messages have passed: then `split`. */
  get finished(): boolean {
    return this.#messages === this.#pattern.messages.length;
  }

  /** The other side's static key, once known. */
  get remoteStaticKey(): Uint8Array | undefined {
    return this.#remoteStatic;
  }

  /** Binds anything to this session (section 11.2), 32 bytes; the same on both sides once finished. */
  get handshakeHash(): Uint8Array {
    return this.#hash.slice();
  }

  /** Makes this side's next message around `payload`. */
  writeMessage(payload: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const token of this.#nextTokens(true)) {
      if (token === 'e') {
        this.#localEphemeral = this.#crypto.agreementKey(this.#random.bytes(KEY_BYTES));
        parts.push(this.#localEphemeral.publicKey);
        this.#mixHash(this.#localEphemeral.publicKey);
      } else if (token === 's') {
        parts.push(this.#encryptAndHash(this.#localStatic.publicKey));
      } else {
        this.#mixAgreement(token);
      }
    }
    parts.push(this.#encryptAndHash(payload));
    this.#messages++;
    const message = joinBytes(parts);
    if (message.length > MAX_MESSAGE_BYTES) {
      throw new PipevineError('invalid-argument', `A handshake message may have ${MAX_MESSAGE_BYTES} bytes at most.`);
    }
    return message;
  }

  /**
   * Reads the other side's next message and returns its payload. Throws `malformed` when it is too short or too long and
   * `forged` when it does not authenticate; the handshake is then as it was before, so that the right message may
   * still come.
   */
  readMessage(message: Uint8Array): Uint8Array {
    const tokens = this.#nextTokens(false);
    const saved = {
      remoteEphemeral: this.#remoteEphemeral,
      remoteStatic: this.#remoteStatic,
      chainingKey: this.#chainingKey,
      hash: this.#hash,
      cipher: this.#cipher,
      counter: this.#counter,
    };
    try {
      return this.#read(tokens, message);
    } catch (error) {
      this.#remoteEphemeral = saved.remoteEphemeral;
      this.#remoteStatic = saved.remoteStatic;
      this.#chainingKey = saved.chainingKey;
      this.#hash = saved.hash;
      this.#cipher = saved.cipher;
      this.#counter = saved.counter;
      throw error;
    }
  }

  /** The session's ciphers. Throws `invalid-argument` before the last message. */
  split(): SessionCiphers {
    if (!this.finished) throw new PipevineError('invalid-argument', 'The handshake is not finished: no session yet.');
    const keys = this.#crypto.hkdfSha256(EMPTY, this.#chainingKey, EMPTY, 2 * KEY_BYTES);
    const first = new CipherState(this.#crypto, keys.slice(0, KEY_BYTES));
    const second = new CipherState(this.#crypto, keys.slice(KEY_BYTES));
    return this.#initiator ? { send: first, receive: second } : { send: second, receive: first };
  }

  #read(tokens: readonly NoiseToken[], message: Uint8Array): Uint8Array {
    let at = 0;
    const take = (length: number): Uint8Array => {
      if (message.length - at < length) {
        throw new PipevineError('malformed', `A handshake message of ${message.length} bytes is too short.`);
      }
      at += length;
      return message.slice(at - length, at);
    };
    if (message.length > MAX_MESSAGE_BYTES) {
      throw new PipevineError('malformed', `A handshake message of ${message.length} bytes is too long.`);
    }
    for (const token of tokens) {
      if (token === 'e') {
        this.#remoteEphemeral = take(KEY_BYTES);
        this.#mixHash(this.#remoteEphemeral);
      } else if (token === 's') {
        this.#remoteStatic = this.#decryptAndHash(take(KEY_BYTES + (this.#cipher === undefined ? 0 : TAG_BYTES)));
      } else {
        this.#mixAgreement(token);
      }
    }
    const payload = this.#decryptAndHash(message.slice(at));
    this.#messages++;
    return payload;
  }

  #nextTokens(write: boolean): readonly NoiseToken[] {
    const tokens = this.#pattern.messages[this.#messages];
    const ours = (this.#messages % 2 === 0) === this.#initiator;
    if (tokens === undefined || ours !== write) {
      const what =
        tokens === undefined ? 'it is finished' : ours ? 'this side writes next' : 'the other side writes next';
      throw new PipevineError('invalid-argument', `The handshake takes no such step now: ${what}.`);
    }
    return tokens;
  }

  #mixAgreement(token: 'ee' | 'es' | 'se' | 'ss'): void {
    // The first letter is the initiator's key, the second the responder's.
    const ownIsEphemeral = token[this.#initiator ? 0 : 1] === 'e';
    const otherIsEphemeral = token[this.#initiator ? 1 : 0] === 'e';
    const own = ownIsEphemeral ? this.#localEphemeral : this.#localStatic;
    const other = otherIsEphemeral ? this.#remoteEphemeral : this.#remoteStatic;
    if (own === undefined || other === undefined) {
      throw new PipevineError('internal', `The handshake pattern uses ${token} before its keys are known.`);
    }
    const secret = own.agree(other);
    if (secret === undefined) {
      throw new PipevineError('forged', 'The other side sent a key of small order; no secret can be agreed with it.');
    }
    const keys = this.#crypto.hkdfSha256(secret, this.#chainingKey, EMPTY, 2 * KEY_BYTES);
    this.#chainingKey = keys.slice(0, KEY_BYTES);
    this.#cipher = new CipherState(this.#crypto, keys.slice(KEY_BYTES));
    this.#counter = 0;
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = this.#crypto.sha256(joinBytes([this.#hash, data]));
  }

  #encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const sealed = this.#cipher === undefined ? plaintext : this.#cipher.sealAt(this.#counter++, plaintext, this.#hash);
    this.#mixHash(sealed);
    return sealed;
  }

  #decryptAndHash(sealed: Uint8Array): Uint8Array {
    const plaintext = this.#cipher === undefined ? sealed : this.#cipher.openAt(this.#counter++, sealed, this.#hash);
    if (plaintext === undefined) {
      throw new PipevineError(
        'forged',
        'A handshake message does not authenticate: wrong key, prologue or changed bytes.',
      );
    }
    this.#mixHash(sealed);
    return plaintext;
  }
}

function padded(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes.set(name);
  return bytes;
}
