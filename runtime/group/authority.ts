import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';

/** The peer id whose key is the group's authority. */
export function authorityOf(group: GroupId): PeerId {
  return peerIdFromBytes(groupIdToBytes(group));
}
