/** Name of the resolver's handler at a relay, and of the one at a recipient that is reached without a relay. */
export const MAILBOX_HANDLER = 'mailbox';
export const DELIVER_HANDLER = 'mailbox-deliver';

/** Tables of the storage: each is followed by `/` and the group. */
export const HELD_TABLE = 'mailbox-held';
export const SEALED_TABLE = 'mailbox-sealed';
export const TAKEN_TABLE = 'mailbox-taken';
export const OUTBOX_TABLE = 'mailbox-outbox';
export const MAILBOX_CLOCK_TABLE = 'mailbox-clock';

export const MESSAGE_ID_BYTES = 16;
/** Longest sealed message, bytes: one Noise message. */
export const MAX_SEALED_BYTES = 65_535;
/** Longest body, bytes: the longest credential fits beside it. Longer things are content, and a message says where. */
export const MAX_MESSAGE_BODY_BYTES = 48 * 1024;
/** Longest receipt, sealed: the longest credential and 1 KiB. */
export const MAX_RECEIPT_BYTES = 9 * 1024;

/** Messages in one request, and their bytes: less than the resolver's 1 MiB, with room for what stands around them. */
export const MAX_BATCH_MESSAGES = 64;
export const MAX_BATCH_BYTES = 512 * 1024;

/** How long a message waits, ms: by default long enough for a holiday's first week; at most, for a season without power. */
export const LIFETIME_MS = 7 * 24 * 3_600_000;
export const MAX_LIFETIME_MS = 90 * 24 * 3_600_000;
/** How long a relay keeps a receipt for the sender, ms. */
export const RECEIPT_LIFETIME_MS = 7 * 24 * 3_600_000;

/** What one of the bounds lets in. */
export interface MailboxBound {
  /** Sealed bytes; at a relay HELD_OVERHEAD_BYTES more for each message. */
  readonly bytes: number;
  readonly messages: number;
}

/** What a relay holds in one group. */
export interface MailboxBounds {
  readonly total: MailboxBound;
  /** Of one sender, for all recipients. */
  readonly sender: MailboxBound;
  /** For one recipient, of all senders. */
  readonly recipient: MailboxBound;
  /** Of one sender for one recipient: no sender alone fills a mailbox. */
  readonly pair: MailboxBound;
  /** Longest lifetime taken, ms. */
  readonly lifetimeMs: number;
}

const MIB = 2 ** 20;

/** A gateway on a small disk: sixteen full mailboxes, and some 20 MB of memory at the very most. */
export const MAILBOX_BOUNDS: MailboxBounds = {
  total: { bytes: 256 * MIB, messages: 65_536 },
  sender: { bytes: 16 * MIB, messages: 4_096 },
  recipient: { bytes: 16 * MIB, messages: 4_096 },
  pair: { bytes: 4 * MIB, messages: 1_024 },
  lifetimeMs: 30 * 24 * 3_600_000,
};

/** What a message costs beside its sealed bytes: rows, keys and the index. */
export const HELD_OVERHEAD_BYTES = 512;
/** Recipients that take from one relay at a time. */
export const MAX_TAKERS = 2_048;
/** Messages that one commit deletes because their time is over. */
export const EXPIRY_BATCH = 256;
/** Pause after expired messages could not be deleted, and the longest time between two marks of the age clock, ms. */
export const EXPIRY_RETRY_MS = 10_000;
export const MARK_INTERVAL_MS = 3_600_000;

/** What a sender keeps of its own, in one group, until somebody else has it. */
export const OUTBOX_BOUND: MailboxBound = { bytes: 16 * MIB, messages: 1_024 };
/** Messages that are stored and whose receipt is awaited; beyond it the oldest is awaited no more. */
export const MAX_AWAITED_RECEIPTS = 4_096;

/** Ids of taken messages that are remembered: of one sender four times what a relay holds of it for us, and in all. */
export const MAX_TAKEN_OF_SENDER = 4_096;
export const MAX_TAKEN = 32_768;

/** Deadline of a `send` for the first that takes the message, ms; after it the outbox goes on. */
export const SEND_TIMEOUT_MS = 15_000;
/** How long a recipient may take to be linked before a relay is asked, and then to take the messages, ms. */
export const CONNECT_TIMEOUT_MS = 2_000;
export const DELIVER_TIMEOUT_MS = 10_000;
/** How long a relay may take to be linked or to answer, ms. */
export const RELAY_TIMEOUT_MS = 10_000;
/** Pause before a recipient, or a relay, is tried again, ms: doubled each time up to the largest, jittered. */
export const RETRY_MS = 1_000;
export const MAX_RETRY_MS = 5 * 60_000;
/** Recipients that are tried at a time. */
export const MAX_ATTEMPTS = 16;
/** Relays that are taken from at a time. */
export const MAX_RELAYS_READ = 8;
/** Messages delivered without a relay that wait for the handler. */
export const MAX_DELIVERIES_WAITING = 4 * MAX_BATCH_MESSAGES;
/** Messages that one member may deliver without a relay: at once, and a second in the long run. Each costs some 0.3 ms to open. */
export const DELIVERY_BURST = 512;
export const DELIVERIES_PER_SECOND = 200;
/** Members whose rate of deliveries is remembered. */
export const MAX_DELIVERERS = 256;
/** Requests to one peer: at once, and a second in the long run; half of what its resolver lets one neighbour ask. */
export const REQUEST_BURST = 100;
export const REQUESTS_PER_SECOND = 25;
/** Wait when the rate is used up, ms. */
export const REQUEST_PAUSE_MS = 40;
