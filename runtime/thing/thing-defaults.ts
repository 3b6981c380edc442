/** Largest value of a property, action or event on the wire, bytes of CBOR: a small picture fits. */
export const MAX_VALUE_BYTES = 256 * 1024;
/** Deepest nesting of a value: the strict decoder takes 16, and messages wrap the value once. */
export const MAX_VALUE_DEPTH = 12;
/** Largest request or answer, bytes: a value and what names it. */
export const MAX_THING_MESSAGE_BYTES = MAX_VALUE_BYTES + 1024;
/** Longest name of an affordance, UTF-16 units. */
export const MAX_AFFORDANCE_NAME = 128;
/** Affordances of a thing, properties, actions and events together. */
export const MAX_AFFORDANCES = 1_024;
/** Deepest nesting of data schemas. */
export const MAX_SCHEMA_DEPTH = 12;
/** Comparisons that checking one value may cost: enough for every honest schema, about 10 ms. */
export const MAX_CHECK_STEPS = 100_000;
/** Longest text on which the pattern of an own schema is tried, UTF-16 units. */
export const MAX_PATTERN_SUBJECT = 4_096;

/** Name under which things are reached, in the group. */
export const THING_SERVICE = 'thing';
/** Deadline of read, write and invoke, connecting included, ms. */
export const THING_REQUEST_TIMEOUT_MS = 10_000;
/** Events kept for a subscriber that is slow; beyond it the oldest goes. */
export const MAX_QUEUED_EVENTS = 64;
/** Observations and subscriptions that a group's server keeps: in total, and for one remote peer. About 1 KB each. */
export const MAX_OBSERVATIONS = 16_384;
export const MAX_OBSERVATIONS_PER_PEER = 4_096;
/** Reads, writes and invocations under way: in total, and for one remote peer. */
export const MAX_REQUESTS = 4_096;
export const MAX_REQUESTS_PER_PEER = 256;
/** Connections of the client side to the peers of things. */
export const MAX_THING_CONNECTIONS = 4_096;
/** An unused connection is closed after this time, ms. */
export const CONNECTION_LINGER_MS = 30_000;
/** Pause before an interrupted observation is tried again, ms: doubled each time up to the largest, jittered by half. */
export const RESUME_DELAY_MS = 250;
export const MAX_RESUME_DELAY_MS = 30_000;

/** Things that a program exposes on one peer. */
export const MAX_EXPOSED_THINGS = 1_024;
/** Things that one listing gives. */
export const MAX_LISTED_THINGS = 50_000;
/** Consumed things of a group that are not closed. */
export const MAX_CONSUMED_THINGS = 16_384;
