import { createHash } from 'node:crypto';

/** Events are gathered in so many bytes before they are hashed: a hash pays for each call. */
const BUFFER_BYTES = 64 * 1024;

/** The most that one event takes: time, two hosts, length, the ends of what was carried. */
const DELIVERY_BYTES = 8 + 4 + 4 + 4 + 2 * 16;

/**
 * SHA-256 over all that happened, event by event, in a bounded buffer. Of what the network carries it takes both ends: in
 * a sealed record the last 16 bytes are the tag, which depends on all the others.
 */
export class TraceHash {
  readonly #hash = createHash('sha256');
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  readonly #hosts = new Map<string, number>();
  #used = 0;
  #events = 0;

  get events(): number {
    return this.#events;
  }

  delivered(atMs: number, from: string, to: string, bytes: Uint8Array): void {
    this.#events++;
    this.#reserve(DELIVERY_BYTES);
    const view = this.#view;
    view.setFloat64(this.#used, atMs);
    view.setUint32(this.#used + 8, this.#numberOf(from));
    view.setUint32(this.#used + 12, this.#numberOf(to));
    view.setUint32(this.#used + 16, bytes.length);
    this.#used += 20;
    const head = Math.min(16, bytes.length);
    for (let i = 0; i < head; i++) this.#buffer[this.#used++] = bytes[i] ?? 0;
    for (let i = Math.max(head, bytes.length - 16); i < bytes.length; i++) this.#buffer[this.#used++] = bytes[i] ?? 0;
  }

  note(atMs: number, facts: readonly (string | number | boolean)[]): void {
    this.#events++;
    this.#flush();
    this.#hash.update(JSON.stringify([atMs, facts]));
  }

  /** In hexadecimal. Ends the trace. */
  digest(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  /** By order of appearance, which the run determines. */
  #numberOf(host: string): number {
    let number = this.#hosts.get(host);
    if (number === undefined) {
      number = this.#hosts.size;
      this.#hosts.set(host, number);
    }
    return number;
  }

  #reserve(byteLength: number): void {
    if (this.#used + byteLength > BUFFER_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#hash.update(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}
