const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Names of the resolver's handlers: what is sent on propagate pipes, and keys of epochs. */
export const PROPAGATE_HANDLER = 'propagate';
export const EPOCH_HANDLER = 'epoch';

/** Largest message, bytes; and the part of it that one propagated message carries, well within what the resolver takes. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
export const FRAGMENT_BYTES = 24 * 1024;
export const MAX_FRAGMENTS = Math.ceil(MAX_MESSAGE_BYTES / FRAGMENT_BYTES);
/** Longest name of a propagate pipe, bytes of UTF-8: as of any pipe. */
export const MAX_NAME_BYTES = 128;
/** Propagate pipes open in one group of one peer. */
export const MAX_OPEN = 256;

/** What this peer sends in one group: fragments at once, and a second in the long run. Below what the resolver lets through, so that a little jitter on the way costs none. */
export const SEND_BURST = 16;
export const SENDS_PER_SECOND = 1.75;
/** How often a send looks whether it may, ms. */
export const SEND_PAUSE_MS = 250;
/** Deadline of a send, ms. */
export const SEND_TIMEOUT_MS = 30_000;
/** Sends that may wait. */
export const MAX_WAITING_SENDS = 64;

/** What waits for the handler of one pipe: messages, and their bytes. Newer ones are dropped. */
export const MAX_UNREAD = 64;
export const MAX_UNREAD_BYTES = 2 * 1024 * 1024;

/** Messages that wait for a key: in total, of one origin, and for how long in ms. */
export const MAX_HELD = 64;
export const MAX_HELD_OF_ORIGIN = 8;
export const HELD_MS = 10_000;

/** Messages of which fragments are missing: in total, of one origin, and for how long in ms. */
export const MAX_PARTIAL = 32;
export const MAX_PARTIAL_OF_ORIGIN = 2;
export const PARTIAL_MS = 60_000;

/** Age from which an administrator makes the next epoch, ms. */
export const EPOCH_AGE_MS = 7 * DAY_MS;
/** How long an epoch is announced, ms: members that come back after less find it. */
export const EPOCH_LIFETIME_MS = 30 * DAY_MS;
/** How long messages of an epoch are read after the next one began, ms. */
export const OLD_EPOCH_MS = HOUR_MS;
/** Keys kept of one group. */
export const MAX_KEYS = 16;
/** Keys of senders that are kept ready. */
export const MAX_SENDER_KEYS = 256;
/** How often administrators look whether the epoch is old, ms. */
export const EPOCH_CHECK_MS = HOUR_MS;
/** From a revocation to the next epoch, ms: whoever revoked first; the others, jittered up to the double, if it did not. */
export const ROTATE_OWN_MS = 200;
export const ROTATE_OTHERS_MS = 5_000;

/** Neighbours that are asked for a key at once, and how long they may take, ms. */
export const MAX_ASKED = 8;
export const ASK_TIMEOUT_MS = 6_000;
/** An administrator asks who holds a key before it makes another: no longer than this, ms. */
export const ASK_HOLDERS_TIMEOUT_MS = 2_000;
/** Pause before all are asked again, ms: doubled each time, with jitter. */
export const ASK_AGAIN_MS = 1_000;
export const MAX_ASK_AGAIN_MS = 60_000;
/** Spreads the questions of all members after a new epoch, ms. */
export const ASK_SPREAD_MS = 500;
/** Keys that one member may ask for: at once, and a second in the long run. Sealing one takes two key agreements. */
export const ANSWER_BURST = 16;
export const ANSWERS_PER_SECOND = 1;
/** Members whose rate is kept. */
export const MAX_ANSWER_RATES = 1_024;
