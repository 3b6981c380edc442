import type { AgreementKey, Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { Handshake } from './noise-handshake.ts';
import { NOISE_X } from './noise-pattern.ts';

/** Bytes that sealing adds: an ephemeral key, the sealed static key and two tags. */
export const SEALED_MESSAGE_OVERHEAD_BYTES = 96;

export interface SealMessageInit {
  readonly crypto: Crypto;
  readonly random: Random;
  /** The sender's static key; the receiver learns it, and that the sender holds it. */
  readonly localStatic: AgreementKey;
  readonly remoteStaticKey: Uint8Array;
  /** What both must agree on, for example the group and the purpose. */
  readonly prologue: Uint8Array;
}

/**
 * Seals one message for a peer that is away, by Noise pattern X. At most 65,439 bytes. There is no forward secrecy
 * towards the receiver's key and no protection from replays: what is inside must have an id.
 */
export function sealMessage(init: SealMessageInit, plaintext: Uint8Array): Uint8Array {
  return new Handshake({ ...init, pattern: NOISE_X, role: 'initiator' }).writeMessage(plaintext);
}

export type OpenMessageInit = Omit<SealMessageInit, 'remoteStaticKey'>;

export interface OpenedMessage {
  readonly plaintext: Uint8Array;
  /** The sender's static key, proven. */
  readonly remoteStaticKey: Uint8Array;
}

/** Opens what `sealMessage` made. Throws `malformed` or `forged`. */
export function openMessage(init: OpenMessageInit, sealed: Uint8Array): OpenedMessage {
  const handshake = new Handshake({ ...init, pattern: NOISE_X, role: 'responder' });
  const plaintext = handshake.readMessage(sealed);
  // The pattern's `s` token has set it.
  return { plaintext, remoteStaticKey: handshake.remoteStaticKey as Uint8Array };
}
