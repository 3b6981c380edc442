import { Duplex } from 'node:stream';

const PUBLISH = 3;

/**
 * Finds MQTT packets (MQTT 3.1.1, 2.2) in a run of bytes cut anywhere, and takes out each PUBLISH that is longer than
 * `maxPacketBytes`, so that nobody can have the client buffer up to 256 MiB. Throws when another packet is that long.
 */
export class PacketFilter {
  readonly #maxPacketBytes: number;
  readonly #onDropped: () => void;
  #header: number[] = [];
  #left = 0;
  #dropping = false;

  constructor(maxPacketBytes: number, onDropped: () => void) {
    this.#maxPacketBytes = maxPacketBytes;
    this.#onDropped = onDropped;
  }

  /** What of `bytes` goes on, in order. */
  push(bytes: Buffer): Buffer[] {
    const passed: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const part = bytes.subarray(at, at + this.#left);
        if (!this.#dropping) passed.push(part);
        this.#left -= part.length;
        at += part.length;
        continue;
      }
      this.#header.push(bytes[at++] ?? 0);
      const length = this.#bodyLength();
      if (length === undefined) continue;
      this.#dropping = length > this.#maxPacketBytes;
      this.#left = length;
      if (!this.#dropping) passed.push(Buffer.from(this.#header));
      else if ((this.#header[0] ?? 0) >> 4 === PUBLISH) this.#onDropped();
      else throw new Error(`a packet of ${length} bytes where an answer was expected: is this an MQTT broker?`);
      this.#header = [];
    }
    return passed;
  }

  /** The "remaining length" when the header is complete: 7 bits a byte, the lowest first, at most 4 bytes. */
  #bodyLength(): number | undefined {
    const digits = this.#header.slice(1);
    const last = digits.at(-1);
    if (last === undefined) return undefined;
    if (last >= 128) {
      if (digits.length === 4) throw new Error('a packet length of more than four bytes: is this an MQTT broker?');
      return undefined;
    }
    return digits.reduce((sum, digit, index) => sum + (digit & 127) * 128 ** index, 0);
  }
}

/** A stream to a broker with a `PacketFilter` on what comes in. Back-pressure goes through both ways. */
export class PacketGuard extends Duplex {
  readonly #inner: Duplex;

  constructor(inner: Duplex, filter: PacketFilter) {
    super();
    this.#inner = inner;
    inner.on('data', (bytes: Buffer) => {
      try {
        for (const part of filter.push(bytes)) if (!this.push(part)) inner.pause();
      } catch (error) {
        this.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    inner.on('end', () => this.push(null));
    inner.on('error', (error) => this.destroy(error));
    inner.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#inner.write(bytes, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#inner.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }
}
