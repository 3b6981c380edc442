/** First window, in packets (RFC 9002 section 7.2). */
const INITIAL_WINDOW_PACKETS = 10;

/**
 * Smallest window, in packets. RFC 9002 recommends two, but lets others be chosen; with four, as BBR has it, a loss still
 * shows by three later packets. With two each one costs a timeout on a path that loses much.
 */
const MINIMUM_WINDOW_PACKETS = 4;

/** How much may be under way on a path of unknown capacity: NewReno as RFC 9002 section 7 has it. No clock, no I/O. */
export class CongestionControl {
  readonly #packetBytes: number;
  #windowBytes: number;
  #thresholdBytes = Infinity;
  #bytesInFlight = 0;
  /** Losses of what was sent before this belong to a congestion that was answered already. */
  #recoveryStartMs = -Infinity;

  constructor(packetBytes: number) {
    this.#packetBytes = packetBytes;
    this.#windowBytes = INITIAL_WINDOW_PACKETS * packetBytes;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  get hasRoom(): boolean {
    return this.#bytesInFlight < this.#windowBytes;
  }

  /** Whether the window still doubles every round trip. */
  get isSlowStart(): boolean {
    return this.#windowBytes < this.#thresholdBytes;
  }

  onSent(bytes: number): void {
    this.#bytesInFlight += bytes;
  }

  /** `wasLimited`: whether the window was what held the sender back; otherwise it must not grow. */
  onAcknowledged(bytes: number, sentMs: number, wasLimited: boolean): void {
    this.#bytesInFlight -= bytes;
    if (!wasLimited || sentMs <= this.#recoveryStartMs) return;
    if (this.isSlowStart) this.#windowBytes += bytes;
    else this.#windowBytes += (this.#packetBytes * bytes) / this.#windowBytes;
  }

  /** `sentMs`: when the last of what was lost had been sent. */
  onLost(bytes: number, sentMs: number, nowMs: number): void {
    this.#bytesInFlight -= bytes;
    if (sentMs <= this.#recoveryStartMs) return;
    this.#recoveryStartMs = nowMs;
    this.#thresholdBytes = Math.max(this.#windowBytes / 2, this.#minimum);
    this.#windowBytes = this.#thresholdBytes;
  }

  /** Nothing got through for several timeouts: start over. */
  onPersistentCongestion(): void {
    this.#windowBytes = this.#minimum;
    this.#recoveryStartMs = -Infinity;
  }

  get #minimum(): number {
    return MINIMUM_WINDOW_PACKETS * this.#packetBytes;
  }
}
