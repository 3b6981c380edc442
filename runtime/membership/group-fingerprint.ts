import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import type { Crypto } from '../platform/crypto.ts';

export const FINGERPRINT_BYTES = 16;
const DOMAIN = new TextEncoder().encode('pipevine/1 group fingerprint');

/** Names a group in a join code: the first 16 bytes of the SHA-256 of the domain string and the 32-byte group id. */
export function groupFingerprint(crypto: Crypto, group: GroupId): Uint8Array {
  const input = new Uint8Array(DOMAIN.length + 32);
  input.set(DOMAIN);
  input.set(groupIdToBytes(group), DOMAIN.length);
  return crypto.sha256(input).slice(0, FINGERPRINT_BYTES);
}
