const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Name under which administrators and approvers serve the membership protocol, in the world group. */
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

/** Wrong codes or passwords in a window before more are refused unseen: of one peer, and of all together. */
export const ATTEMPT_WINDOW_MS = MINUTE_MS;
export const MAX_WRONG_PER_PEER = 5;
export const MAX_WRONG_IN_TOTAL = 30;

/** Requests of one peer, of any type: at once, and a second in the long run. Who joins takes four, who renews one. */
export const REQUEST_BURST = 100;
export const REQUESTS_PER_SECOND = 5;
/** Peers whose rate is kept. */
export const MAX_REQUEST_RATES = 1_024;

/** A password's bytes of UTF-8: the shortest is out of reach of 30 guesses a minute, the longest of nobody's memory. */
export const MIN_PASSWORD_BYTES = 8;
export const MAX_PASSWORD_BYTES = 256;
/** Bytes of the salt of a stretched password, and of either side's nonce. */
export const SALT_BYTES = 16;
export const NONCE_BYTES = 16;
/** Password exchanges under way at an administrator, of one peer each; beyond it the oldest goes. */
export const MAX_PASSWORD_EXCHANGES = 256;
/** How long one may take, ms. */
export const PASSWORD_EXCHANGE_MS = 30 * SECOND_MS;

/** How long an application waits for approval, and how long a grant or a rejection is kept for whoever it is for, ms. */
export const APPLICATION_LIFETIME_MS = 7 * DAY_MS;
/**
 * Applications that a group has waiting; beyond it new ones are refused until some are approved or rejected. Half of the
 * statements of an issuer: so one administrator alone can take and decide as many.
 */
export const MAX_APPLICATIONS = 32;
/** New applications a minute: of one peer (one, and one more after it was reset), and of all. */
export const MAX_NEW_APPLICATIONS_PER_PEER = 2;
export const MAX_NEW_APPLICATIONS_IN_TOTAL = 8;
/** Admissions to open groups a minute: of one peer, and of all. */
export const MAX_OPEN_JOINS_PER_PEER = 5;
export const MAX_OPEN_JOINS_IN_TOTAL = 60;
/** Groups that a peer may have applied to at once. */
export const MAX_OWN_APPLICATIONS = 16;
/** Pause before an applicant asks again, ms: doubled each time, with 50 % of jitter, up to the largest. */
export const APPLICATION_RETRY_MS = 2 * SECOND_MS;
export const MAX_APPLICATION_RETRY_MS = 5 * MINUTE_MS;

/** Members that an administrator's ledger has: about 200 bytes each. */
export const MAX_LEDGER_ENTRIES = 10_000;

/** Groups in the answer to one search. */
export const MAX_GROUPS_FOUND = 16;
/** Statements that come with a credential: the charter, and the revocations that fit. */
export const MAX_STATEMENTS_ALONG = 32;
/** Longest request and answer, bytes. */
export const MAX_MEMBERSHIP_MESSAGE_BYTES = 60 * 1024;
/** Longest name that an applicant gives itself, bytes of UTF-8. */
export const MAX_APPLICANT_NAME_BYTES = 128;
/** Seed addresses that a join link may carry. */
export const MAX_JOIN_SEEDS = 8;
export const MAX_JOIN_SEED_LENGTH = 256;

/** Administrators that a relay names to whoever is no member yet. */
export const MAX_NAMED_ADMINISTRATORS = 4;
export const MAX_DIRECTORY_MESSAGE_BYTES = 256;
/** Deadline of asking a relay, ms. */
export const DIRECTORY_TIMEOUT_MS = 3 * SECOND_MS;

/** Pause after a renewal that failed, ms: doubled each time, up to the largest. */
export const RENEWAL_RETRY_MS = MINUTE_MS;
export const MAX_RENEWAL_RETRY_MS = HOUR_MS;
/** Longest time between two looks at the wall clock, ms: it may step. */
export const RENEWAL_CHECK_MS = HOUR_MS;
/** Deadline of one renewal, connecting included, ms. */
export const RENEWAL_TIMEOUT_MS = 30 * SECOND_MS;
