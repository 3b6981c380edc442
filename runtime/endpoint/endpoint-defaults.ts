import { PipevineError } from '../error/pipevine-error.ts';

/** Deadline of `connect` and `dial`, in ms: a person waits for it. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** Wait before the next address of a peer is tried beside the ones under way, in ms (RFC 8305 section 5). */
export const STAGGER_MS = 250;

/** Addresses of one peer under way at the same time. */
export const MAX_PARALLEL_DIALS = 6;

/** Addresses at which a peer was heard just now that are tried beyond those places. */
export const MAX_URGED_DIALS = 4;

/** An attempt must have lasted so long, in ms, for whoever names the address to have it tried once more beside it. */
export const REPEAT_DIAL_MS = 1_000;

/** Addresses of one peer that are tried at all: more is noise or an attack by advertisement. */
export const MAX_ADDRESSES_PER_PEER = 16;

/** Peers and seed addresses being dialled at the same time. */
export const MAX_RACES = 128;

/** First wait of a wanted link before it is dialled again, in ms, and the longest; it doubles, and each is jittered. */
export const WANT_FIRST_MS = 500;
export const WANT_MAX_MS = 30_000;

/** A link must have lived so long, in ms, for its loss to count as new trouble and the back-off to start over. */
export const STABLE_LINK_MS = 10_000;

/**
 * First rest of an address that failed, in ms, and the longest. Shorter than the waits of a wanted link, so that its
 * attempts find their address rested, and only other callers are slowed down.
 */
export const ADDRESS_REST_FIRST_MS = 200;
export const ADDRESS_REST_MAX_MS = 10_000;

/** Rest of an address that the caller names itself, in ms: it may know better than our memory of a failure. */
export const NAMED_ADDRESS_REST_MS = 200;

/** Addresses whose last outcome is remembered. */
export const MAX_REMEMBERED_ADDRESSES = 1_024;

/** Neighbours whose static key is remembered, to dial them with one round trip less. */
export const MAX_REMEMBERED_KEYS = 1_024;

/**
 * How long addresses of a scheme go behind others of a peer when a link over it fell silent, in ms, at first and at most; it
 * doubles while that repeats. The first is longer than a link needs to find out that it is dead.
 */
export const STALL_FIRST_MS = 60_000;
export const STALL_MAX_MS = 600_000;

/** How much later such an address is dialled than the others, in ms: a handshake over a slow path has ended by then. */
export const BEHIND_MS = 2_000;

/** Peers and schemes whose stalls are remembered. */
export const MAX_REMEMBERED_STALLS = 1_024;

/** How long an old link has for a sign of life when a new one to the same neighbour stands, in ms. */
export const PROBE_TIMEOUT_MS = 1_500;

/** First look for that sign, in ms; each next one after twice the time. */
export const PROBE_FIRST_LOOK_MS = 10;

/** Links of one neighbour at a time: the one in use, a newer one, and one that is on its way out. */
export const MAX_LINKS_PER_NEIGHBOUR = 3;

/** How long `close` waits for links to say goodbye, in ms. */
export const CLOSE_TIMEOUT_MS = 4_000;

/** What may be set about an endpoint. */
export interface EndpointLimitsInit {
  /** Links at a time; default 256. Neighbours that are wanted or were dialled get in even so, up to a quarter more. */
  readonly maxLinks?: number;
  /** Handshakes of strangers under way; default 64. */
  readonly maxHalfOpen?: number;
  /** The same, from one remote host; default 8. */
  readonly maxHalfOpenPerHost?: number;
  /** Peers and seeds wanted at a time; default 1,024. */
  readonly maxWanted?: number;
}

export type EndpointLimits = Required<EndpointLimitsInit>;

/** Fills in the defaults. Throws `invalid-argument` naming the first value out of range. */
export function resolveEndpointLimits(init: EndpointLimitsInit = {}): EndpointLimits {
  return {
    maxLinks: positive('maxLinks', init.maxLinks, 256),
    maxHalfOpen: positive('maxHalfOpen', init.maxHalfOpen, 64),
    maxHalfOpenPerHost: positive('maxHalfOpenPerHost', init.maxHalfOpenPerHost, 8),
    maxWanted: positive('maxWanted', init.maxWanted, 1_024),
  };
}

function positive(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (Number.isInteger(value) && value > 0 && value <= 1_000_000) return value;
  throw new PipevineError('invalid-argument', `${name} must be an integer from 1 to 1000000, not ${value}.`);
}
