import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';

/** What the election looks at in a link. */
export interface Candidate {
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  readonly dialled: boolean;
}

/**
 * Whether this side decides which of several links to a neighbour survives: the peer whose id is smaller as bytes does.
 * If both decided, each might close the link that the other keeps.
 */
export function decides(link: Candidate): boolean {
  return compareIds(link.localPeer, link.remotePeer) < 0;
}

/**
 * Which of two links to the same neighbour is better, provided that both are alive. Of two dialled by different sides:
 * the one dialled by the peer with the smaller id, so that both sides of a simultaneous dial come to the same
 * answer. Of two dialled by the same side: the newer, for whoever dials again has lost the older. Before all that: the one
 * whose transport did not let a link to this neighbour fall silent lately (`isBehind`).
 */
export function preferred<T extends Candidate>(older: T, newer: T, isBehind: (link: T) => boolean = () => false): T {
  const isOlderBehind = isBehind(older);
  if (isOlderBehind !== isBehind(newer)) return isOlderBehind ? newer : older;
  if (older.dialled === newer.dialled) return newer;
  return newer.dialled === decides(newer) ? newer : older;
}

function compareIds(a: PeerId, b: PeerId): number {
  const left = peerIdToBytes(a);
  const right = peerIdToBytes(b);
  for (const [index, byte] of left.entries()) {
    const difference = byte - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
