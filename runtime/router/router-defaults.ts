/** Name of the resolver's handler. */
export const ROUTE_HANDLER = 'route';

// What is found.

/** Ways to one peer that are kept, best first: as many as fail one after another before a pipe gives up. */
export const MAX_ROUTES = 4;
/** Peers whose advertisements are looked at for one search: 4 hops from both ends through relays that name 8 others. */
export const MAX_EXPLORED = 256;
/** What peers have signed of their relays, kept ready, about 200 bytes each. */
export const MAX_READY_ROUTES = 1_024;
/** How long ways that were found are kept when nothing changes, ms. */
export const ROUTE_TTL_MS = 10_000;
/** Peers to which ways are kept, about 1 KB each. */
export const MAX_CACHED_TARGETS = 256;

// What has failed.

/** How long a hop that a relay said to be impossible is not taken, ms, unless that relay names it anew. */
export const HOP_REST_MS = 30_000;
/** Hops that are remembered to have failed, about 250 bytes each. */
export const MAX_FAILED_HOPS = 1_024;

// Asking.

/** Neighbours that are asked before the question is propagated. */
export const ASKED_NEIGHBOURS = 4;
/** Neighbours that neither relay nor are a rendezvous to which each hop passes a propagated question: all, in a small group. */
export const ASKED_OTHERS = 8;
/** How long neighbours may take, and then others, ms: with the way itself less than the 2 s that a binder gives a relay. */
export const ASK_TIMEOUT_MS = 400;
export const PROPAGATE_TIMEOUT_MS = 800;
/** Hops of a propagated question: to the relay of the peer, over as many relays as a way has. */
export const ASK_TTL_HOPS = 4;
/** How long nothing is asked about a peer to which no way was found, ms: at first, doubled up to the most. */
export const VAIN_MS = 2_000;
export const MAX_VAIN_MS = 30_000;
/** Questions under way. */
export const MAX_SEARCHES = 64;
/** Questions that are propagated: at once, and a second in the long run. */
export const PROPAGATED_BURST = 10;
export const PROPAGATED_PER_SECOND = 1;

/** Advertisements in one answer, and their bytes. */
export const MAX_ANSWER_ADVERTISEMENTS = 32;
export const MAX_ANSWER_BYTES = 32 * 1024;
export const MAX_QUERY_BYTES = 128;

// What a relay says of its neighbours.

/** Pause before a new neighbour is named, before one that is gone is left out, and between two advertisements, ms; half is jitter. */
export const NAME_AFTER_MS = 1_000;
export const LEAVE_OUT_AFTER_MS = 200;
export const MIN_ADVERTISE_INTERVAL_MS = 3_000;
