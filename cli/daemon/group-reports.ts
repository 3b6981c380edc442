/** The documented JSON shapes of groups, see docs/cli.md. */
import {
  capabilitiesOf,
  type FoundGroup,
  type GroupMember,
  type Peer,
  type PeerGroup,
  type PeerId,
  type PeerInfo,
  type RendezvousStatus,
} from '@pipevine/runtime';
import { isoTime, type JsonObject, linkRoundTrip } from './reports.ts';

export function groupReport(group: PeerGroup): JsonObject {
  const { policy, credential } = group;
  return {
    id: group.id,
    name: group.name,
    policy: policy.type,
    needed: policy.type === 'quorum' ? policy.needed : null,
    approvers: policy.type === 'quorum' ? [...policy.approvers] : [],
    listed: group.listed,
    roles: [...(credential?.roles ?? [])],
    capabilities: credential === undefined ? [] : capabilitiesOf(credential),
    serial: credential?.serial ?? null,
    notAfter: credential === undefined ? null : isoTime(credential.notAfterMs),
    rendezvous: rendezvousReport(group.rendezvous()),
    relays: relaysReport(group.relays()),
    applicants: group.applicants().length,
  };
}

/** A line of the list of own groups. */
export function ownGroupReport(group: PeerGroup): JsonObject {
  const { id, name, policy, listed, credential } = group;
  return { id, name, state: 'joined', policy: policy.type, listed, roles: [...(credential?.roles ?? [])] };
}

export function applicationReport(application: Peer['applications'][number]): JsonObject {
  const { group, name, since } = application;
  return { id: group, name, state: 'pending', policy: null, listed: null, roles: [], since: isoTime(since) };
}

export function foundGroupReport(found: FoundGroup, joined: boolean): JsonObject {
  const { id, name, policy, administrator } = found;
  return { id, name, policy, administrator, joined };
}

export function rendezvousReport(status: RendezvousStatus): JsonObject {
  const { serving, lease, clients, peerview } = status;
  return {
    serving,
    lease: lease === undefined ? null : { rendezvous: lease.rendezvous, remainingMs: Math.round(lease.remainingMs) },
    clients,
    peerview: [...peerview],
  };
}

/** Where this peer leases, best first, and what it relays for others. */
export function relaysReport({ serving, leases, clients }: ReturnType<PeerGroup['relays']>): JsonObject {
  return { serving, leases: [...leases], clients };
}

export function memberReport(group: PeerGroup, member: GroupMember): JsonObject {
  return {
    peer: member.peer,
    name: member.name,
    group: group.id,
    groupName: group.name,
    roles: [...member.roles],
    capabilities: [...member.capabilities],
    serial: member.serial ?? null,
    notAfter: member.notAfterMs === undefined ? null : isoTime(member.notAfterMs),
    online: member.online,
    revoked: member.revoked,
  };
}

export function peerInfoReport(peer: PeerId, info: PeerInfo): JsonObject {
  return {
    peer,
    name: info.name,
    version: info.version,
    roles: [...info.roles],
    uptimeMs: info.uptimeMs,
    bytesIn: info.bytesIn,
    bytesOut: info.bytesOut,
    memoryBytes: info.memoryBytes ?? null,
    linkCount: info.linkCount,
    groups: [...info.groups],
    links:
      info.links?.map((link) => ({
        peer: link.peer,
        transport: link.transport,
        address: link.address,
        rttMs: linkRoundTrip(link),
      })) ?? null,
  };
}
