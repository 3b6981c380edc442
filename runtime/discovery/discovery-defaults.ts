/** Name under which members answer queries, in the group. */
export const DISCOVERY_SERVICE = 'discovery';

/** Deadline of `find`, ms: what the neighbours have not said by then is left out. */
export const FIND_TIMEOUT_MS = 2_000;
/** While results keep coming the deadline moves, up to so many times its length. */
export const MAX_FIND_EXTENSION = 10;
/** Advertisements are sent in items of about this size, bytes: few enough messages, and no big one in the way. */
export const BATCH_BYTES = 32 * 1024;
/** Longest query, bytes. */
export const MAX_QUERY_BYTES = 16 * 1024;
/** Results of one query, whatever it asks for. */
export const MAX_RESULTS = 50_000;

/** Queries of one neighbour under way, watches included, and all together. */
export const MAX_QUERIES_PER_NEIGHBOUR = 128;
export const MAX_QUERIES = 4_096;
/** Queries that one neighbour may start: at once, and a second in the long run. */
export const QUERY_BURST = 200;
export const QUERIES_PER_SECOND = 20;
/** Changes that wait for one watcher; beyond it the watch ends with `overloaded`, and the watcher begins anew. */
export const MAX_PENDING_CHANGES = 16_384;

/** Different queries that this peer watches in a group at a time. */
export const MAX_WATCHES = 100;
/** Pause before a neighbour is asked again that would not answer, ms: doubled each time up to the largest, jittered. */
export const NEIGHBOUR_RETRY_MS = 500;
export const MAX_NEIGHBOUR_RETRY_MS = 30_000;
/** Pause after a neighbour said that it is no member, or sent what does not verify, ms. */
export const STRANGER_REST_MS = 60_000;
/** Deadline of opening the pipe to a neighbour's discovery service, ms. */
export const NEIGHBOUR_TIMEOUT_MS = 10_000;
/** Neighbours asked in a group at a time. */
export const MAX_ASKED_NEIGHBOURS = 256;
