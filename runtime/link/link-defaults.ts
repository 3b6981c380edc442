/** Protocol version that this code speaks. */
export const PROTOCOL_VERSION = 1;

/** From dialling or accepting until the session stands, in ms: long for a slow board, short for a silent stranger. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;

/** Longest handshake message, in bytes. Ours have about 250; the rest is room for later versions. */
export const MAX_HANDSHAKE_MESSAGE_BYTES = 2_048;

/** Tag of ChaCha20-Poly1305, in bytes. */
export const TAG_BYTES = 16;

/** Largest plaintext of a record, in bytes: with its tag it just fits into a 16-bit length. */
export const MAX_RECORD_PLAINTEXT_BYTES = 65_535 - TAG_BYTES;

/** Plaintext buffer of a link that has little to say, in bytes; it doubles as needed and shrinks when idle. */
export const MIN_RECORD_BUFFER_BYTES = 1_024;

/** A link that has sent so short a time ago is busy, and sends next one turn of the event loop later. Far below any round trip. */
export const BUSY_MS = 0.05;

/** Queued and not yet handed to the transport, in bytes of plaintext: above it the caller is asked to wait. */
export const HIGH_WATER_BYTES = 1_048_576;

/**
 * Queued although the caller was asked to wait, in bytes of plaintext: beyond it the link closes. A caller that obeys
 * adds only acknowledgements and the like.
 */
export const MAX_QUEUED_BYTES = 4 * HIGH_WATER_BYTES;

/** Records under one key of a stream link before it is replaced: far below what ChaCha20-Poly1305 bears (RFC 8439). */
export const REKEY_RECORDS = 2 ** 24;

/** Bytes of plaintext under one key of a stream link. */
export const REKEY_BYTES = 64 * 2 ** 30;

/** Age of a key in ms, from its first use: an hour bounds what a stolen key reveals. */
export const REKEY_AGE_MS = 3_600_000;

/** How far beyond REKEY_RECORDS and REKEY_BYTES a sender may go before the receiver closes the link: a factor. */
export const REKEY_TOLERANCE = 2;

/** Records of one epoch of a datagram link, whose key follows from the counter. */
export const EPOCH_RECORDS = 2 ** 20;

/** Packets that may overtake one another on a datagram link; older ones count as replays. At least 2,048. */
export const REPLAY_WINDOW_RECORDS = 4_096;

/** Nothing received for so long, in ms: ask whether the other side still lives. */
export const KEEP_ALIVE_MS = 15_000;

/** Each interval is drawn from this part of KEEP_ALIVE_MS up to all of it, so that links do not ask in step. */
export const KEEP_ALIVE_JITTER = 0.8;

/** Intervals without any sign of life after which the link counts as dead. */
export const KEEP_ALIVE_ATTEMPTS = 3;

/** Questions to a neighbour in doubt, and the time between them, in ms: by then a path that loses a tenth has answered one. */
export const DOUBT_ASKS = 4;
export const DOUBT_ASK_MS = 1_000;

/** Age of the last measurement of the round trip, in ms, after which it is measured again. */
export const RTT_REFRESH_MS = 60_000;

/** From close() until the connection is cut whether or not it was flushed, in ms. */
export const LINGER_MS = 3_000;

/** Bytes that may come between the end of the handshake and `start`; the connection is paused, so they are few. */
export const MAX_EARLY_BYTES = 262_144;

/** First wait before a datagram handshake packet is sent again, in ms; it doubles each time. */
export const RETRANSMIT_FIRST_MS = 250;

/** Longest wait between two of these, in ms. */
export const RETRANSMIT_MAX_MS = 2_000;

/** Part by which each wait is shortened at most, so that two peers do not collide again and again. */
export const RETRANSMIT_JITTER = 0.25;

/** Size to which the first packet of a datagram handshake is padded, in bytes: what is answered to it is less. */
export const INITIAL_PACKET_BYTES = 1_200;

/** Handshake packets of one connection that may fail to authenticate before it is given up. */
export const MAX_BAD_HANDSHAKE_PACKETS = 32;

/** Handshakes under way at one gate above which datagram dialers must first return a cookie. */
export const MAX_HALF_OPEN_BEFORE_COOKIES = 64;

/** Handshakes under way at one gate above which newcomers are refused. */
export const MAX_HALF_OPEN = 1_024;

/** Life of a cookie, in ms, counted in whole periods: between one and two of them. */
export const COOKIE_PERIOD_MS = 10_000;

/** What a record costs in its packet beside the plaintext, in bytes: a type byte, a counter of up to 8 bytes, a tag. */
export const DATAGRAM_RECORD_OVERHEAD_BYTES = 1 + 8 + TAG_BYTES;

/** Packet that passes wherever IPv4 does, in bytes: 576 (RFC 791 section 3.1) without the headers of IPv4 and UDP. */
export const SMALL_PACKET_BYTES = 548;

/** INITIALs of full size that go unanswered before smaller ones are tried. */
export const FULL_SIZE_INITIALS = 3;

/** How often a link in use looks whether packets of full size still arrive, in ms. */
export const PATH_CONFIRM_MS = 10_000;

/** When a link of small packets tries larger ones again, in ms (PMTU_RAISE_TIMER of RFC 8899 section 5.1.1). */
export const PATH_RAISE_MS = 600_000;

/** Wait for the answer to a probe of the packet size, in ms. */
export const PATH_PROBE_INTERVAL_MS = 500;

/** Probes in a row that must go unanswered: with 30 % loss both ways, that happens to one row in a thousand. */
export const PATH_PROBES = 10;
