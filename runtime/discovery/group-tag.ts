import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';

export const GROUP_TAG_BYTES = 8;

const DOMAIN = new TextEncoder().encode('pipevine/1 group tag');

/**
 * By what a peer says on the local network that it is a member of a group: the first 8 bytes of SHA-256 over the domain,
 * the group id and the peer's own id. Who knows the group recognises it; others cannot even see that two peers share one.
 */
export function groupTag(crypto: Crypto, group: GroupId, peer: PeerId): Uint8Array {
  const input = new Uint8Array(DOMAIN.length + 64);
  input.set(DOMAIN);
  input.set(groupIdToBytes(group), DOMAIN.length);
  input.set(peerIdToBytes(peer), DOMAIN.length + 32);
  return crypto.sha256(input).slice(0, GROUP_TAG_BYTES);
}
