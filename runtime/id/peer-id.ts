import { PipevineError } from '../error/pipevine-error.ts';
import { base32Decode, base32Encode } from './base32.ts';

/**
 * A peer's name for ever: `urn:pipevine:peer:` and the base32 of its 32-byte Ed25519 public key. Two ids are equal
 * when the strings are (`===`).
 */
export type PeerId = string & { readonly __peerId: never };

const PREFIX = 'urn:pipevine:peer:';

/** The id of a 32-byte Ed25519 public key. */
export function peerIdFromBytes(publicKey: Uint8Array): PeerId {
  if (publicKey.length !== 32) {
    throw new PipevineError('invalid-argument', `A peer id has 32 bytes, not ${publicKey.length}.`);
  }
  // The brand marks strings that passed this check.
  return (PREFIX + base32Encode(publicKey)) as PeerId;
}

/** Reads the full text form, or the base32 part alone. */
export function parsePeerId(text: string): PeerId {
  const bytes = base32Decode(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text);
  if (bytes?.length !== 32) {
    throw new PipevineError(
      'invalid-argument',
      `"${text.slice(0, 80)}" is not a peer id: expected ${PREFIX} and 52 characters of base32.`,
    );
  }
  return peerIdFromBytes(bytes);
}

/** The 32-byte public key that the id is. */
export function peerIdToBytes(id: PeerId): Uint8Array {
  const bytes = base32Decode(id.slice(PREFIX.length));
  if (bytes === undefined) throw new PipevineError('internal', `A peer id that does not decode: ${id}`);
  return bytes;
}

/** The first 8 characters of the base32 part: for people and logs, never for decisions. */
export function shortPeerId(id: PeerId): string {
  return id.slice(PREFIX.length, PREFIX.length + 8);
}
