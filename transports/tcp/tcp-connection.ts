import type { Socket } from 'node:net';
import { type Connection, type ConnectionHandler, type EndpointAddress, PipevineError } from '@pipevine/runtime';
import { connectionFailure } from './tcp-failure.ts';

/** Writes up to this size are copied into one array: cheaper than handing the pieces to the system one by one. */
const JOIN_BYTES = 16 * 1024;

/** A connection that has said all it had is torn down when the other side neither reads nor closes for so long ... */
const CLOSE_IDLE_MS = 5000;
/** ... or keeps it open by sending for so long. */
const CLOSE_LIMIT_MS = 30_000;

/** A TCP connection (RFC 9293). */
export class TcpConnection implements Connection {
  readonly kind = 'stream';
  readonly maxPacketBytes = Number.POSITIVE_INFINITY;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly #socket: Socket;
  readonly #highWaterBytes: number;
  #handler: ConnectionHandler | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #error: PipevineError | undefined;
  #full = false;
  #told = false;
  #closeLimit: NodeJS.Timeout | undefined;

  /** Takes a connected socket. */
  constructor(socket: Socket, localAddress: EndpointAddress, remoteAddress: EndpointAddress, highWaterBytes: number) {
    this.#socket = socket;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.#highWaterBytes = highWaterBytes;
    socket.pause();
    socket.on('error', (error) => {
      if (this.#state === 'open') this.#error ??= connectionFailure(remoteAddress, error);
    });
    socket.on('end', () => this.#limitClosing());
    socket.on('close', () => {
      clearTimeout(this.#closeLimit);
      this.#state = 'closed';
      this.#tellClosed();
    });
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#state === 'closed') {
      queueMicrotask(() => this.#tellClosed());
      return;
    }
    this.#socket.on('data', (data: Buffer) => {
      // Without Buffer's methods: its `slice` makes a view where Uint8Array's makes a copy.
      if (this.#state === 'open') handler.onBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    });
    this.#socket.on('drain', () => {
      if (!this.#full) return;
      this.#full = false;
      if (this.#state === 'open') handler.onWritable();
    });
    this.#socket.resume();
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open' || this.#socket.destroyed) return true;
    const [first] = chunks;
    if (first === undefined) return !this.#full;
    if (chunks.length === 1) this.#socket.write(first);
    else this.#writeTogether(chunks);
    this.#full ||= this.#socket.writableLength >= this.#highWaterBytes;
    return !this.#full;
  }

  pause(): void {
    if (this.#state === 'open') this.#socket.pause();
  }

  resume(): void {
    if (this.#state === 'open' && this.#handler !== undefined) this.#socket.resume();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#socket.end();
    // Read on, and throw away, so that the other side's end is noticed.
    this.#socket.resume();
    this.#limitClosing();
  }

  abort(): void {
    if (this.#state === 'closed' || this.#socket.destroyed) return;
    this.#state = 'closing';
    // A socket that is sending its end cannot be reset any more: Node would never close it.
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #writeTogether(chunks: readonly Uint8Array[]): void {
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    if (length <= JOIN_BYTES) {
      this.#socket.write(Buffer.concat(chunks, length));
      return;
    }
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.uncork();
  }

  /** One side has ended; the rest must not take for ever. */
  #limitClosing(): void {
    if (this.#closeLimit !== undefined || this.#state === 'closed') return;
    const giveUp = (): void => {
      if (this.#socket.writableLength > 0 && this.#error === undefined) {
        this.#error = new PipevineError(
          'timeout',
          `${this.remoteAddress} did not take what was written before the close.`,
        );
      }
      this.#socket.destroy();
    };
    this.#socket.setTimeout(CLOSE_IDLE_MS, giveUp);
    this.#closeLimit = setTimeout(giveUp, CLOSE_LIMIT_MS).unref();
  }

  #tellClosed(): void {
    if (this.#told || this.#handler === undefined) return;
    this.#told = true;
    this.#handler.onClosed(this.#error);
  }
}
