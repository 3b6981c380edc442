const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Name under which administrators serve the membership protocol, in the world group. */
export const MEMBERSHIP_SERVICE = 'membership';

/** How long a join code can be used, ms. */
export const JOIN_CODE_LIFETIME_MS = DAY_MS;
export const MAX_JOIN_CODE_LIFETIME_MS = 365 * DAY_MS;
/** How many peers a code admits. */
export const JOIN_CODE_USES = 1;
export const MAX_JOIN_CODE_USES = 256;
/** Codes kept at an administrator; beyond it the oldest goes. */
export const MAX_JOIN_CODES = 256;
/** How long a code that ran out is remembered, ms, so that who comes late is told so. */
export const JOIN_CODE_MEMORY_MS = 7 * DAY_MS;

/** Wrong codes in a window before more are refused unseen: of one peer, and of all together. */
export const ATTEMPT_WINDOW_MS = MINUTE_MS;
export const MAX_WRONG_PER_PEER = 5;
export const MAX_WRONG_IN_TOTAL = 30;

/** Longest request and answer, bytes: credentials and a group advertisement. */
export const MAX_MEMBERSHIP_MESSAGE_BYTES = 60 * 1024;
/** Longest name that an applicant gives itself, bytes of UTF-8. */
export const MAX_APPLICANT_NAME_BYTES = 128;
/** Seed addresses that a join link may carry. */
export const MAX_JOIN_SEEDS = 8;
export const MAX_JOIN_SEED_LENGTH = 256;

/** Pause after a renewal that failed, ms: doubled each time, up to the largest. */
export const RENEWAL_RETRY_MS = MINUTE_MS;
export const MAX_RENEWAL_RETRY_MS = HOUR_MS;
/** Longest time between two looks at the wall clock, ms: it may step. */
export const RENEWAL_CHECK_MS = HOUR_MS;
/** Deadline of one renewal, connecting included, ms. */
export const RENEWAL_TIMEOUT_MS = 30_000;
