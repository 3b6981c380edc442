/** Name under which a member's resolver is reached, in each of its groups. */
export const RESOLVER_SERVICE = 'resolver';

/** Longest name of a handler, bytes of UTF-8. */
export const MAX_HANDLER_BYTES = 64;
/** Longest directed query, bytes: a batch of advertisements or of statements fits. */
export const MAX_QUERY_BYTES = 1024 * 1024;
/** Longest propagated message and longest answer to one, bytes: every hop keeps them for a moment, for each neighbour. */
export const MAX_MESSAGE_BYTES = 32 * 1024;
export const MAX_ANSWER_BYTES = 64 * 1024;

/** Hops of a propagated message: enough for edge, rendezvous, rendezvous, edge; and at most. */
export const TTL_HOPS = 3;
export const MAX_TTL_HOPS = 8;
/** How long a propagated query is answered, ms; and at most. */
export const QUERY_TIMEOUT_MS = 2_000;
export const MAX_QUERY_TIMEOUT_MS = 30_000;
/** How long a neighbour may take to accept a propagated message, ms. */
export const PROPAGATE_TIMEOUT_MS = 10_000;
/** How long a neighbour whose last link is gone has to come back before it counts as away, ms. */
export const LINK_GRACE_MS = 1_000;
/** Liars that are remembered after their link is gone. */
export const MAX_RESTING = 1_024;
/** How far the clocks of two members may be apart, ms. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** Answers to one propagated query that a hop passes on, and of these from one responder. */
export const MAX_ANSWERS = 1_024;
export const MAX_ANSWERS_OF_RESPONDER = 64;

/** Origins of propagated messages that are remembered, and messages of each: about 100 bytes a message. */
export const MAX_ORIGINS = 1_024;
export const MAX_MESSAGES_OF_ORIGIN = 64;
/** Messages that one origin may propagate: at once, and a second in the long run. */
export const ORIGIN_BURST = 20;
export const ORIGIN_PER_SECOND = 2;

/** Queries of one neighbour under way, watches included: less than a pipe takes, so that there is room for a refusal. */
export const MAX_QUERIES_OF_NEIGHBOUR = 192;
/** Queries of all neighbours under way, for each neighbour that may be: few have many. */
export const MAX_QUERIES_EACH = 16;
/** Directed queries that one neighbour may start: at once, and a second in the long run. */
export const QUERY_BURST = 400;
export const QUERIES_PER_SECOND = 50;
/** Propagated messages that one neighbour may pass on, of all origins: the same. A signature is checked for each new one. */
export const MESSAGE_BURST = 400;
export const MESSAGES_PER_SECOND = 100;

/** Members asked in a group at a time; a rendezvous has more. */
export const MAX_NEIGHBOURS = 256;
/** How long the pipes to neighbours may take to close when the group is closed, ms. */
export const CLOSE_TIMEOUT_MS = 1_000;
/** Pause before a neighbour is asked again that would not answer, ms: doubled each time up to the largest, jittered. */
export const NEIGHBOUR_RETRY_MS = 500;
export const MAX_NEIGHBOUR_RETRY_MS = 30_000;
/** Pause after a neighbour said that it is no member, or sent what does not verify, ms. */
export const STRANGER_REST_MS = 60_000;
/** Members that are asked over a relay in a group at a time, and how long the pipe to one is kept when it is not used, ms. */
export const MAX_DISTANT_MEMBERS = 16;
export const DISTANT_IDLE_MS = 30_000;
/** Deadline of opening the pipe to a neighbour's resolver, ms. */
export const NEIGHBOUR_TIMEOUT_MS = 10_000;
