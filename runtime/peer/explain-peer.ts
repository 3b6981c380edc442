import type { DialAttempt } from '../endpoint/dial-book.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { PunchReport } from '../punch/punch-service.ts';
import type { AddressSource, PathAddress, PathPipe, PathRelay, PathReport } from './path-report.ts';
import { type PathFacts, pathSummary } from './path-summary.ts';

/** What is known of the ways to peers, part by part. */
export interface ExplainPeerInit {
  readonly localPeer: PeerId;
  /** Whether this process hosts the peer. */
  readonly hosts: (peer: PeerId) => boolean;
  /** As it calls itself; empty when it has told none. */
  readonly nameOf: (peer: PeerId) => string;
  readonly endpoint: {
    linkTo(peer: PeerId): Pick<Link, 'remotePeer' | 'remoteAddress' | 'rttMs' | 'dialled' | 'traffic'> | undefined;
    attempts(peer: PeerId): readonly DialAttempt[];
  };
  readonly pipes: { pathsTo(peer: PeerId): readonly PathPipe[] };
  readonly routes: {
    hostOf(peer: PeerId): PeerId | undefined;
    relaysOf(peer: PeerId, group: GroupId): readonly PeerId[];
  };
  /** Where addresses come from, the source that is tried first at the beginning. */
  readonly addresses: readonly (readonly [
    source: AddressSource,
    addressesOf: (peer: PeerId) => readonly EndpointAddress[],
  ])[];
  /** The own groups of which the peer is known to be a member. */
  readonly sharedGroups: (peer: PeerId) => readonly { readonly id: GroupId; readonly name: string }[];
  /** Where this peer leases. */
  readonly ownRelays: (group: GroupId) => readonly PeerId[];
  readonly punch?: { report(peer: PeerId): PunchReport | undefined };
}

/** Puts together how a peer is reached now and what was tried. Asks nobody, and changes nothing. */
export function explainPeer(peer: PeerId, init: ExplainPeerInit): PathReport {
  const { localPeer, endpoint, pipes, routes, nameOf } = init;
  const here = peer === localPeer || init.hosts(peer);
  const delegate = routes.hostOf(peer);
  const host = delegate === peer ? undefined : delegate;
  // Whom one dials to reach the peer.
  const target = host ?? peer;
  const link = here ? undefined : (endpoint.linkTo(peer) ?? endpoint.linkTo(target));
  const groups = init.sharedGroups(peer).map(({ id, name }) => ({ id, name }));
  const facts: PathFacts = {
    peer,
    here,
    host,
    link: link && {
      peer: link.remotePeer,
      transport: link.remoteAddress.split('://', 1)[0] ?? '',
      address: link.remoteAddress,
      rttMs: link.rttMs,
      dialled: link.dialled,
      bytesIn: link.traffic.bytesIn,
      bytesOut: link.traffic.bytesOut,
    },
    groups,
    pipes: pipes.pathsTo(peer),
    relays: here ? [] : relaysTo(peer, host, groups, init),
    addresses: here ? [] : addressesOf(target, init),
    attempts: here ? [] : endpoint.attempts(target),
    punch: here ? undefined : init.punch?.report(target),
  };
  const { here: _, ...report } = facts;
  return { ...report, name: nameOf(peer), summary: pathSummary(facts, nameOf) };
}

function relaysTo(
  peer: PeerId,
  host: PeerId | undefined,
  groups: PathReport['groups'],
  { localPeer, endpoint, routes, ownRelays }: ExplainPeerInit,
): PathRelay[] {
  return groups.flatMap(({ id: group }) => {
    const its = new Set([...routes.relaysOf(peer, group), ...(host === undefined ? [] : routes.relaysOf(host, group))]);
    const own = new Set(ownRelays(group));
    return [...new Set([...its, ...own])]
      .filter((relay) => relay !== peer && relay !== host && relay !== localPeer)
      .map((relay) => {
        const linked = endpoint.linkTo(relay) !== undefined;
        return { relay, group, its: its.has(relay), own: own.has(relay), linked };
      });
  });
}

function addressesOf(peer: PeerId, { addresses }: ExplainPeerInit): PathAddress[] {
  const known = new Map<EndpointAddress, AddressSource>();
  for (const [source, of] of addresses) {
    for (const address of of(peer)) if (!known.has(address)) known.set(address, source);
  }
  return [...known].map(([address, source]) => ({ address, source }));
}
