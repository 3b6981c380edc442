/** Handler of the resolver by which a relay tells a client which address its packets come from. */
export const PUNCH_HANDLER = 'punch';
/** Pipe over which two peers exchange where they can be reached. */
export const PUNCH_PIPE = 'punch';

/** Scheme of the addresses that are punched. */
export const PUNCH_SCHEME = 'udp';

/** Bytes of a token: nobody guesses it who has not been told. */
export const TOKEN_BYTES = 16;

/** Addresses in one offer: observed ones, then own ones. */
export const MAX_CANDIDATES = 16;
export const MAX_OBSERVED = 6;
/** Addresses of a relay to which a client sends probes. */
export const MAX_OBSERVER_ADDRESSES = 8;
/** Addresses of one client that a relay reports for one token. */
export const MAX_REPORTED = 4;

/** Relays that are asked at a time: two tell a symmetric NAT from another, the third is in case one is silent. */
export const MAX_OBSERVERS = 3;
/** When probes go to a relay, in ms after its token came. */
export const OBSERVE_AT_MS: readonly number[] = [0, 150, 400, 800];
/** How long a client waits for what relays see, in ms, and for the other relays once one has told. */
export const OBSERVE_TIMEOUT_MS = 1_500;
export const OBSERVE_GRACE_MS = 400;
/** How long a relay waits for probes with its token, in ms. */
export const TOKEN_LIFETIME_MS = 3_000;
/** What relays saw serves again for so long, in ms: less than any NAT forgets in. */
export const OBSERVATION_LIFETIME_MS = 10_000;

/** When probes go to the candidates of the other side, in ms after both know each other's: ten of 17 bytes for each. */
export const PROBE_AT_MS: readonly number[] = [0, 100, 250, 450, 700, 1_000, 1_500, 2_200, 3_000, 4_000];
/** From the exchange until an attempt counts as failed, in ms: the handshake after the last probe has its time too. */
export const PUNCH_TIMEOUT_MS = 6_000;
/** Deadline of a handshake with an address at which the other side was heard, in ms. */
export const HEARD_DIAL_MS = 5_000;
/** Head start of the peer with the smaller id before the other dials too, in ms: mostly one link is made, not two. */
export const SECOND_DIALLER_MS = 400;
/** Addresses at which one peer may be heard in one attempt. */
export const MAX_HEARD = 4;
/** Deadlines of the pipe for the exchange, and of its answer, in ms. */
export const OFFER_PIPE_MS = 6_000;
export const OFFER_ANSWER_MS = 5_000;
/** Longest life of an attempt that never gets to its probes, in ms. */
export const SESSION_LIFETIME_MS = 20_000;

/** Peers remembered; the one that was reached or given up longest ago makes room. */
export const MAX_TARGETS = 256;
/** Attempts under way at a time, begun by either side. */
export const MAX_SESSIONS = 32;
/** Rest of a peer whose attempt found no room, in ms. */
export const NO_ROOM_REST_MS = 1_000;
/** Tokens that are waited for at a time. */
export const MAX_TOKENS = 512;

/** Rests after 1, 2 ... failures in a row, in ms; each is jittered by up to a quarter. */
export const REST_MS: readonly number[] = [10_000, 60_000, 300_000, 900_000];
/** How often own addresses are looked at while somebody is not reached directly, in ms. */
export const ADDRESS_WATCH_MS = 10_000;

/** Requests of one member, of either kind: at once, and per second in the long run. */
export const REQUEST_BURST = 6;
export const REQUESTS_PER_SECOND = 0.2;
/** The same of all together. */
export const TOTAL_REQUEST_BURST = 200;
export const TOTAL_REQUESTS_PER_SECOND = 50;
/** Members whose rate is kept. */
export const MAX_REQUESTERS = 512;
