import { Duplex } from 'node:stream';
import { type Pipe, PipevineError } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';

/** Bytes of one message; a write may be longer. */
const MAX_MESSAGE_BYTES = 65_536;
const FLUSH_TIMEOUT_MS = 5_000;
const END = new Uint8Array(0);

/**
 * A reliable pipe as a stream of bytes, both ways. An empty message ends one direction, so either side may end first; a pipe
 * that closes without it has broken off, which is an error. What the reader does not take stays with the sender.
 */
export class PipeDuplex extends Duplex {
  readonly overlayPipe: Pipe;
  readonly #onRead: (bytes: number) => void;
  #waiting: (() => void)[] = [];
  #ended = false;

  /** `onRead` is told the length of what comes, before it is handed on. */
  constructor(pipe: Pipe, onRead: (bytes: number) => void = () => {}) {
    super({ allowHalfOpen: true });
    this.overlayPipe = pipe;
    this.#onRead = onRead;
    // Who reads, writes or waits for the close is told. When nobody does, an error must not end the process.
    this.on('error', () => {});
    pipe.receive((message) => this.#onMessage(message));
    void pipe.closed.then((error) => this.#onClosed(error));
  }

  override _read(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const taken of waiting) taken();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send(chunk).then(() => callback(), callback);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk))).then(() => callback(), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.overlayPipe.send(END).then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this._read();
    this.overlayPipe.close({ timeoutMs: error === null ? FLUSH_TIMEOUT_MS : 0 }).catch(() => {});
    callback(error);
  }

  async #send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_MESSAGE_BYTES) {
      await this.overlayPipe.send(bytes.subarray(at, at + MAX_MESSAGE_BYTES));
    }
  }

  #onMessage(message: Uint8Array): Promise<void> | undefined {
    if (this.destroyed) return undefined;
    if (this.#ended) {
      this.destroy(new PipevineError('protocol', 'Bytes came after the end of the stream.'));
      return undefined;
    }
    if (message.length === 0) {
      this.#ended = true;
      this.push(null);
      return undefined;
    }
    this.#onRead(message.length);
    // The bytes are the pipe's; a parser may keep parts of them.
    if (this.destroyed || this.push(Buffer.from(message))) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #onClosed(error: PipevineError | undefined): void {
    if (this.destroyed) return;
    if (this.#ended && this.writableFinished) this.destroy();
    else this.destroy(pipevineFailure(error ?? new PipevineError('closed', 'The other side has closed the pipe.')));
  }
}
