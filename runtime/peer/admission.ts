import { authorityOf } from '../group/groups.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import { MembershipService } from '../membership/membership-service.ts';
import type { PeerPart } from './peer-part.ts';

/** The part of a peer that makes groups' join codes, admits who comes with one, and renews memberships. */
export const admission: PeerPart = ({ groups, platform, store, pipes }) => {
  const { storage, clock, crypto, random } = platform;
  const service = new MembershipService({
    groups,
    storage,
    clock,
    crypto,
    random,
    groupAdvertisement: (group) => store.get({ group, kind: 'group', publisher: authorityOf(group), key: '' })?.encoded,
  });
  const listener = service.serve(pipes);
  return {
    invite: (group, options) => service.invite(group, options),
    admits: () => groups.list().some(({ group }) => group !== WORLD_GROUP && groups.mayAdmit(group)),
    status: () => service.status(),
    close: async () => listener.close(),
  };
};
