/** Name of the resolver's handler. */
export const RELAY_HANDLER = 'relay';

// Forwarding.

/** Pipes that one relay forwards, about 1 KB each. */
export const MAX_LABELS = 4_096;

/** Of these over the link to one neighbour. */
export const MAX_LABELS_PER_NEIGHBOUR = 512;

/** Of these not yet answered by the target, over the link to one neighbour. */
export const MAX_UNANSWERED_PER_NEIGHBOUR = 64;

/** How long a target may take to answer a BIND, ms: binders try the next relay after 2 s. */
export const ANSWER_TIMEOUT_MS = 10_000;

/** What waits for a slow neighbour: for one pipe, for the neighbour, and in all, in bytes. Beyond it frames are dropped. */
export const LABEL_QUEUE_BYTES = 262_144;
export const NEIGHBOUR_QUEUE_BYTES = 4_194_304;
export const RELAY_QUEUE_BYTES = 67_108_864;

/** What a frame costs in a queue beside its payload, in bytes. */
export const QUEUED_FRAME_COST_BYTES = 64;

/** BINDs that wait until a way is found or another relay is linked: over the link to one neighbour, and in all. */
export const MAX_WAITING_PER_NEIGHBOUR = 16;
export const MAX_WAITING = 256;

/** How long finding a way may take, and linking another relay, ms: together less than the 2 s that binders wait. */
export const SEEK_MS = 900;
export const RELAY_DIAL_MS = 900;

/** Relays of a target that are dialled for one BIND when no linked one leads there. */
export const MAX_DIALLED_RELAYS = 2;

// Leases.

export const LEASE_ID_BYTES = 8;
/** Relays of a group that a client remembers, beyond its neighbours. */
export const MAX_KNOWN_RELAYS = 64;
/** Leases of one relay in one group. */
export const MAX_LEASES = 1_024;
/** Longest and shortest lease that a client believes, ms. */
export const MIN_GRANT_MS = 1_000;
export const MAX_GRANT_MS = 24 * 3_600_000;
/** What a client asks for, ms. */
export const ASKED_LEASE_MS = 600_000;
/** Relays at which a client leases: when one dies, the other is known already. */
export const WANTED_LEASES = 2;
/** Renewal at the latest, ms. */
export const RENEW_MS = 300_000;
export const LEASE_DIAL_MS = 3_000;
export const LEASE_ANSWER_MS = 2_000;
