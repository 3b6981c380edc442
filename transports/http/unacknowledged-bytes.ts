/** What was written to a stream and is not yet known to have arrived: bytes `start` to `end` of all. */
export class UnacknowledgedBytes {
  #chunks: Uint8Array[] = [];
  /** Chunks before this one have arrived; kept until they are many, as taking from the front of an array costs its length. */
  #first = 0;
  /** Offset in the stream of the first kept byte of chunk `#first`. */
  #start = 0;
  #end = 0;

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  append(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#chunks.push(chunk);
      this.#end += chunk.length;
    }
  }

  /** Forgets what is before `offset`. Returns false, and does nothing, when so much was never written or it is an old story. */
  acknowledge(offset: number): boolean {
    if (offset < this.#start || offset > this.#end) return false;
    let left = offset - this.#start;
    this.#start = offset;
    while (left > 0) {
      const chunk = this.#chunks[this.#first];
      if (chunk === undefined) break;
      if (left < chunk.length) {
        this.#chunks[this.#first] = chunk.subarray(left);
        break;
      }
      left -= chunk.length;
      this.#first++;
    }
    if (this.#first === this.#chunks.length || this.#first >= 1024) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
    return true;
  }

  /** A copy of the oldest bytes, at most `maxBytes`. */
  read(maxBytes: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(maxBytes, this.length));
    let filled = 0;
    for (let index = this.#first; filled < bytes.length; index++) {
      const chunk = this.#chunks[index];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#start = this.#end;
  }
}
