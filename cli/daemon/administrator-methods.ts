import {
  type Applicant,
  CAPABILITIES,
  type EndpointAddress,
  type GroupMember,
  type MembershipPolicy,
  NAME_CLAIM,
  type Peer,
  type PeerGroup,
  type PeerId,
  PipevineError,
  parsePeerId,
  ROLES,
} from '@pipevine/runtime';
import type { ControlContext, ControlMethods } from '../control/control-server.ts';
import { nearestNames } from '../naming/nearest-name.ts';
import { resolveName } from '../naming/resolve-name.ts';
import { chosenGroup } from './choose-group.ts';
import type { ControlledDaemon } from './control-methods.ts';
import { findPeers } from './find-peers.ts';
import { groupReport } from './group-reports.ts';
import { joinLink } from './join-link.ts';
import { linkWithRelays } from './link-relays.ts';
import { Parameters } from './parameters.ts';
import { isoTime, type JsonObject, ownGroups } from './reports.ts';
import { findTimeout, waiting } from './waiting.ts';

const POLICIES = ['open', 'code', 'password', 'approval', 'quorum'] as const;

/** What only those who run a group can do; loaded where the build has it. The peer itself checks who may. */
export function administratorMethods({ peer }: ControlledDaemon): ControlMethods {
  return {
    invite: async (params) => {
      const given = new Parameters('invite', params);
      const group = chosenGroup(peer, given.optionalText('group'));
      const lifetimeMs = given.optionalNumber('lifetimeMs');
      const uses = given.optionalNumber('uses');
      const roles = checkedRoles(given.textList('roles'));
      const code = await peer.invite(group.id, {
        ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
        ...(uses === undefined ? {} : { uses }),
        ...(roles.length === 0 ? {} : { roles }),
      });
      const link = linkWithRelays(joinLink(code, peer.addresses), relayAddresses(peer, group));
      return { code, link, group: group.id, groupName: group.name };
    },

    'group.create': async (params, context) => {
      const given = new Parameters('group.create', params);
      const roles = checkedRoles(given.textList('roles'));
      const policy = await policyOf(peer, given, context);
      const password = given.optionalText('password');
      const listed = given.optionalFlag('listed');
      if ((policy.type === 'password') !== (password !== undefined)) {
        return usage(`a group of policy ${policy.type} ${password === undefined ? 'needs a' : 'takes no'} password`);
      }
      const group = await peer.createGroup({
        name: given.text('name'),
        policy,
        ...(listed === undefined ? {} : { listed }),
        ...(roles.length === 0 ? {} : { roles }),
        ...(password === undefined ? {} : { password }),
      });
      return groupReport(group);
    },

    'group.applicants': async (params, context) => {
      const given = new Parameters('group.applicants', params);
      const named = given.optionalText('group');
      // Who waits is asked about all groups at once; only a decision is about one.
      const groups = named === undefined ? ownGroups(peer) : [chosenGroup(peer, named)];
      for (const group of groups) {
        for (const one of group.applicants()) await context.emit(applicantReport(group, one, one.have));
      }
      return null;
    },

    'group.approve': async (params) => {
      const { group, applicant } = chosenApplicant(peer, new Parameters('group.approve', params));
      await group.approve(applicant.serial);
      const now = group.applicants().find(({ serial }) => serial === applicant.serial);
      return applicantReport(group, applicant, now?.have ?? applicant.needed);
    },

    'group.reject': async (params) => {
      const { group, applicant } = chosenApplicant(peer, new Parameters('group.reject', params));
      await group.reject(applicant.serial);
      return applicantReport(group, applicant, applicant.have);
    },

    'group.grant': async (params, context) => {
      const given = new Parameters('group.grant', params);
      const roles = checkedRoles(given.textList('roles'));
      const capabilities = checkedCapabilities(given.textList('capabilities'));
      if (roles.length + capabilities.length === 0) return usage('a grant needs a role or a capability');
      const { group, member } = await chosenMember(peer, given, context);
      await group.grant(member.peer, { roles, capabilities });
      return { peer: member.peer, name: member.name, group: group.id, groupName: group.name, roles, capabilities };
    },

    'group.revoke': async (params, context) => {
      const given = new Parameters('group.revoke', params);
      const { group, member } = await chosenMember(peer, given, context);
      await group.revoke(member.peer);
      return { peer: member.peer, name: member.name, group: group.id, groupName: group.name };
    },

    'group.password': async (params) => {
      const given = new Parameters('group.password', params);
      const group = chosenGroup(peer, given.optionalText('group'));
      await group.setPassword(given.text('password'));
      return { group: group.id, groupName: group.name };
    },
  };
}

