import { SendBuffer } from './send-buffer.ts';

/** What either side may send before it has heard how much more. */
export const FIRST_LIMIT_BYTES = 16 * 1024;

export interface SendWindowInit {
  readonly frameBytes: number;
  /** `append` answers false from so many unacknowledged bytes on; `acknowledge` says when a quarter is left. */
  readonly highWaterBytes: number;
}

/** Retransmission time before the first measurement, and its bounds (after RFC 6298). */
const FIRST_RTO_MS = 1000;
const MIN_RTO_MS = 200;
const MAX_RTO_MS = 2000;
/** So many frames may be on their way at first and after a loss. */
const FIRST_FRAMES = 4;

/**
 * The sending half of a session, without I/O: what to send next, and when to send it again. A broker keeps the order of a
 * topic's messages, so a hole means a loss and everything after it is sent again (go-back-N). The allowance grows as in slow
 * start and halves with each loss: a broker that drops because a queue is full is not fed the same again at the same pace.
 */
export class SendWindow {
  readonly #init: SendWindowInit;
  readonly #buffer = new SendBuffer();
  #next = 0;
  #highest = 0;
  #limit = FIRST_LIMIT_BYTES;
  #allowance: number;
  #full = false;
  #smoothedMs: number | undefined;
  #variationMs = 0;
  #backoff = 0;
  #measured: { readonly offset: number; readonly atMs: number } | undefined;
  #wentBackAt = -1;

  constructor(init: SendWindowInit) {
    this.#init = init;
    this.#allowance = FIRST_FRAMES * init.frameBytes;
  }

  get unacknowledged(): number {
    return this.#buffer.length;
  }

  /** Offset of the next byte to send. */
  get next(): number {
    return this.#next;
  }

  get end(): number {
    return this.#buffer.end;
  }

  get full(): boolean {
    return this.#full;
  }

  /** Whether bytes have been sent that are not acknowledged, or wait for the other side to grant more. */
  get waiting(): boolean {
    return this.#buffer.length > 0;
  }

  /** Time after the last sending or progress at which to ask again. */
  get rtoMs(): number {
    const base = this.#smoothedMs === undefined ? FIRST_RTO_MS : this.#smoothedMs + 4 * this.#variationMs;
    return Math.min(MAX_RTO_MS, Math.max(MIN_RTO_MS, base) * 2 ** this.#backoff);
  }

  append(bytes: Uint8Array): void {
    this.#buffer.append(bytes);
    this.#full ||= this.#buffer.length >= this.#init.highWaterBytes;
  }

  /** The next bytes to send, or undefined while the other side or the pace grants none. */
  take(nowMs: number): { readonly offset: number; readonly bytes: Uint8Array } | undefined {
    const end = Math.min(this.#buffer.end, this.#limit, this.#buffer.start + this.#allowance);
    const offset = this.#next;
    if (offset >= end) return undefined;
    const bytes = this.#buffer.copy(offset, Math.min(this.#init.frameBytes, end - offset));
    this.#next += bytes.length;
    // Karn: only what is sent for the first time says how long the way is.
    if (offset >= this.#highest) this.#measured ??= { offset: this.#next, atMs: nowMs };
    this.#highest = Math.max(this.#highest, this.#next);
    return { offset, bytes };
  }

  /** Takes the other side's `received` and `limit`. Returns whether it made progress, and whether the writer may go on. */
  acknowledge(received: number, limit: number, nowMs: number): { progress: boolean; writable: boolean } {
    // What was never sent cannot have been received: such a frame is replayed from nowhere or the sender is broken.
    if (received > this.#highest) return { progress: false, writable: false };
    const grown = limit > this.#limit;
    this.#limit = Math.max(this.#limit, limit);
    const fresh = received - this.#buffer.start;
    if (fresh > 0) {
      this.#buffer.release(received);
      this.#next = Math.max(this.#next, received);
      this.#allowance = Math.min(this.#allowance + fresh, 2 * this.#init.highWaterBytes);
      this.#backoff = 0;
      if (this.#measured !== undefined && received >= this.#measured.offset) {
        this.#measure(nowMs - this.#measured.atMs);
        this.#measured = undefined;
      }
    }
    const writable = this.#full && this.#buffer.length <= this.#init.highWaterBytes / 4;
    if (writable) this.#full = false;
    return { progress: fresh > 0 || grown, writable };
  }

  /** The other side saw a hole: send again from there, once for each hole. Returns whether it did. */
  goBack(): boolean {
    if (this.#next === this.#buffer.start || this.#wentBackAt === this.#buffer.start) return false;
    this.#wentBackAt = this.#buffer.start;
    this.#rewind();
    return true;
  }

  /** Nothing was heard for `rtoMs`. Returns whether there is something to send again. */
  expire(): boolean {
    this.#backoff = Math.min(this.#backoff + 1, 5);
    if (this.#next === this.#buffer.start) return false;
    this.#wentBackAt = -1;
    this.#rewind();
    return true;
  }

  #rewind(): void {
    this.#next = this.#buffer.start;
    this.#measured = undefined;
    this.#allowance = Math.max(this.#allowance / 2, FIRST_FRAMES * this.#init.frameBytes);
  }

  #measure(tookMs: number): void {
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = tookMs;
      this.#variationMs = tookMs / 2;
      return;
    }
    this.#variationMs = 0.75 * this.#variationMs + 0.25 * Math.abs(this.#smoothedMs - tookMs);
    this.#smoothedMs = 0.875 * this.#smoothedMs + 0.125 * tookMs;
  }
}
