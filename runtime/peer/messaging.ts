import { MailboxClient } from '../mailbox/mailbox-client.ts';
import type { PeerPart } from './peer-part.ts';

/** The part of a peer that sends messages to members that are away, and receives those that waited for it. */
export const messaging: PeerPart = () => ({
  mailbox: (init) => new MailboxClient(init),
  status: () => ({}),
  close: async () => undefined,
});
