import { PunchService } from '../punch/punch-service.ts';
import type { PeerPart } from './peer-part.ts';

/** The part of a peer that makes direct UDP links to peers that are reached over a relay, where the NATs let it. */
export const holePunching: PeerPart = ({ platform, endpoint, routes, pipes, isRelayed }) => {
  const { clock, random, transports } = platform;
  const punch = new PunchService({ endpoint, pipes, transports, routes, clock, random, isRelayed });
  return { punch, status: () => punch.status(), close: async () => punch.close() };
};
