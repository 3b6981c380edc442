/** Name of the resolver's handler that answers queries. */
export const DISCOVERY_HANDLER = 'discovery';

/** Deadline of `find`, ms: what has not been said by then is left out. */
export const FIND_TIMEOUT_MS = 2_000;
/** Deadline of a search on behalf of another, ms: shorter, so that the asker still hears what was found. */
export const WALK_TIMEOUT_MS = 1_500;
/** While results keep coming the deadline moves, up to so many times its length. */
export const MAX_FIND_EXTENSION = 10;
/** Pause before a query that came to nothing is sent again, ms: doubled each time up to the largest, jittered. */
export const REPEAT_MS = 500;
export const MAX_REPEAT_MS = 15_000;
/** Queries that came to nothing and are remembered in a group. */
export const MAX_VAIN_QUERIES = 256;
/** Advertisements are sent in items of about this size, bytes: few enough messages, and no big one in the way. */
export const BATCH_BYTES = 32 * 1024;
/** Longest query, bytes. */
export const MAX_QUERY_BYTES = 16 * 1024;
/** Results of one query, whatever it asks for. */
export const MAX_RESULTS = 50_000;
/**
 * Values and entries that the searches of one asker may look at: at once, and a millisecond in the long run. About 0.3 us
 * each: one asker takes a twentieth of a core at most, however its patterns are made.
 */
export const MAX_SEARCH_DEBT = 1_000_000;
export const SEARCHED_PER_MS = 150;

/** Queries of others under way in a group, watches included; the resolver bounds those of one asker. */
export const MAX_QUERIES = 4_096;
/** Searches on behalf of others under way in a group; beyond it an asker gets what is held here. */
export const MAX_WALKS = 256;
/** Changes that wait for one watcher; beyond it the watch ends with `overloaded`, and the watcher begins anew. */
export const MAX_PENDING_CHANGES = 16_384;

/** Different queries that this peer watches in a group at a time. */
export const MAX_WATCHES = 100;
/** The same for those that lease here, all together; beyond it a watcher hears of changes to what is held here only. */
export const MAX_CLIENT_WATCHES = 400;
/** Pause before a neighbour is asked again that would not answer, ms: doubled each time up to the largest, jittered. */
export const NEIGHBOUR_RETRY_MS = 500;
export const MAX_NEIGHBOUR_RETRY_MS = 30_000;

/** Publishers looked at in one turn of the loop when memberships are checked again: at most about 10 ms. */
export const RECHECKED_PER_TURN = 32;
/** How often what others published is checked against their memberships at least, ms: for those that run out. */
export const RECHECK_INTERVAL_MS = 15 * 60_000;
/** Credentials of publishers kept ready, about 300 bytes each. */
export const MAX_READY_CREDENTIALS = 4_096;
