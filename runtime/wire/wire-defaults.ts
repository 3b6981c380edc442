/** Largest CBOR item that is looked at, in bytes: a record is never longer. */
export const MAX_ITEM_BYTES = 65_535;

/** Deepest nesting of arrays, maps and tags; our own frames and advertisements need 6. */
export const MAX_DEPTH = 16;

/** Most data items in one item, keys included: with 64 KiB that is 4 bytes each, less than any real content has. */
export const MAX_ITEMS = 16_384;

/** Most arrays, maps and tags among them: what a hostile item costs is mostly the making of these. */
export const MAX_CONTAINERS = 4_096;

/** Longest pipe name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 128;

/** Most ranges in one ACK: what a receiver with heavy loss needs, and at most 600 bytes. */
export const MAX_ACK_RANGES = 32;

/** Longest reason of UNBIND or CLOSE, in characters: a sentence for a log, not a payload. */
export const MAX_REASON_CHARACTERS = 200;

/** Longest code of UNBIND or CLOSE, in characters; the longest ErrorCode has 21. */
export const MAX_CODE_CHARACTERS = 32;

/** Longest handshake message in BIND, BOUND and CONFIRM, in bytes. */
export const MAX_SESSION_BYTES = 4096;

/** Longest credential in BIND and BOUND, in bytes. */
export const MAX_CREDENTIAL_BYTES = 4096;

/** Largest channel number; a channel is 32 bits so that a table of them stays cheap. */
export const MAX_CHANNEL = 0xffff_ffff;

/**
 * Most arrays, maps and tags in the frames of one record, DATA aside: 600 of the largest ACKs, which is all that fits,
 * have 20,400.
 */
export const MAX_CONTAINERS_PER_RECORD = 32_768;

/** Most frames other than DATA in one record: bounds, with the above, what reading a record costs to some ms. */
export const MAX_CONTROL_FRAMES_PER_RECORD = 2_048;
