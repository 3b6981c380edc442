import { ADVERTISEMENTS } from './sets/advertisements.ts';
import { CANONICAL_CBOR } from './sets/canonical-cbor.ts';
import { DISCOVERY } from './sets/discovery.ts';
import { FRAMES } from './sets/frames.ts';
import { GROUPS } from './sets/groups.ts';
import { IDS } from './sets/ids.ts';
import { LINK_HANDSHAKE } from './sets/link-handshake.ts';
import { MAILBOX } from './sets/mailbox.ts';
import { MALFORMED } from './sets/malformed.ts';
import { MEMBERSHIPS } from './sets/memberships.ts';
import { PASSWORD } from './sets/password.ts';
import { PEER_INFO } from './sets/peer-info.ts';
import { PIPES } from './sets/pipes.ts';
import { PROPAGATE } from './sets/propagate.ts';
import { PUNCH } from './sets/punch.ts';
import { RECORDS } from './sets/records.ts';
import { RELAY } from './sets/relay.ts';
import { RENDEZVOUS } from './sets/rendezvous.ts';
import { RESOLVER } from './sets/resolver.ts';
import { THINGS } from './sets/things.ts';
import { TRANSPORTS } from './sets/transports.ts';
import type { VectorSet } from './vector-set.ts';

/** From the bottom up. */
export const ALL_SETS: readonly VectorSet[] = [
  IDS,
  CANONICAL_CBOR,
  TRANSPORTS,
  LINK_HANDSHAKE,
  RECORDS,
  FRAMES,
  PIPES,
  RELAY,
  PUNCH,
  ADVERTISEMENTS,
  GROUPS,
  MEMBERSHIPS,
  PASSWORD,
  RESOLVER,
  DISCOVERY,
  RENDEZVOUS,
  PEER_INFO,
  PROPAGATE,
  MAILBOX,
  THINGS,
  MALFORMED,
];
