const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** How long a credential is valid, ms. Renewed from the 7th day on, so that the only administrator may be away for a month. */
export const CREDENTIAL_LIFETIME_MS = 45 * DAY_MS;
/** Age from which a credential is renewed, ms. */
export const RENEWAL_AGE_MS = 7 * DAY_MS;
/** How long after its end a credential can still be renewed, ms: for a device that was off for a while. */
export const RENEWAL_GRACE_MS = 30 * DAY_MS;
/** How far a clock may be behind the clock of whoever signed, ms. */
export const CLOCK_TOLERANCE_MS = 5 * MINUTE_MS;

/** Longest encoded credential, bytes, as in a BIND: a quorum of 16 with its charter, and a hosted peer below it. */
export const MAX_ENCODED_CREDENTIAL_BYTES = 4_096;
/** Credentials in a chain, the member's own included: member, administrator, administrator; then the authority. */
export const MAX_CREDENTIAL_CHAIN = 3;
export const MAX_ROLES = 8;
export const MAX_ROLE_BYTES = 32;
/** Capabilities besides those of the roles: all that there are, and some claims to names. */
export const MAX_CAPABILITIES = 16;
/** Longest capability, bytes of UTF-8: `name:` and a pattern. */
export const MAX_CAPABILITY_BYTES = 64;
export const SERIAL_BYTES = 16;
/** Longest name of a group, bytes of UTF-8. */
export const MAX_GROUP_NAME_BYTES = 128;
/** Approvers that a quorum is chosen from: with all of them a credential still fits a BIND. */
export const MAX_APPROVERS = 16;

/** Groups that a process may be a member of. */
export const MAX_GROUPS = 64;
/** Checked credentials that are remembered, about 1 KB each. */
export const MAX_VERIFIED_CREDENTIALS = 4_096;
/** Credentials of hosted peers that are kept ready, about 500 bytes each; beyond it one is signed again when needed. */
export const MAX_HOSTED_CREDENTIALS = 16_384;

/** Largest content of a statement, bytes: a full revocation list. */
export const MAX_STATEMENT_CONTENT_BYTES = 48 * 1024;
/** Largest statement, bytes: its content, the credential of its issuer, signature and heads. */
export const MAX_STATEMENT_BYTES = 53 * 1024;
/** Longest key of a statement, bytes of UTF-8. */
export const MAX_STATEMENT_KEY_BYTES = 64;
/** Statements held of one group: in total, of one issuer, and bytes. */
export const MAX_STATEMENTS = 512;
export const MAX_STATEMENTS_PER_ISSUER = 64;
export const MAX_STATEMENT_TABLE_BYTES = 4 * 1024 * 1024;
/** New statements of one issuer: at once, and a second in the long run. Beyond it they wait for the next round of the sync. */
export const STATEMENT_BURST = 128;
export const STATEMENTS_PER_SECOND = 2;
/** Issuers whose rate is kept. */
export const MAX_STATEMENT_RATES = 1_024;
/** Longest life of an application or an approval, ms. */
export const MAX_STATEMENT_LIFETIME_MS = 30 * DAY_MS;
/** How long a serial must stay revoked, ms: until no credential with it can be valid or renewed any more. */
export const REVOCATION_LIFETIME_MS = CREDENTIAL_LIFETIME_MS + RENEWAL_GRACE_MS;
/** Entries of one revocation list, 38 bytes each at most. */
export const MAX_REVOKED_SERIALS = 1_024;

/** Members that may follow the statements of a group here: those whom a rendezvous may have for neighbours. */
export const MAX_STATEMENT_FOLLOWERS = 2_048;
/** Pause before a neighbour that failed is followed again, ms: doubled each time, with jitter. */
export const FOLLOW_RETRY_MS = 1_000;
export const MAX_FOLLOW_RETRY_MS = 60_000;
/** How often a neighbour is asked anew for what is missing, ms, with jitter: what was refused at first may do now. */
export const FOLLOW_AGAIN_MS = 5 * MINUTE_MS;
/** The same when something did not fit the rate of its issuer, ms. */
export const FOLLOW_AGAIN_SOON_MS = 10_000;
