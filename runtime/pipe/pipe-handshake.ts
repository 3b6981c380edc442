import { PipevineError } from '../error/pipevine-error.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import { makeIdentityPayload, verifyIdentityPayload } from '../link/identity-payload.ts';
import { Handshake } from '../link/noise-handshake.ts';
import { NOISE_XX } from '../link/noise-pattern.ts';
import { pipePrologue } from '../link/prologue.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { encodeCanonical } from '../wire/encode.ts';
import type { BindParameters } from '../wire/frame.ts';
import { PipeSession } from './pipe-session.ts';

const EMPTY = new Uint8Array(0);

export interface PipeHandshakeInit {
  readonly role: 'initiator' | 'responder';
  readonly crypto: Crypto;
  readonly random: Random;
  readonly identity: Identity;
  /** The peer at the other end; anyone else is refused. */
  readonly expectedPeer: PeerId;
  /** What is bound; both sides must see the same. */
  readonly parameters: BindParameters;
  /** Shown to the other side, inside the session; empty in the world group. */
  readonly credential: Uint8Array;
}

/** The handshake of a pipe's own session: Noise XX whose second and third messages carry who each side is. No I/O. */
export class PipeHandshake {
  readonly #init: PipeHandshakeInit;
  readonly #noise: Handshake;

  constructor(init: PipeHandshakeInit) {
    const { crypto, random, role, parameters } = init;
    this.#init = init;
    this.#noise = new Handshake({
      pattern: NOISE_XX,
      role,
      crypto,
      random,
      prologue: pipePrologue(crypto.sha256(encodeBindParameters(parameters))),
      localStatic: init.identity.agreement,
    });
  }

  /** The initiator's first message. */
  begin(): Uint8Array {
    return this.#noise.writeMessage(EMPTY);
  }

  /** The responder reads the first message. Throws `malformed` or `forged`. */
  readBegin(message: Uint8Array): void {
    this.#noise.readMessage(message);
  }

  /** The second and third message: who this side is. */
  writeIdentity(): Uint8Array {
    const { identity, credential } = this.#init;
    return this.#noise.writeMessage(makeIdentityPayload(identity, { credential }));
  }

  /**
   * Reads the second or third message, and gives the credential that came in it, not checked yet. Throws `malformed`,
   * `forged`, or `wrong-peer` when it is by another peer than expected.
   */
  readIdentity(message: Uint8Array): Uint8Array {
    const payload = this.#noise.readMessage(message);
    const staticKey = this.#noise.remoteStaticKey;
    if (staticKey === undefined)
      throw new PipevineError('internal', 'A handshake message came without its static key.');
    return verifyIdentityPayload(this.#init.crypto, payload, staticKey, this.#init.expectedPeer).credential ?? EMPTY;
  }

  /** Once all three messages have passed. */
  session(): PipeSession {
    return new PipeSession(this.#init.crypto, this.#noise.split());
  }
}

/** What the prologue's hash covers: `[pipe, target, source, group, name, kind, security]`. */
function encodeBindParameters(parameters: BindParameters): Uint8Array {
  const { pipe, target, source, group, name, kind, security } = parameters;
  return encodeCanonical([pipe, target, source, group, name, kind, security]);
}
