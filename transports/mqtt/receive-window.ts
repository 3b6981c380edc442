export type Arrival = 'taken' | 'duplicate' | 'gap' | 'beyond';

/** The receiving half of a session, without I/O: what is kept for the reader, and how far the other side may go. */
export class ReceiveWindow {
  readonly #capacityBytes: number;
  readonly #waiting: Uint8Array[] = [];
  #received = 0;
  #delivered = 0;
  #granted: number;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
    this.#granted = capacityBytes;
  }

  /** Bytes that came without a hole. */
  get received(): number {
    return this.#received;
  }

  /** Offset up to which the other side may send; taking it counts as telling it. */
  grant(): number {
    this.#granted = this.#delivered + this.#capacityBytes;
    return this.#granted;
  }

  /** Whether the reader has freed so much that the other side should hear of it even with nothing else to say. */
  get wantsToGrant(): boolean {
    return this.#delivered + this.#capacityBytes - this.#granted >= this.#capacityBytes / 4;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Takes bytes that begin at `offset`; what came before is cut off. */
  arrive(offset: number, bytes: Uint8Array): Arrival {
    if (offset > this.#received) return 'gap';
    const end = offset + bytes.length;
    if (end <= this.#received) return 'duplicate';
    if (end > this.#granted) return 'beyond';
    const fresh = offset === this.#received ? bytes : bytes.slice(this.#received - offset);
    this.#received = end;
    const last = this.#waiting.at(-1);
    // Tiny frames for a reader that pauses would cost more than their bytes.
    if (last !== undefined && last.length + fresh.length <= 4096) {
      const joined = new Uint8Array(last.length + fresh.length);
      joined.set(last);
      joined.set(fresh, last.length);
      this.#waiting[this.#waiting.length - 1] = joined;
    } else {
      this.#waiting.push(fresh);
    }
    return 'taken';
  }

  /** The next bytes for the reader. */
  shift(): Uint8Array | undefined {
    const bytes = this.#waiting.shift();
    this.#delivered += bytes?.length ?? 0;
    return bytes;
  }

  /** The reader wants no more: everything counts as delivered. */
  discard(): void {
    this.#waiting.length = 0;
    this.#delivered = this.#received;
  }
}
