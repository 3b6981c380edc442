import { PipevineError } from '../error/pipevine-error.ts';

/** Takes what a splitter cuts out. */
export interface RecordSink {
  /** One record without its length; a view that stays valid. May throw: the splitter is of no use afterwards. */
  onRecord(record: Uint8Array): void;
}

/** Cuts a stream into `u16 length (big-endian) | record`, however its bytes come. A record within one chunk is not copied. */
export class RecordSplitter {
  /** A longer one is refused as soon as its length is known. */
  maxBytes: number;
  /** The record that is incomplete, sized to its length; undefined between records. */
  #partial: Uint8Array | undefined;
  #filled = 0;
  /** First byte of a length whose second has not come; -1 when there is none. */
  #halfLength = -1;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Throws `too-large`, and whatever the sink throws. */
  push(chunk: Uint8Array, sink: RecordSink): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#partial !== undefined) {
        const partial = this.#partial;
        const count = Math.min(partial.length - this.#filled, chunk.length - at);
        partial.set(chunk.subarray(at, at + count), this.#filled);
        this.#filled += count;
        at += count;
        if (this.#filled < partial.length) return;
        this.#partial = undefined;
        sink.onRecord(partial);
        continue;
      }
      if (this.#halfLength < 0) {
        this.#halfLength = chunk[at++] ?? 0;
        if (at === chunk.length) return;
      }
      const length = (this.#halfLength << 8) | (chunk[at++] ?? 0);
      this.#halfLength = -1;
      if (length > this.maxBytes) {
        throw new PipevineError('too-large', `A record of ${length} bytes came; ${this.maxBytes} are the most here.`);
      }
      if (length <= chunk.length - at) {
        const record = chunk.subarray(at, at + length);
        at += length;
        sink.onRecord(record);
      } else {
        this.#partial = new Uint8Array(length);
        this.#filled = 0;
      }
    }
  }
}
