import { MailboxServer } from '../mailbox/mailbox-server.ts';
import { RelayForwarder } from '../relay/relay-forwarder.ts';
import { RelayServer } from '../relay/relay-server.ts';
import type { PeerPart } from './peer-part.ts';

/** The part of a peer that relays in the groups whose credential allows it, and keeps messages for members that are away. */
export const relaying: PeerPart = ({ platform }) => {
  const { clock, random, storage } = platform;
  const forwarder = new RelayForwarder({ clock });
  return {
    forwarder,
    relay: (init) => {
      const { resolver } = init;
      const server = new RelayServer({ ...init, forwarder, clock, random });
      const mailbox = new MailboxServer({ resolver, storage, clock });
      return {
        mailbox,
        get clients() {
          return server.clients;
        },
        status: () => ({ ...server.bounds(), ...mailbox.status() }),
        close: async () => {
          server.close();
          await mailbox.close();
        },
      };
    },
    status: () => forwarder.status(),
    close: async () => undefined,
  };
};
