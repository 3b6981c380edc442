import { dialDatagramLink } from './datagram-initiator.ts';
import { handshakeError } from './handshake-outcome.ts';
import type { DialLinkInit } from './link-init.ts';
import type { SessionLink } from './session-link.ts';
import { dialStreamLink } from './stream-handshake.ts';

/**
 * Makes a link of a connection that was dialled. Rejects, and aborts the connection, with `wrong-peer`, `forged`,
 * `malformed`, `too-large` or `unsupported` (the other side's fault), `timeout`, `unreachable`, `aborted`, or `protocol`
 * when a handshake with `remoteStaticKey` was not answered: then dial again without it.
 */
export async function dialLink(init: DialLinkInit): Promise<SessionLink> {
  try {
    return await (init.connection.kind === 'stream' ? dialStreamLink(init) : dialDatagramLink(init));
  } catch (error) {
    init.connection.abort();
    throw handshakeError(error);
  }
}
