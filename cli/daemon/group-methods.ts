import type { ControlMethods } from '../control/control-server.ts';
import { resolveName } from '../naming/resolve-name.ts';
import { chosenGroup } from './choose-group.ts';
import type { ControlledDaemon } from './control-methods.ts';
import {
  applicationReport,
  foundGroupReport,
  groupReport,
  memberReport,
  ownGroupReport,
  peerInfoReport,
} from './group-reports.ts';
import { findGroup, joinGroup, MAX_FOUND_GROUPS } from './join-group.ts';
import { namedPeer, sharedGroup } from './named-peer.ts';
import { Parameters } from './parameters.ts';
import { ownGroups } from './reports.ts';
import { findTimeout, waiting } from './waiting.ts';

/** What every member can do about groups. */
export function groupMethods(daemon: ControlledDaemon): ControlMethods {
  const { peer } = daemon;
  return {
    'group.list': async (_params, context) => {
      for (const group of ownGroups(peer)) await context.emit(ownGroupReport(group));
      for (const application of peer.applications) await context.emit(applicationReport(application));
      return null;
    },

    'group.nearby': async (params, context) => {
      const given = new Parameters('group.nearby', params);
      const name = given.optionalText('name');
      const options = {
        addresses: given.textList('seeds'),
        ...waiting(context, findTimeout(given.timeoutMs())),
        ...(name === undefined ? {} : { name }),
      };
      const seen = new Set<string>();
      for await (const found of peer.findGroups(options)) {
        if (seen.has(found.id)) continue;
        if (seen.size >= MAX_FOUND_GROUPS) break;
        seen.add(found.id);
        await context.emit(foundGroupReport(found, peer.group(found.id) !== undefined));
      }
      return null;
    },

    'group.show': async (params) => {
      const given = new Parameters('group.show', params);
      return groupReport(chosenGroup(peer, given.optionalText('group')));
    },

    'group.find': async (params, context) => {
      const given = new Parameters('group.find', params);
      const options = { addresses: given.textList('seeds'), ...waiting(context, given.timeoutMs()) };
      return findGroup(peer, given.text('group'), options);
    },

    'group.join': async (params, context) => {
      const given = new Parameters('group.join', params);
      const addresses = given.textList('seeds');
      const code = given.optionalText('code');
      const password = given.optionalText('password');
      const target =
        code === undefined ? { group: given.text('group'), ...(password === undefined ? {} : { password }) } : { code };
      const done = await joinGroup(peer, target, { addresses, ...waiting(context, given.timeoutMs()) });
      await daemon.joined(addresses);
      return done;
    },

    'group.leave': async (params) => {
      const given = new Parameters('group.leave', params);
      const candidates = [
        ...ownGroups(peer).map(({ id, name }) => ({ name, ids: [id], id })),
        ...peer.applications.map(({ group, name }) => ({ name, ids: [group], id: group })),
      ];
      const { id, name } = resolveName('group', given.text('group'), candidates, 'pipevine group list');
      await peer.resign(id, { end: given.optionalFlag('end') ?? false });
      return { group: id, groupName: name };
    },

    'group.members': async (params, context) => {
      const given = new Parameters('group.members', params);
      const group = chosenGroup(peer, given.optionalText('group'));
      const members = await group.memberList(waiting(context, findTimeout(given.timeoutMs())));
      for (const member of members) await context.emit(memberReport(group, member));
      return null;
    },

    'peer.info': async (params, context) => {
      const given = new Parameters('peer.info', params);
      const timeoutMs = given.timeoutMs();
      const facts = await namedPeer(peer, given.text('peer'), context.signal, findTimeout(timeoutMs));
      const group = sharedGroup(peer, facts, given.optionalText('group'));
      return peerInfoReport(facts.id, await group.peerInfo(facts.id, waiting(context, timeoutMs)));
    },
  };
}
