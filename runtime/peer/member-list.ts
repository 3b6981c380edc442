import type { Advertisement } from '../advertisement/advertisement.ts';
import { decodePeerBody, type PeerBody } from '../advertisement/peer-body.ts';
import { wellFormed } from '../error/well-formed.ts';
import type { Credential } from '../group/group-access.ts';
import type { Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { LedgerEntry } from '../membership/member-ledger.ts';
import type { GroupMember } from './peer.ts';

/** What a publisher says of itself; undefined when it has signed nonsense. */
export function peerBodyOf({ body }: Pick<Advertisement, 'body'>): PeerBody | undefined {
  return wellFormed(() => decodePeerBody(body));
}

/** The credential that a peer advertisement carries, if its signatures hold; it may have run out or be revoked. */
export function shownCredential(groups: Groups, advertisement: Advertisement): Credential | undefined {
  const encoded = peerBodyOf(advertisement)?.credential;
  if (encoded === undefined) return undefined;
  const [credential] = wellFormed(() => groups.chainOf(encoded)) ?? [];
  const { group, publisher } = advertisement;
  return credential?.group === group && credential.subject === publisher ? credential : undefined;
}

export interface MemberListInit {
  readonly group: GroupId;
  readonly groups: Groups;
  readonly advertisements: readonly Advertisement[];
  /** Whom this administrator has admitted; the latest membership of a peer last. */
  readonly ledger: readonly LedgerEntry[];
  readonly isOnline: (peer: PeerId) => boolean;
}

/** Members by what they advertise, and by what an administrator has given out, in the order of their names. */
export function memberList({ group, groups, advertisements, ledger, isOnline }: MemberListInit): GroupMember[] {
  const members = new Map<PeerId, GroupMember>();
  const add = (peer: PeerId, name: string, known: Omit<LedgerEntry, 'by' | 'name'> | Credential | undefined) => {
    const { roles = [], capabilities = [], serial, notAfterMs } = known ?? {};
    const revoked = known !== undefined && groups.isRevoked(group, known.serial, known.version);
    const term = serial === undefined || notAfterMs === undefined ? {} : { serial, notAfterMs };
    members.set(peer, { peer, name, roles, capabilities, ...term, online: isOnline(peer), revoked });
  };
  for (const entry of ledger) add(entry.subject, entry.name || (members.get(entry.subject)?.name ?? ''), entry);
  for (const advertisement of advertisements) {
    const credential = shownCredential(groups, advertisement);
    if (credential !== undefined || !members.has(advertisement.publisher)) {
      add(advertisement.publisher, advertisement.name, credential);
    }
  }
  return [...members.values()].sort((a, b) => a.name.localeCompare(b.name) || (a.peer < b.peer ? -1 : 1));
}
