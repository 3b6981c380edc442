/** Bytes of a block: what is freed at a time. */
const BLOCK_BYTES = 16 * 1024;

/** Bytes of a stream that are kept until they are acknowledged, addressed by their offset in the stream. */
export class SendBuffer {
  readonly #blocks: Buffer[] = [];
  /** Offset of the first block's first byte. */
  #base = 0;
  #start = 0;
  #end = 0;

  /** Offset of the first byte that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Offset behind the last byte. */
  get end(): number {
    return this.#end;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  append(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      const at = this.#end - this.#base;
      const within = at % BLOCK_BYTES;
      if (within === 0 && at / BLOCK_BYTES === this.#blocks.length) this.#blocks.push(Buffer.allocUnsafe(BLOCK_BYTES));
      const part = bytes.subarray(done, done + BLOCK_BYTES - within);
      this.#blocks[Math.floor(at / BLOCK_BYTES)]?.set(part, within);
      done += part.length;
      this.#end += part.length;
    }
  }

  /** A copy of at most `length` bytes from `offset`, which lies between `start` and `end`. */
  copy(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(length, this.#end - offset));
    let done = 0;
    while (done < bytes.length) {
      const at = offset + done - this.#base;
      const within = at % BLOCK_BYTES;
      const part = this.#blocks[Math.floor(at / BLOCK_BYTES)]?.subarray(within, within + bytes.length - done);
      if (part === undefined) break;
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  /** Forgets what lies before `offset`. */
  release(offset: number): void {
    this.#start = Math.min(Math.max(offset, this.#start), this.#end);
    if (this.#start === this.#end) {
      this.#blocks.length = 0;
      this.#base = this.#end;
      return;
    }
    const whole = Math.floor((this.#start - this.#base) / BLOCK_BYTES);
    this.#blocks.splice(0, whole);
    this.#base += whole * BLOCK_BYTES;
  }
}
