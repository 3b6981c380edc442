import type { AdminRequest } from './admin-route.ts';
import { chosenGroup } from './chosen-session.ts';
import { collected, SEARCH_TIMEOUT_MS } from './collected.ts';

export interface ListedPeer {
  readonly id: string;
  readonly name: string;
  /** Whether a link leads to it. */
  readonly connected: boolean;
  readonly self: boolean;
}

/** `{standIn, peers}`: the members heard of, by name. */
export async function listPeers(
  request: AdminRequest,
): Promise<{ readonly standIn: boolean; readonly peers: readonly ListedPeer[] }> {
  const { peer, group, standIn } = await chosenGroup(request);
  const linked = new Set<string>(peer.status().links.map((link) => link.peer));
  const search = group.members({ timeoutMs: SEARCH_TIMEOUT_MS, signal: request.signal });
  const found = await collected(search, ({ publisher, name }) => ({ id: publisher, name }));
  const byId = new Map<string, string>([[peer.id, peer.name]]);
  for (const { id, name } of found) byId.set(id, name);
  const peers = [...byId].map(([id, name]) => ({ id, name, connected: linked.has(id), self: id === peer.id }));
  return { standIn, peers: peers.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id)) };
}
