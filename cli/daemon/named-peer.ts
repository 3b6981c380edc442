import { type Peer, type PeerGroup, type PeerId, PipevineError, parsePeerId } from '@pipevine/runtime';
import { resolveName } from '../naming/resolve-name.ts';
import { chosenGroup } from './choose-group.ts';
import { findPeers } from './find-peers.ts';
import { ownGroups, type PeerFacts } from './reports.ts';

/** The peer that `text` names: a neighbour, a member of the own groups, or by its whole id any. Throws as `resolveName` does. */
export async function namedPeer(peer: Peer, text: string, signal: AbortSignal, timeoutMs: number): Promise<PeerFacts> {
  const others = await findPeers(peer, signal, timeoutMs);
  return peerAmong(text, [ownFacts(peer), ...others]);
}

/** The same, of peers that were found already. */
export function peerAmong(text: string, peers: readonly PeerFacts[]): PeerFacts {
  try {
    return resolveName(
      'peer',
      text,
      peers.map((facts) => ({ name: facts.name, ids: [facts.id], facts })),
    ).facts;
  } catch (error) {
    const id = wholeId(text);
    if (id === undefined || !(error instanceof PipevineError) || error.code !== 'not-found') throw error;
    return { id, name: '', groups: [], link: undefined };
  }
}

export function ownFacts(peer: Peer): PeerFacts {
  return { id: peer.id, name: peer.name, groups: ownGroups(peer).map(({ id }) => id), link: undefined };
}

/** The group to meet a peer in: the one that is named, else the first that both are in. Throws `not-found`. */
export function sharedGroup(peer: Peer, { id, groups }: PeerFacts, named: string | undefined): PeerGroup {
  if (named !== undefined) return chosenGroup(peer, named);
  const group = ownGroups(peer).find((own) => groups.includes(own.id));
  if (group !== undefined) return group;
  throw new PipevineError('not-found', `${id} is in no group of this peer as far as is known; choose one with --group`);
}

function wholeId(text: string): PeerId | undefined {
  try {
    return parsePeerId(text);
  } catch {
    return undefined;
  }
}
