import { PipevineError } from '../error/pipevine-error.ts';

/** Deadline of `connect`, in ms. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** Deadline of `send`, `writable` and `flush`, in ms. */
export const SEND_TIMEOUT_MS = 30_000;

/** How long `close` flushes, in ms. */
export const CLOSE_TIMEOUT_MS = 5_000;

/** Deadline of a request, and of the first item of a stream, in ms. */
export const REQUEST_TIMEOUT_MS = 10_000;

/**
 * What a frame costs in flow control beside its payload, in bytes: about what it costs in bookkeeping, so that a flood of
 * empty messages is bounded too.
 */
export const FRAME_COST_BYTES = 16;

/** Smallest window that a pipe is granted however many there are, in bytes of cost. */
export const MIN_WINDOW_BYTES = 65_536;

/** Frames received but not acknowledged at which an ACK is sent with the record that brought them. */
export const ACK_FRAMES = 64;

/** Longest wait of a lone frame for its ACK, in ms. */
export const ACK_DELAY_MS = 25;

/** What one pipe may send when several wait for the same link, in bytes of cost. */
export const TURN_BYTES = 16_384;

/**
 * What bulk pipes may add to the delay of their path, in ms. Of it ACK_DELAY_MS is what an acknowledgement may wait, which
 * delays nobody; the rest is the queue before whatever else is sent.
 */
export const BULK_DELAY_MS = 45;

/** What bulk pipes have under way before anything is known of the path, and at least, in bytes of cost. */
export const BULK_FIRST_BYTES = 8_192;
export const BULK_MIN_BYTES = 4_096;

/** A path that became slower is believed after one to two times this, in ms. */
export const BULK_RATE_MS = 250;

/** Calls of `send`, `writable` and `flush` that may wait on one pipe. */
export const MAX_WAITERS = 4_096;

/** How long an acceptor waits for CONFIRM, in ms. */
export const CONFIRM_TIMEOUT_MS = 10_000;

/** Longest name under which a pipe is bound, in bytes of UTF-8, at least one. */
export const MAX_NAME_BYTES = 128;

/** First wait before BIND, CONFIRM or UNBIND is sent again over a link that may lose it, in ms; it doubles. */
export const REPEAT_FIRST_MS = 250;

/** Longest of these waits, in ms. */
export const REPEAT_MAX_MS = 2_000;

/** Wait before a pipe is bound again when the other side, or the link, had no room for it, in ms. */
export const RESUME_AGAIN_MS = 1_000;

/** Longest wait for an acknowledgement over a relay, in ms, before another path is taken: time for one more within 5 s. */
export const PATH_SILENCE_MS = 3_000;

/**
 * Silence after which a binder asks over a relay for a sign of life, in ms: while the pipe has been in use within
 * PROBE_ACTIVE_MS, so that with PATH_SILENCE_MS a relay that lets nothing pass is left in 5 s; and otherwise.
 */
export const PROBE_SILENCE_MS = 1_800;
export const PROBE_ACTIVE_MS = 30_000;
export const PROBE_IDLE_MS = 20_000;

/** While the acceptor of a pipe without a path waits for its binder: how often it asks relays whether their links live, in ms. */
export const AWAIT_BINDER_MS = 5_000;

/** How long a relay that failed a pipe is the last to be asked for that pipe again, in ms. */
export const RELAY_REST_MS = 30_000;

/** Wait for a link to the peer itself before a relay is asked, in ms (RFC 8305 section 5 staggers likewise). */
export const RELAY_STAGGER_MS = 250;

/** Pauses before a way to a peer that is `unreachable` is looked for again, in ms. */
export const LOOK_AGAIN_MS: readonly number[] = [100, 300, 600];

/** Longest wait for a pipe to be bound over one relay while there are others, in ms. */
export const RELAY_BIND_TIMEOUT_MS = 2_000;

/** Relays of one peer that are looked at, and wanted, for one pipe. */
export const MAX_RELAYS_PER_PEER = 4;

/** How often the end of a relayed pipe is told, at growing intervals, unless the other end answers sooner. */
export const FAREWELLS = 8;

/** How often UNBIND is repeated before its channel is given back all the same. */
export const UNBIND_REPEATS = 6;

/** Sealed payloads of one direction under one key of an end-to-end session. */
export const SESSION_EPOCH_PAYLOADS = 2 ** 20;

/** Sealed unicast payloads that may overtake one another; older ones count as replays. */
export const UNICAST_REPLAY_WINDOW = 2_048;

/** Requests under way on one pipe. */
export const MAX_REQUESTS = 256;

/** Bytes of the bodies of requests under way on one pipe, at the server. */
export const MAX_REQUEST_BYTES = 33_554_432;

/** What may be set about pipes. */
export interface PipeLimitsInit {
  /**
   * What a sender may have under way until the receiving application has consumed it, in bytes of cost. Default 1 MiB:
   * with less a fast link waits for credit, more only lengthens queues.
   */
  readonly windowBytes?: number;
  /** What is kept for sending again, and what waits, in bytes of cost; default 1 MiB. One large message may exceed it. */
  readonly sendBufferBytes?: number;
  /** Largest message; default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Pipes on one link; default 1,024. */
  readonly maxChannelsPerLink?: number;
  /** Of these not yet confirmed by the binder; default 64. */
  readonly maxHalfBoundPerLink?: number;
  /** Pipes in all; default 16,384. */
  readonly maxPipes?: number;
  /** What large messages on one link may need beyond their windows, in bytes; default 64 MiB. Windows get smaller near it. */
  readonly receiveBytesPerLink?: number;
  /** How long a pipe without a link waits for a new one, in ms; default 180,000: a machine may sleep for a while. */
  readonly resumeTimeoutMs?: number;
}

export type PipeLimits = Required<PipeLimitsInit>;

/** Fills in the defaults. Throws `invalid-argument` naming the first value out of range. */
export function resolvePipeLimits(init: PipeLimitsInit = {}): PipeLimits {
  return {
    windowBytes: inRange('windowBytes', init.windowBytes, 1_048_576, 1_024, 2 ** 30),
    sendBufferBytes: inRange('sendBufferBytes', init.sendBufferBytes, 1_048_576, 1_024, 2 ** 30),
    maxMessageBytes: inRange('maxMessageBytes', init.maxMessageBytes, 16_777_216, 1_024, 2 ** 30),
    maxChannelsPerLink: inRange('maxChannelsPerLink', init.maxChannelsPerLink, 1_024, 1, 65_536),
    maxHalfBoundPerLink: inRange('maxHalfBoundPerLink', init.maxHalfBoundPerLink, 64, 1, 65_536),
    maxPipes: inRange('maxPipes', init.maxPipes, 16_384, 1, 2 ** 24),
    receiveBytesPerLink: inRange('receiveBytesPerLink', init.receiveBytesPerLink, 67_108_864, 65_536, 2 ** 40),
    resumeTimeoutMs: inRange('resumeTimeoutMs', init.resumeTimeoutMs, 180_000, 1, 86_400_000),
  };
}

function inRange(name: string, value: number | undefined, byDefault: number, min: number, max: number): number {
  if (value === undefined) return byDefault;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new PipevineError('invalid-argument', `${name} must be an integer from ${min} to ${max}, not ${value}.`);
}
