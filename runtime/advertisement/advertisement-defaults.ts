const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Largest encoded advertisement, bytes: one fits into a record with room for what carries it. */
export const MAX_ADVERTISEMENT_BYTES = 56 * 1024;
/** Largest body, bytes. */
export const MAX_BODY_BYTES = 48 * 1024;
/** Longest key and longest name, bytes of UTF-8. */
export const MAX_KEY_BYTES = 128;
export const MAX_ADVERTISED_NAME_BYTES = 128;
export const MAX_ATTRIBUTES = 32;
export const MAX_ATTRIBUTE_NAME_BYTES = 64;
export const MAX_ATTRIBUTE_VALUE_BYTES = 256;

/** How long a publisher keeps its own, ms. */
export const DEFAULT_LIFETIME_MS = 365 * DAY_MS;
/** How long others keep it, ms; also the most that any foreign one is kept, whatever it says of itself. */
export const DEFAULT_EXPIRATION_MS = 2 * HOUR_MS;
/** Shortest lifetime and expiration that a publisher may choose, ms: below it would live on renewals. */
export const MIN_EXPIRATION_MS = 1_000;

/** Longest pattern of a query, UTF-16 units: four times the longest value, so that no honest pattern is refused. */
export const MAX_PATTERN_LENGTH = 1_024;
export const DEFAULT_QUERY_LIMIT = 1_000;
export const MAX_QUERY_LIMIT = 100_000;

/** Bounds of a store, each with a counter in its status. */
export interface AdvertisementBounds {
  /** Own advertisements: three for each of 10,000 hosted peers, thrice over. */
  readonly maxOwn: number;
  /** Advertisements of others, in total; a rendezvous takes more. */
  readonly maxForeign: number;
  /** Of one publisher: a tenth of the total, so that no publisher alone can fill it. */
  readonly maxForeignPerPublisher: number;
  /**
   * Highest sequences remembered of what has expired or was withdrawn, 80 bytes of memory each. Beyond it the oldest of
   * the publisher with most are forgotten, and could be replayed once more for as long as foreign ones are kept.
   */
  readonly maxRemembered: number;
  readonly maxRememberedPerPublisher: number;
  /** Listeners to changes. */
  readonly maxSubscriptions: number;
  /** Decoded advertisements kept ready, bytes of their encodings. */
  readonly maxCachedBytes: number;
  /** Ms that a foreign advertisement is kept at most, counted from when it came. */
  readonly maxForeignExpirationMs: number;
}

export const DEFAULT_ADVERTISEMENT_BOUNDS: AdvertisementBounds = {
  maxOwn: 100_000,
  maxForeign: 20_000,
  maxForeignPerPublisher: 2_000,
  maxRemembered: 20_000,
  maxRememberedPerPublisher: 2_000,
  maxSubscriptions: 10_000,
  maxCachedBytes: 4 * 1024 * 1024,
  maxForeignExpirationMs: DEFAULT_EXPIRATION_MS,
};

/** Advertisements that expire or are renewed in one turn of the loop: at most about 10 ms of signing. */
export const MAX_DUE_PER_TURN = 200;
/** Own advertisements are signed anew this long after a restart, spread over as long again, ms: whoever still holds the
 * old version may have let it expire, and then takes nothing but a newer one. */
export const RENEW_AFTER_START_MS = 30_000;
/**
 * How often the time by which advertisements age is written at least, ms, while any is held: how much time a crash
 * together with a clock that is set back can give too much.
 */
export const MARK_INTERVAL_MS = 15 * MINUTE_MS;
/** Pause before what could not be written is tried again, ms. */
export const WRITE_RETRY_MS = 30_000;
/** Digests of verified advertisements that are remembered, about 100 bytes each. */
export const MAX_VERIFIED_DIGESTS = 1_024;
