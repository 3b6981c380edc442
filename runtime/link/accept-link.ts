import { acceptDatagramLink } from './datagram-responder.ts';
import { handshakeError } from './handshake-outcome.ts';
import type { AcceptLinkInit } from './link-init.ts';
import type { SessionLink } from './session-link.ts';
import { acceptStreamLink } from './stream-handshake.ts';

/**
 * Answers the handshake on a connection that came in. Rejects, and aborts the connection, with `forged`, `malformed`,
 * `protocol`, `too-large` or `unsupported` (the dialler's fault), `timeout`, `unreachable`, `overloaded` or `aborted`.
 */
export async function acceptLink(init: AcceptLinkInit): Promise<SessionLink> {
  try {
    return await (init.connection.kind === 'stream' ? acceptStreamLink(init) : acceptDatagramLink(init));
  } catch (error) {
    init.connection.abort();
    throw handshakeError(error);
  }
}
