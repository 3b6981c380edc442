import { PipevineError } from '../error/pipevine-error.ts';
import { base32Decode, base32Encode } from './base32.ts';

/** `urn:pipevine:group:` and the base32 of the 32-byte Ed25519 public key of the group's authority. Equal when `===`. */
export type GroupId = string & { readonly __groupId: never };

const PREFIX = 'urn:pipevine:group:';

/** The group of an authority's 32-byte public key. */
export function groupIdFromBytes(publicKey: Uint8Array): GroupId {
  if (publicKey.length !== 32) {
    throw new PipevineError('invalid-argument', `A group id has 32 bytes, not ${publicKey.length}.`);
  }
  // The brand marks strings that passed this check.
  return (PREFIX + base32Encode(publicKey)) as GroupId;
}

/** Reads the full text form, or the base32 part alone. */
export function parseGroupId(text: string): GroupId {
  const bytes = base32Decode(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text);
  if (bytes?.length !== 32) {
    throw new PipevineError(
      'invalid-argument',
      `"${text.slice(0, 80)}" is not a group id: expected ${PREFIX} and 52 characters of base32.`,
    );
  }
  return groupIdFromBytes(bytes);
}

/** The 32-byte public key of the group's authority. */
export function groupIdToBytes(id: GroupId): Uint8Array {
  const bytes = base32Decode(id.slice(PREFIX.length));
  if (bytes === undefined) throw new PipevineError('internal', `A group id that does not decode: ${id}`);
  return bytes;
}

/** The first 8 characters of the base32 part: for people and logs, never for decisions. */
export function shortGroupId(id: GroupId): string {
  return id.slice(PREFIX.length, PREFIX.length + 8);
}

/** The group of all peers: 32 zero bytes, and no credential needed. */
export const WORLD_GROUP: GroupId = groupIdFromBytes(new Uint8Array(32));
