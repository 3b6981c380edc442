import { holePunching, messaging } from '@pipevine/runtime';
import { udpTransport } from '@pipevine/transports';
import type { Reach } from './open-peer.ts';

/** What carries links of a board besides TCP: UDP, through NATs too, and the mailboxes of its groups. */
export function boardReach(): Reach {
  return { transports: () => [udpTransport()], parts: [messaging, holePunching], schemes: ['tcp', 'udp'] };
}
