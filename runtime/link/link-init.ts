import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Connection } from '../platform/transport.ts';
import type { HandshakeGate } from './handshake-gate.ts';
import type { LinkLimitsInit } from './link-limits.ts';

/** What both sides need to make a link of a connection. */
export interface LinkInit {
  /** Not started; from now on the link's. */
  readonly connection: Connection;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly limits?: LinkLimitsInit;
  readonly signal?: AbortSignal;
  /** For the whole handshake; HANDSHAKE_TIMEOUT_MS by default. */
  readonly timeoutMs?: number;
}

export interface DialLinkInit extends LinkInit {
  /** Anyone else who answers is refused with `wrong-peer`. */
  readonly expectedPeer?: PeerId;
  /** The responder's static key, when known from an earlier link: saves a round trip by pattern IK. */
  readonly remoteStaticKey?: Uint8Array;
}

export interface AcceptLinkInit extends LinkInit {
  /** Bounds the handshakes under way; without one they are not bounded here. */
  readonly gate?: HandshakeGate;
}
