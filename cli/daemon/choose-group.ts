import { type Peer, type PeerGroup, PipevineError } from '@pipevine/runtime';
import { resolveName } from '../naming/resolve-name.ts';
import { ownGroups } from './reports.ts';

/** The own group that `text` names; without it the only one. Throws `not-found` or `ambiguous`, naming them. */
export function chosenGroup(peer: Peer, text: string | undefined): PeerGroup {
  const groups = ownGroups(peer);
  const [only] = groups;
  if (only === undefined) {
    throw new PipevineError(
      'not-found',
      'this peer is in no group; `pipevine group join` joins one, and a gateway makes one with `pipevine group create`',
    );
  }
  if (text === undefined && groups.length === 1) return only;
  if (text === undefined) {
    const names = groups.map((group) => `"${group.name}"`).join(', ');
    throw new PipevineError('ambiguous', `this peer is in ${groups.length} groups: ${names}; choose one with --group`);
  }
  return resolveName(
    'group',
    text,
    groups.map((group) => ({ name: group.name, ids: [group.id], group })),
    'pipevine group list',
  ).group;
}
