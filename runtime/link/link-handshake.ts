import { PipevineError } from '../error/pipevine-error.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import {
  makeIdentityPayload,
  requireCommonVersion,
  type VerifiedIdentity,
  verifyIdentityPayload,
} from './identity-payload.ts';
import { MAX_RECORD_PLAINTEXT_BYTES, PROTOCOL_VERSION } from './link-defaults.ts';
import { Handshake, type SessionCiphers } from './noise-handshake.ts';
import { NOISE_IK, NOISE_XX } from './noise-pattern.ts';
import { LINK_PROLOGUE } from './prologue.ts';

/** The first byte of a handshake: which pattern follows. */
export const PatternCode = { xx: 0, ik: 1 } as const;
export type PatternCode = (typeof PatternCode)[keyof typeof PatternCode];

export interface LinkHandshakeInit {
  readonly role: 'initiator' | 'responder';
  readonly pattern: PatternCode;
  readonly identity: Identity;
  readonly crypto: Crypto;
  readonly random: Random;
  /** Largest plaintext of a record that this side takes. */
  readonly maxRecordBytes: number;
  /** The peer that the dialler wants. */
  readonly expectedPeer?: PeerId;
  /** IK: the responder's static key. */
  readonly remoteStaticKey?: Uint8Array;
}

/** What a finished handshake yields. */
export interface LinkSession extends SessionCiphers {
  readonly remotePeer: PeerId;
  readonly remoteStaticKey: Uint8Array;
  /** Largest plaintext of a record that both sides take. */
  readonly maxRecordBytes: number;
}

/** The messages of a link's handshake, whatever carries them. No input or output, no clock. */
export class LinkHandshake {
  readonly #init: LinkHandshakeInit;
  readonly #noise: Handshake;
  /** Only the first message of XX comes without one: nothing in it is protected yet. */
  #withoutIdentity: boolean;
  #remote: VerifiedIdentity | undefined;

  constructor(init: LinkHandshakeInit) {
    this.#init = init;
    this.#withoutIdentity = init.pattern === PatternCode.xx;
    this.#noise = new Handshake({
      pattern: init.pattern === PatternCode.xx ? NOISE_XX : NOISE_IK,
      role: init.role,
      crypto: init.crypto,
      random: init.random,
      prologue: LINK_PROLOGUE,
      localStatic: init.identity.agreement,
      ...(init.remoteStaticKey === undefined ? {} : { remoteStaticKey: init.remoteStaticKey }),
    });
  }

  get finished(): boolean {
    return this.#noise.finished;
  }

  /** This side's next message. */
  write(): Uint8Array {
    const bare = this.#withoutIdentity;
    this.#withoutIdentity = false;
    const { identity, maxRecordBytes } = this.#init;
    return this.#noise.writeMessage(
      bare ? new Uint8Array(0) : makeIdentityPayload(identity, { versions: [PROTOCOL_VERSION], maxRecordBytes }),
    );
  }

  /**
   * Takes the other side's next message. Returns false, and is as before, when it does not authenticate. Throws
   * `forged`, `wrong-peer`, `unsupported` or `malformed` when it does but must be refused.
   */
  read(message: Uint8Array): boolean {
    let payload: Uint8Array;
    try {
      payload = this.#noise.readMessage(message);
    } catch (error) {
      if (error instanceof PipevineError && (error.code === 'forged' || error.code === 'malformed')) return false;
      throw error;
    }
    const bare = this.#withoutIdentity;
    this.#withoutIdentity = false;
    if (bare) return true;
    const { crypto, expectedPeer } = this.#init;
    this.#remote = verifyIdentityPayload(crypto, payload, this.#staticKey(), expectedPeer);
    requireCommonVersion(this.#remote);
    return true;
  }

  /** Only when finished. */
  session(): LinkSession {
    if (this.#remote === undefined) throw new PipevineError('internal', 'A handshake ended without an identity.');
    const theirs = this.#remote.maxRecordBytes ?? MAX_RECORD_PLAINTEXT_BYTES;
    return {
      ...this.#noise.split(),
      remotePeer: this.#remote.peer,
      remoteStaticKey: this.#staticKey(),
      maxRecordBytes: Math.min(theirs, this.#init.maxRecordBytes),
    };
  }

  #staticKey(): Uint8Array {
    const key = this.#noise.remoteStaticKey;
    if (key === undefined) throw new PipevineError('internal', 'A handshake message came without its static key.');
    return key;
  }
}
