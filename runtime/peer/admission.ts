import { Administration } from '../group/administration.ts';
import { MembershipService } from '../membership/membership-service.ts';
import type { PeerPart } from './peer-part.ts';

/** The part of a peer that administers groups: it admits by each policy, approves, renews, grants and revokes. */
export const admission: PeerPart = ({ groups, identity, platform, pipes }) => {
  const { storage, clock, crypto, random } = platform;
  const administration = new Administration({ groups, clock });
  const service = new MembershipService({ groups, administration, identity, storage, clock, crypto, random });
  const listener = service.serve(pipes);
  return {
    administrator: {
      invite: (group, options) => service.invite(group, options),
      setPassword: (group, password) => service.setPassword(group, password),
      setCharter: async (group, change) => {
        await administration.setCharter(group, change);
      },
      applications: (group) => service.applications(group),
      approve: (group, serial) => service.approve(group, serial),
      reject: (group, serial) => service.reject(group, serial),
      grant: (group, peer, grant, known) => service.grant(group, peer, grant, known),
      revoke: (group, peer, known) => service.revoke(group, peer, known),
      ledger: (group) => service.ledger(group),
    },
    admits: () => groups.list().some(({ group }) => service.admits(group)),
    status: () => service.status(),
    close: async () => {
      listener.close();
      service.close();
    },
  };
};
