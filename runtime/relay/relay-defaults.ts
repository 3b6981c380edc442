import type { AdmissionPoolLimits } from './admission-pool.ts';

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
/** Of these, the ones that wait for the credential of who asks: strangers leave room for members. */
export const MAX_MEETINGS = 64;

/** How long finding a way may take, and linking another relay, ms: together less than the 2 s that binders wait. */
export const SEEK_MS = 900;
export const RELAY_DIAL_MS = 900;

/** Relays of a target that are dialled for one BIND when no linked one leads there. */
export const MAX_DIALLED_RELAYS = 2;

// Forwarding in the world group, to membership services.

/** How long such a pipe may last, ms: joining takes four requests. */
export const ADMISSION_LIFETIME_MS = 60_000;

/** What it may carry, both ways together, in bytes: answers have up to 60 KiB. */
export const MAX_ADMISSION_BYTES = 262_144;

/** What may wait in it for a slow neighbour, in bytes. */
export const ADMISSION_QUEUE_BYTES = 65_536;

/** Relays that it passes at most: the binder's, and one of the target's. */
export const MAX_ADMISSION_HOPS = 2;

/** How long one keeps its place when others wait for it, ms. */
export const ADMISSION_TURN_MS = 10_000;

/** Binders and targets whose rate is kept, of each pool. */
export const MAX_ADMISSION_RATES = 2_048;

/** For whoever has shown no credential: a new key costs nothing, so what counts is the bound of a target, and of all. */
export const STRANGER_ADMISSIONS: AdmissionPoolLimits = {
  maxPipes: 64,
  maxPerBinder: 4,
  maxPerTarget: 8,
  binderBurst: 8,
  binderPerSecond: 0.05,
  targetBurst: 16,
  targetPerSecond: 0.5,
};

/** For members: they renew every week, and ask every five minutes where approvals are missing. */
export const MEMBER_ADMISSIONS: AdmissionPoolLimits = {
  maxPipes: 256,
  maxPerBinder: 8,
  maxPerTarget: 32,
  binderBurst: 16,
  binderPerSecond: 1,
  targetBurst: 64,
  targetPerSecond: 8,
};

// Telling who admits.

/** Questions who admits that a relay answers: at once, and a second in the long run; of one peer, and of all. */
export const DIRECTORY_BURST_PER_PEER = 16;
export const DIRECTORY_PER_SECOND_PER_PEER = 1;
export const DIRECTORY_BURST = 64;
export const DIRECTORY_PER_SECOND = 16;
/** Peers whose rate is kept. */
export const MAX_DIRECTORY_RATES = 1_024;

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
/** The group is asked for relays while leases are missing: after this, ms, then twice as late each time, to the longest pause. */
export const SEARCH_MS = 2_000;
export const MAX_SEARCH_MS = 600_000;
/** Relays that one search looks for. */
export const SEARCHED_RELAYS = 16;
export const LEASE_DIAL_MS = 3_000;
export const LEASE_ANSWER_MS = 2_000;
