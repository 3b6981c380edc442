import type { Peer, PeerId } from '@pipevine/runtime';
import { ownGroups, type PeerFacts } from './reports.ts';

/** Neighbours, and members of the own groups, by name. */
export async function findPeers(peer: Peer, signal: AbortSignal, timeoutMs: number): Promise<PeerFacts[]> {
  const peers = new Map<string, PeerFacts>();
  const factsOf = (id: PeerId): PeerFacts => {
    const facts = peers.get(id) ?? { id, name: '', groups: [], link: undefined };
    peers.set(id, facts);
    return facts;
  };
  for (const link of peer.status().links) factsOf(link.peer).link = link;
  await Promise.all(
    ownGroups(peer).map(async (group) => {
      for await (const member of group.members({ signal, timeoutMs })) {
        if (member.publisher === peer.id) continue;
        const facts = factsOf(member.publisher);
        facts.name ||= member.name;
        if (!facts.groups.includes(group.id)) facts.groups.push(group.id);
      }
    }),
  );
  return [...peers.values()].sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
}
