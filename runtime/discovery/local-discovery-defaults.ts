/** Wait before the first announce and query, ms, and the most that is added at random: peers that start together spread. */
export const START_JITTER_MS = 50;
/** Pause between announces that nobody asked for, ms: doubled each time, up to the largest. */
export const ANNOUNCE_FIRST_MS = 1_000;
export const ANNOUNCE_MAX_MS = 60_000;
/** Wait before a query is answered, ms, and the most that is added at random. */
export const ANSWER_DELAY_MS = 10;
export const ANSWER_JITTER_MS = 90;
/** Announces are at least so far apart, ms, however many ask: nobody can make a peer shout. */
export const ANNOUNCE_SPACING_MS = 500;
/** Pause between queries while no neighbour of the group is linked, ms: doubled each time, up to the largest. */
export const QUERY_FIRST_MS = 500;
export const QUERY_MAX_MS = 30_000;
/** The peer with the greater id lets the other dial first, ms: seldom do both. */
export const YIELD_MS = 300;
/** Dials that packets may cause: at once, and a second in the long run. Forged packets cause no more. */
export const DIAL_BURST = 16;
export const DIALS_PER_SECOND = 2;
/** Rest of a peer whose dial failed, ms: doubled each time, up to the largest. */
export const DIAL_REST_MS = 2_000;
export const MAX_DIAL_REST_MS = 300_000;
/** Peers heard that are remembered. Beyond it the one goes that was not heard for longest. */
export const MAX_HEARD_PEERS = 512;
/** Hosts from which announcements of one peer are remembered: a forger cannot push out the true one by shouting once. */
export const MAX_HOSTS_PER_PEER = 3;
/** How long an announcement counts, ms: five times the longest pause between two. */
export const HEARD_LIFETIME_MS = 300_000;
/** Neighbours of one's groups that the local network brings. */
export const MAX_LOCAL_NEIGHBOURS = 16;
/** Beyond them, this many more when they are gateways. */
export const SPARE_GATEWAY_PLACES = 4;
/** Peers that admit members, asked at a time while this peer wants to join. */
export const MAX_JOIN_CANDIDATES = 8;
/** Packets that are looked at: at once, and a second in the long run. */
export const PACKET_BURST = 400;
export const PACKETS_PER_SECOND = 200;
/** Pause before the local network is opened again after a failure, ms. */
export const OPEN_RETRY_MS = 30_000;
/** What repeats an announcement within this time, ms, is not looked at further. */
export const HEARD_REFRESH_MS = 10_000;
