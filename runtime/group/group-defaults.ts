const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** How long a credential is valid, ms; renewed at half of it, so a member may be away for two weeks. */
export const CREDENTIAL_LIFETIME_MS = 30 * DAY_MS;
/** How long after its end a credential can still be renewed, ms: for a device that was off for a while. */
export const RENEWAL_GRACE_MS = 7 * DAY_MS;
/** How far a clock may be behind the clock of whoever signed, ms. */
export const CLOCK_TOLERANCE_MS = 5 * MINUTE_MS;

/** Longest encoded credential, bytes: a chain of three with all roles. */
export const MAX_ENCODED_CREDENTIAL_BYTES = 2_048;
/** Credentials in a chain, the member's own included: member, administrator, administrator; then the authority. */
export const MAX_CREDENTIAL_CHAIN = 3;
export const MAX_ROLES = 8;
export const MAX_ROLE_BYTES = 32;
export const SERIAL_BYTES = 16;
/** Longest name of a group, bytes of UTF-8. */
export const MAX_GROUP_NAME_BYTES = 128;

/** Groups that a process may be a member of. */
export const MAX_GROUPS = 64;
/** Checked credentials that are remembered, about 1 KB each. */
export const MAX_VERIFIED_CREDENTIALS = 4_096;
/** Credentials of hosted peers that are kept ready, about 500 bytes each; beyond it one is signed again when needed. */
export const MAX_HOSTED_CREDENTIALS = 16_384;
/** Revoked serials in a list: 28 bytes each, so a full list fits an advertisement. */
export const MAX_REVOKED_SERIALS = 1_024;
export const MAX_REVOCATION_LIST_BYTES = 48 * 1024;
