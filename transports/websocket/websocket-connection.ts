import type { Socket } from 'node:net';
import { type Connection, type ConnectionHandler, type EndpointAddress, PipevineError } from '@pipevine/runtime';
import type { RawData, WebSocket } from 'ws';
import { closeFailure, webSocketFailure } from './websocket-failure.ts';

/** Largest message, in bytes: what is longer is cut. What comes in longer ends the connection. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

/** As for TCP: a connection that has said all it had ends when the other side neither reads nor closes for so long ... */
const CLOSE_IDLE_MS = 5000;
/** ... or keeps it open by sending for so long. */
const CLOSE_LIMIT_MS = 30_000;

/** Status of a close because of a text message (RFC 6455 section 7.4.1). */
const UNSUPPORTED_DATA = 1003;

/** The bytes of the binary messages of a WebSocket (RFC 6455), one after the other; where a message ends means nothing. */
export class WebSocketConnection implements Connection {
  readonly kind = 'stream';
  readonly maxPacketBytes = Number.POSITIVE_INFINITY;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #highWaterBytes: number;
  /** Messages that were in the same read of the system as the one after which the owner paused. */
  readonly #early: Uint8Array[] = [];
  #handler: ConnectionHandler | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #isPaused = true;
  #error: PipevineError | undefined;
  #full = false;
  #told = false;
  #closeLimit: NodeJS.Timeout | undefined;

  /** Takes an open WebSocket in the turn in which it opened. */
  constructor(
    webSocket: WebSocket,
    socket: Socket,
    localAddress: EndpointAddress,
    remoteAddress: EndpointAddress,
    highWaterBytes: number,
  ) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.#highWaterBytes = highWaterBytes;
    webSocket.pause();
    webSocket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    webSocket.on('error', (error) => {
      this.#fail(webSocketFailure(remoteAddress, error));
    });
    webSocket.on('close', (status) => {
      clearTimeout(this.#closeLimit);
      if (this.#state === 'open') this.#error ??= closeFailure(remoteAddress, status);
      // What was not yet delivered has lost its reader.
      this.#state = 'closed';
      this.#early.length = 0;
      this.#tellClosed();
    });
    socket.on('drain', () => this.#onDrain());
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#state === 'closed') queueMicrotask(() => this.#tellClosed());
    else this.resume();
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open' || this.#socket.destroyed) return true;
    const [first] = chunks;
    if (first === undefined) return !this.#full;
    const bytes = chunks.length === 1 ? first : Buffer.concat(chunks);
    for (let from = 0; from < bytes.length; from += MAX_MESSAGE_BYTES) {
      this.#webSocket.send(bytes.subarray(from, from + MAX_MESSAGE_BYTES), { binary: true });
    }
    this.#full ||= this.#webSocket.bufferedAmount >= this.#highWaterBytes;
    return !this.#full;
  }

  pause(): void {
    if (this.#state !== 'open') return;
    this.#isPaused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    if (this.#state !== 'open' || this.#handler === undefined || !this.#isPaused) return;
    this.#isPaused = false;
    queueMicrotask(() => this.#deliverEarly());
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#early.length = 0;
    this.#webSocket.close(1000);
    // Read on, and throw away, so that the other side's close is noticed.
    this.#webSocket.resume();
    const giveUp = (): void => {
      if (this.#webSocket.bufferedAmount > 0 && this.#error === undefined) {
        this.#error = new PipevineError(
          'timeout',
          `${this.remoteAddress} did not take what was written before the close.`,
        );
      }
      this.#webSocket.terminate();
    };
    this.#socket.setTimeout(CLOSE_IDLE_MS, giveUp);
    this.#closeLimit = setTimeout(giveUp, CLOSE_LIMIT_MS).unref();
  }

  abort(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    this.#early.length = 0;
    this.#webSocket.terminate();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state !== 'open') return;
    // `ws` gives Buffers unless told otherwise; they may be views of what a later message does not touch.
    if (!isBinary || !Buffer.isBuffer(data)) {
      this.#webSocket.close(UNSUPPORTED_DATA);
      this.#fail(new PipevineError('protocol', `${this.remoteAddress} sent text; expected binary messages.`));
      return;
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.length === 0) return;
    if (this.#isPaused || this.#early.length > 0) this.#early.push(bytes);
    else this.#handler?.onBytes(bytes);
  }

  /** Who breaks the protocol gets a close frame with the reason, but is not waited for. */
  #fail(error: PipevineError): void {
    if (this.#state !== 'open') return;
    this.#error ??= error;
    this.#state = 'closing';
    this.#early.length = 0;
    setImmediate(() => this.#webSocket.terminate());
  }

  #deliverEarly(): void {
    while (this.#state === 'open' && !this.#isPaused) {
      const bytes = this.#early.shift();
      if (bytes === undefined) {
        this.#webSocket.resume();
        return;
      }
      this.#handler?.onBytes(bytes);
    }
  }

  #onDrain(): void {
    if (!this.#full || this.#webSocket.bufferedAmount >= this.#highWaterBytes) return;
    this.#full = false;
    if (this.#state === 'open') this.#handler?.onWritable();
  }

  #tellClosed(): void {
    if (this.#told || this.#handler === undefined) return;
    this.#told = true;
    this.#handler.onClosed(this.#error);
  }
}
