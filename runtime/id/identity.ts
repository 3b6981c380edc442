import type { AgreementKey, Crypto, SigningKey } from '../platform/crypto.ts';
import { type PeerId, peerIdFromBytes } from './peer-id.ts';

/** A peer that this process can speak as: its own, or a virtual one that it hosts. */
export interface Identity {
  readonly id: PeerId;
  /** Signs advertisements and the handshake's static key. */
  readonly signing: SigningKey;
  /** The static key of Noise handshakes. */
  readonly agreement: AgreementKey;
}

const AGREEMENT_INFO = new TextEncoder().encode('pipevine/1 noise static key');

/** The identity of a 32-byte secret seed. The same seed gives the same peer, everywhere. */
export function identityFromSeed(crypto: Crypto, seed: Uint8Array): Identity {
  const signing = crypto.signingKey(seed);
  const agreement = crypto.agreementKey(crypto.hkdfSha256(seed, new Uint8Array(0), AGREEMENT_INFO, 32));
  return { id: peerIdFromBytes(signing.publicKey), signing, agreement };
}