/** Where the relays of this peer are dialled, those at which it leases: over them a machine elsewhere can join. */
function relayAddresses(peer: Peer, group: PeerGroup): readonly (readonly EndpointAddress[])[] {
  return group.relays().leases.map((relay) => {
    const { link, addresses } = peer.explain(relay);
    // What this peer has dialled itself works from behind its own router, at least.
    return [...(link?.dialled === true ? [link.address] : []), ...addresses.map(({ address }) => address)];
  });
}

async function policyOf(peer: Peer, given: Parameters, context: ControlContext): Promise<MembershipPolicy> {
  const type = given.optionalText('policy') === undefined ? 'code' : given.choice('policy', POLICIES);
  const needed = given.optionalNumber('needed');
  const names = given.textList('approvers');
  if (type !== 'quorum') {
    if (needed === undefined && names.length === 0) return { type };
    return usage(`--needed and --approver belong to --policy quorum, not to ${type}`);
  }
  if (needed === undefined || names.length === 0) {
    return usage('--policy quorum needs --needed K and an --approver PEER for each who may approve');
  }
  const approvers = await peerIds(peer, names, context, given.timeoutMs());
  if (!Number.isInteger(needed) || needed > approvers.length) {
    return usage(`--needed: expected a whole number from 1 to ${approvers.length}, the number of approvers`);
  }
  return { type, needed, approvers };
}

/** Approvers need not be known yet: a whole id will do. This peer may be one. */
async function peerIds(
  peer: Peer,
  names: readonly string[],
  context: ControlContext,
  timeoutMs: number | undefined,
): Promise<PeerId[]> {
  const known = await findPeers(peer, context.signal, findTimeout(timeoutMs));
  const candidates = [{ id: peer.id, name: peer.name }, ...known].map(({ id, name }) => ({ name, ids: [id], id }));
  const ids = names.map((text) => wholeId(text) ?? resolveName('peer', text, candidates).id);
  return [...new Set(ids)];
}

function wholeId(text: string): PeerId | undefined {
  try {
    return parsePeerId(text);
  } catch {
    return undefined;
  }
}

function chosenApplicant(peer: Peer, given: Parameters): { group: PeerGroup; applicant: Applicant } {
  const named = given.optionalText('group');
  const groups = named === undefined ? ownGroups(peer) : [chosenGroup(peer, named)];
  const candidates = groups.flatMap((group) =>
    group.applicants().map((applicant) => ({
      name: applicant.name,
      ids: [applicant.serial, applicant.peer],
      group,
      applicant,
    })),
  );
  return resolveName('applicant', given.text('applicant'), candidates, 'pipevine group approve');
}

async function chosenMember(
  peer: Peer,
  given: Parameters,
  context: ControlContext,
): Promise<{ group: PeerGroup; member: GroupMember }> {
  const group = chosenGroup(peer, given.optionalText('group'));
  const members = await group.memberList(waiting(context, findTimeout(given.timeoutMs())));
  const candidates = members.map((member) => ({
    name: member.name,
    ids: [...(member.serial === undefined ? [] : [member.serial]), member.peer],
    member,
  }));
  return { group, member: resolveName('member', given.text('member'), candidates, 'pipevine group members').member };
}

function applicantReport(group: PeerGroup, applicant: Applicant, have: number): JsonObject {
  const { peer, name, serial, askedAtMs, needed } = applicant;
  return { peer, name, group: group.id, groupName: group.name, serial, askedAt: isoTime(askedAtMs), have, needed };
}

function checkedRoles(roles: readonly string[]): readonly string[] {
  return checked('role', roles, [...ROLES.keys()], () => false);
}

function checkedCapabilities(capabilities: readonly string[]): readonly string[] {
  return checked(
    'capability',
    capabilities,
    CAPABILITIES,
    (one) => one.length > NAME_CLAIM.length && one.startsWith(NAME_CLAIM),
  );
}

function checked(
  what: string,
  given: readonly string[],
  known: readonly string[],
  isOther: (text: string) => boolean,
): readonly string[] {
  for (const one of given) {
    if (known.includes(one) || isOther(one)) continue;
    const [near] = nearestNames(one, known, 1);
    const hint = near === undefined ? `expected ${known.join(', ')}` : `did you mean "${near}"?`;
    return usage(`there is no ${what} "${one}"; ${hint}${what === 'capability' ? ` (or ${NAME_CLAIM}PATTERN)` : ''}`);
  }
  return [...new Set(given)];
}

function usage(message: string): never {
  throw new PipevineError('invalid-argument', message);
}
