/** Name of the resolver's handler. */
export const RENDEZVOUS_HANDLER = 'rendezvous';
/** Table of the storage: base32 of the group to the rendezvous known last. */
export const RENDEZVOUS_TABLE = 'rendezvous';

// Leases.

/** How long a lease lasts, ms: what a client that vanished without a word costs is small, so is the traffic of renewals. */
export const LEASE_MS = 600_000;
/** Shortest lease that a client may ask for, ms: below it would live on renewals. */
export const MIN_LEASE_MS = 10_000;
/** Longest lease that a client takes, ms; it renews at half of the default at the latest. */
export const MAX_LEASE_MS = 24 * 3_600_000;
/** Renewal with fewer than two alternatives known, ms: a rendezvous that was alone may have company by now. */
export const RENEW_ALONE_MS = 60_000;
export const LEASE_ID_BYTES = 8;
/** Deadline for a link to a rendezvous that is no neighbour, ms: short, as others may be there. */
export const LEASE_DIAL_MS = 1_200;
/** Deadline for an answer over an open pipe, ms. */
export const LEASE_ANSWER_MS = 2_000;
/** Pause between two rounds through all candidates, ms, for the first ten minutes: so that a partition heals in 2 s. */
export const SEEK_PAUSE_MS = 500;
export const SEEK_EAGER_MS = 600_000;
/** The same later, ms. */
export const SEEK_LATE_PAUSE_MS = 30_000;
/** The clients of a rendezvous that died spread their first requests elsewhere over this time, ms. */
export const FAILOVER_SPREAD_MS = 200;
/** How long a search waits for the lease of a peer that has just begun to seek one, ms. */
export const LEASE_SETTLE_MS = 1_000;
/** Rendezvous that a client remembers besides its own; also what a grant names. */
export const MAX_ALTERNATIVES = 8;
/** Of those that a peer refers to, the most that are tried: what a false referral can cost. */
export const MAX_REFERRED = 3;
export const MAX_VIEW_ADDRESSES = 4;
export const MAX_VIEW_ADDRESS_BYTES = 256;
/** Leases of one rendezvous in one group, about 200 bytes each. */
export const MAX_LEASES = 2_048;

// Feeding the index.

/** Advertisements in one message, bytes of their encodings: an answer in between leaves the loop to others. */
export const FEED_BATCH_BYTES = 48 * 1024;
/** Advertisements in one message. */
export const MAX_FEED_BATCH = 512;
/** Changes that wait for one receiver; beyond it everything is sent anew. */
export const MAX_FEED_PENDING = 1_024;
/** Entries of the index that are looked at in one turn of the loop: about 1 ms. */
export const FEED_ENTRIES_PER_TURN = 256;
/** First and longest pause after a failed message, ms; how often one message is tried. */
export const FEED_RETRY_FIRST_MS = 500;
export const FEED_RETRY_MAX_MS = 15_000;
export const FEED_ATTEMPTS = 8;
/** Deadline of one message, ms. */
export const FEED_ANSWER_MS = 10_000;
/** Messages at once and in the long run from one client: 10,000 devices behind one host come through without a pause. */
export const PUSH_BURST = 512;
export const PUSHES_PER_SECOND = 8;

// Rendezvous among themselves.

/** Rendezvous that hold each advertisement: losing two at once loses nothing. */
export const REPLICAS = 3;
/** Rendezvous known, confirmed or not, each kept linked. */
export const MAX_PEERVIEW = 64;
/** Of these told by one other and not yet confirmed. */
export const MAX_TOLD_BY_ONE = 16;
/** Peers that did not prove to be rendezvous, remembered. */
export const MAX_RESTING = 256;
/** Between two exchanges of views, ms. */
export const PEERVIEW_EXCHANGE_MS = 30_000;
/** A changed view is told, and acted upon, after this long, ms: at a start many changes come at once. */
export const PEERVIEW_SETTLE_MS = 500;
/** Without a link for this long a rendezvous leaves the ring, ms: a link that is replaced moves no index. */
export const PEERVIEW_LOST_MS = 3_000;
/** A rendezvous that was told of and is not confirmed within this time is given up, ms; the same for one that was lost. */
export const CANDIDATE_MS = 60_000;
export const LOST_CANDIDATE_MS = 900_000;
/** Who was given up is not believed in again for this long by hearsay, ms. */
export const REST_MS = 300_000;

// Searching.

/** Neighbours asked in one search, or told of one message, besides rendezvous. */
export const MAX_ASKED = 16;

// Promotion.

/** Without a lease for this long a capable peer serves, ms; each place in the order of ids adds as much as below. */
export const PROMOTE_AFTER_MS = 10_000;
export const PROMOTE_STEP_MS = 2_000;
export const MAX_PROMOTE_STEPS = 10;
/** A promoted one stops after this long without clients, when as many others serve, ms. */
export const DEMOTE_AFTER_MS = 600_000;
export const DEMOTE_OTHERS = 2;
