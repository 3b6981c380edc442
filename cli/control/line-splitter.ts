import { PipevineError } from '@pipevine/runtime';

const NEWLINE = 0x0a;

/** Cuts bytes into lines of UTF-8, each at most `maxBytes` long. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that are complete now. Throws `too-large` as soon as one is longer than allowed. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const part = chunk.subarray(from, end === -1 ? undefined : end);
      this.#length += part.length;
      if (this.#length > this.#maxBytes) {
        throw new PipevineError('too-large', `a line is longer than ${this.#maxBytes} bytes`);
      }
      if (part.length > 0) this.#parts.push(part);
      if (end === -1) return lines;
      lines.push(Buffer.concat(this.#parts).toString('utf8'));
      this.#parts = [];
      this.#length = 0;
      from = end + 1;
    }
  }
}
