import { Duplex } from 'node:stream';
import { PipevineError } from '@pipevine/runtime';

/** Looks at what passes a ScreenedStream. Either method may throw a PipevineError, which ends the stream. */
export interface StreamScreen {
  /** Bytes that came from the other side; returns what the reader shall see. */
  inbound(bytes: Uint8Array): readonly Uint8Array[];
  /** Bytes that were written here; returns what goes out. Absent: they go out as they are. */
  outbound?(chunks: readonly Uint8Array[]): readonly Uint8Array[];
  /** Last bytes to send when a screen has ended the stream by throwing. */
  farewell?(fault: PipevineError): Uint8Array | undefined;
}

/**
 * A stream between a socket and an MQTT library that screens both directions, and that never says "full": `write`
 * always returns true. A library that waits for the slowest reader would let one frozen client hold up all others, so
 * whoever writes looks at `queuedBytes` first and drops or closes; who can wait awaits `drained`.
 */
export class ScreenedStream extends Duplex {
  readonly #inner: Duplex;
  readonly #screen: StreamScreen;
  readonly #onQueued: (deltaBytes: number) => void;
  #queuedBytes = 0;
  #flushedBytes = 0;
  #waiters: { belowBytes: number; resolve: () => void }[] = [];
  #forced = false;
  #ended = false;

  constructor(inner: Duplex, screen: StreamScreen, onQueued: (deltaBytes: number) => void = () => {}) {
    super({ writableHighWaterMark: Number.MAX_SAFE_INTEGER, readableHighWaterMark: 64 * 1024, allowHalfOpen: false });
    this.#inner = inner;
    this.#screen = screen;
    this.#onQueued = onQueued;
    inner.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    // The end comes in order, behind what has been received and not been read yet.
    const end = () => {
      if (!this.#ended && !this.destroyed) this.push(null);
      this.#ended = true;
    };
    inner.on('end', end);
    inner.on('close', end);
    inner.on('error', (error) => this.destroy(error));
  }

  /** Bytes written here that the socket has not taken yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Bytes that the socket has taken since the start: unchanged while `queuedBytes` is not 0 means stuck. */
  get flushedBytes(): number {
    return this.#flushedBytes;
  }

  /** Resolves when at most `belowBytes` are queued, or when the stream is gone. */
  drained(belowBytes: number): Promise<void> {
    if (this.#queuedBytes <= belowBytes || this.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ belowBytes, resolve }));
  }

  /** Sends bytes past the screen, behind what the socket has already. */
  sendPast(bytes: Uint8Array): void {
    if (!this.#inner.destroyed && !this.#inner.writableEnded) this.#inner.write(bytes);
  }

  /** Closes at once; what is queued is lost. */
  abort(error?: Error): void {
    this.#forced = true;
    this.destroy(error);
    this.#inner.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.destroyed) return;
    let passed: readonly Uint8Array[];
    try {
      passed = this.#screen.inbound(chunk);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    let wantsMore = true;
    for (const part of passed) {
      wantsMore = this.push(Buffer.from(part.buffer, part.byteOffset, part.byteLength));
    }
    if (!wantsMore) this.#inner.pause();
  }

  #refuse(error: unknown): void {
    const fault =
      error instanceof PipevineError ? error : new PipevineError('internal', 'MQTT screen failed', { cause: error });
    this.#inner.pause();
    const last = this.#screen.farewell?.(fault);
    if (last !== undefined) this.#inner.write(last);
    this.destroy(fault);
  }

  override _read(): void {
    this.#inner.resume();
  }

  /**
   * A read without a size takes all that waits, as Node did up to 24: Node 26 returns one pushed chunk. aedes reads
   * again from within its parser, which is not reentrant, and must find nothing there. `read(readableLength)` would not
   * do: a size over the high water mark raises it for good.
   */
  override read(size?: number | null): Buffer | null {
    const sized = size !== undefined && size !== null;
    const next = () => super.read(sized ? size : undefined) as Buffer | null; // pushed as Buffers, no encoding is set
    const first = next();
    // In flowing mode each chunk has been emitted already.
    if (first === null || sized || this.readableFlowing) return first;
    const chunks = [first];
    for (let chunk = next(); chunk !== null; chunk = next()) chunks.push(chunk);
    return chunks.length === 1 ? first : Buffer.concat(chunks);
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    const encoding = typeof rest[0] === 'string' ? rest[0] : 'utf8';
    const bytes =
      typeof chunk === 'string'
        ? Buffer.byteLength(chunk, encoding as BufferEncoding) // a string argument there can only be an encoding
        : chunk instanceof Uint8Array
          ? chunk.byteLength
          : 0;
    if (!this.destroyed) this.#account(bytes);
    // The overloads of Writable.write are all this one call.
    return (super.write as (...parameters: unknown[]) => boolean).call(this, chunk, ...rest);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send([chunk], callback);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    callback: (error?: Error | null) => void,
  ): void {
    this.#send(
      chunks.map((item) => item.chunk),
      callback,
    );
  }

  #send(chunks: Uint8Array[], callback: (error?: Error | null) => void): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    let outgoing: readonly Uint8Array[] = chunks;
    try {
      if (this.#screen.outbound !== undefined) outgoing = this.#screen.outbound(chunks);
    } catch (error) {
      // A screen throws nothing but Errors.
      callback(error as Error);
      return;
    }
    // A write error is no error here: the socket reports its own, and what came before its end must still be read.
    const done = () => {
      this.#flushedBytes += bytes;
      this.#account(-bytes);
      callback();
    };
    if (outgoing.length === 0 || this.#inner.destroyed || this.#inner.writableEnded) {
      done();
      return;
    }
    this.#inner.cork();
    for (const [index, chunk] of outgoing.entries()) {
      if (index === outgoing.length - 1) this.#inner.write(chunk, done);
      else this.#inner.write(chunk);
    }
    this.#inner.uncork();
  }

  #account(deltaBytes: number): void {
    // After the end the whole queue has been given back already.
    if (this.destroyed && deltaBytes < 0) return;
    this.#queuedBytes += deltaBytes;
    this.#onQueued(deltaBytes);
    if (deltaBytes > 0 || this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => this.#queuedBytes <= waiter.belowBytes);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => this.#queuedBytes > waiter.belowBytes);
    for (const waiter of ready) waiter.resolve();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#inner.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const left = this.#queuedBytes;
    this.#queuedBytes = 0;
    if (left > 0) this.#onQueued(-left);
    for (const waiter of this.#waiters) waiter.resolve();
    this.#waiters = [];
    // What the socket has taken may still go out (a refusal, a DISCONNECT); a forced end has no time for that.
    if (this.#forced || this.#inner.writableFinished) this.#inner.destroy();
    else {
      this.#inner.end();
      this.#inner.once('finish', () => this.#inner.destroy());
    }
    callback(error);
  }
}
