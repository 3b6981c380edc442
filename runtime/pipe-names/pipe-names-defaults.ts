/** How long an advertisement of a pipe is kept, by its publisher and by others, ms: a peer that is gone is not found for longer. */
export const PIPE_EXPIRATION_MS = 60 * 60_000;
/** How often it is published anew, ms. */
export const PIPE_REFRESH_MS = 20 * 60_000;
/** Names that one peer listens under in a group. */
export const MAX_LISTENED = 256;
/** Peers that are bound at once to see who listens, when several say that they do. */
export const MAX_TRIED = 8;
/** Advertisements looked at for one name. */
export const MAX_FOUND = 64;
/** How long a search for a name may take, ms. */
export const FIND_TIMEOUT_MS = 2_000;
/**
 * How long a name that nobody seems to have is looked for when a pipe is opened, ms, unless the caller has less time: who
 * listens since a moment is known to its rendezvous by then. And the first pause between two looks, ms; it doubles.
 */
export const FIND_AGAIN_MS = 2_000;
export const FIND_PAUSE_MS = 100;
/** Pause before a pipe that broke is bound again, ms: doubled each time, with jitter. */
export const REBIND_MS = 250;
export const MAX_REBIND_MS = 15_000;
/** Deadline of a send, the binding anew included, ms. */
export const SEND_TIMEOUT_MS = 30_000;
