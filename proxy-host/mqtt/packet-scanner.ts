import { PipevineError } from '@pipevine/runtime';

/** What becomes of a packet whose fixed header has been seen. */
export type PacketVerdict = 'pass' | 'drop';

const MAX_LENGTH_BYTES = 4;

/**
 * Walks over MQTT packets as their bytes arrive (MQTT 3.1.1, section 2.2: one byte of type and flags, one to four
 * bytes of remaining length, then that many bytes) and keeps nothing but a header that is cut in two. So a packet is
 * judged by the length that it announces, before any of it has been buffered.
 */
export class PacketScanner {
  readonly #judge: (firstByte: number, bodyBytes: number) => PacketVerdict;
  readonly #header: number[] = [];
  #bodyLeft = 0;
  #bodyTotal = 0;
  #verdict: PacketVerdict = 'pass';

  /** `judge` may throw a PipevineError, which `push` passes on. */
  constructor(judge: (firstByte: number, bodyBytes: number) => PacketVerdict) {
    this.#judge = judge;
  }

  /** Bytes seen of a packet that has not ended yet; 0 between packets. */
  get partialBytes(): number {
    return this.#bodyLeft > 0 ? this.#bodyTotal - this.#bodyLeft + 1 : this.#header.length;
  }

  /** Returns those of the bytes that belong to passed packets, in order. Throws `malformed` for an impossible length. */
  push(bytes: Uint8Array): Uint8Array[] {
    const passed: Uint8Array[] = [];
    let runStart = -1;
    let at = 0;
    const endRun = (end: number) => {
      if (runStart >= 0 && end > runStart) passed.push(bytes.subarray(runStart, end));
      runStart = -1;
    };
    while (at < bytes.length) {
      if (this.#bodyLeft > 0) {
        const take = Math.min(this.#bodyLeft, bytes.length - at);
        if (this.#verdict === 'pass' && runStart < 0) runStart = at;
        this.#bodyLeft -= take;
        at += take;
        continue;
      }
      const headerStart = at;
      const before = this.#header.length;
      const complete = this.#readHeader(bytes, at);
      at += this.#header.length - before;
      if (!complete) {
        endRun(headerStart);
        break;
      }
      this.#verdict = this.#judge(this.#header[0] ?? 0, this.#bodyTotal);
      this.#bodyLeft = this.#bodyTotal;
      if (this.#verdict === 'drop') endRun(headerStart);
      else if (before > 0) {
        // The header began in an earlier chunk: it goes ahead as a copy.
        endRun(headerStart);
        passed.push(Uint8Array.from(this.#header));
        runStart = at;
      } else if (runStart < 0) runStart = headerStart;
      this.#header.length = 0;
    }
    endRun(at);
    return passed;
  }

  /** Appends to the header what it needs; true when it is complete. */
  #readHeader(bytes: Uint8Array, from: number): boolean {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      this.#header.push(byte);
      if (this.#header.length === 1 || (byte & 0x80) !== 0) {
        if (this.#header.length > MAX_LENGTH_BYTES) {
          throw new PipevineError('malformed', 'MQTT: a remaining length takes at most 4 bytes, got a fifth');
        }
        continue;
      }
      this.#bodyTotal = 0;
      for (let index = this.#header.length - 1; index >= 1; index--) {
        this.#bodyTotal = this.#bodyTotal * 128 + ((this.#header[index] ?? 0) & 0x7f);
      }
      return true;
    }
    return false;
  }
}
