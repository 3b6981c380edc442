import type { Connection, ConnectionHandler, EndpointAddress, PipevineError } from '@pipevine/runtime';
import { UnacknowledgedBytes } from './unacknowledged-bytes.ts';

/** What carries the bytes of a connection: the client's requests, or the server's answers. */
export interface LongPollCarrier {
  /** There are bytes to send, or the connection is closing. */
  onOutgoing(): void;
  /** There is room for incoming bytes again. */
  onRoom(): void;
  /** The owner aborted. */
  onAbort(): void;
}

export interface LongPollConnectionInit {
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly highWaterBytes: number;
  /** No more is asked for, or taken, while so much waits for the owner. */
  readonly maxWaitingBytes: number;
  readonly carrier: LongPollCarrier;
}

/** The owner's side of a long-poll connection, the same at the client and at the server. */
export class LongPollConnection implements Connection {
  readonly kind = 'stream';
  readonly maxPacketBytes = Number.POSITIVE_INFINITY;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly outgoing = new UnacknowledgedBytes();
  readonly #init: LongPollConnectionInit;
  readonly #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  #handler: ConnectionHandler | undefined;
  /** `ended`: the other side has said all it had, and the owner has not yet heard all of it. */
  #state: 'open' | 'closing' | 'ended' | 'closed' = 'open';
  #isPaused = true;
  #isDelivering = false;
  #error: PipevineError | undefined;
  #full = false;
  /** Drained before there was a handler to tell. */
  #owesWritable = false;
  #told = false;

  constructor(init: LongPollConnectionInit) {
    this.#init = init;
    this.localAddress = init.localAddress;
    this.remoteAddress = init.remoteAddress;
  }

  /** The owner wants to close, once all that it wrote has arrived. */
  get isClosing(): boolean {
    return this.#state === 'closing';
  }

  get hasRoom(): boolean {
    return this.#incomingBytes < this.#init.maxWaitingBytes;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#isPaused = false;
    queueMicrotask(() => {
      if (this.#owesWritable && this.#state === 'open') handler.onWritable();
      this.#deliver();
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open') return true;
    this.outgoing.append(chunks);
    this.#full ||= this.outgoing.length >= this.#init.highWaterBytes;
    if (this.outgoing.length > 0) this.#init.carrier.onOutgoing();
    return !this.#full;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused || this.#handler === undefined) return;
    this.#isPaused = false;
    queueMicrotask(() => this.#deliver());
  }

  close(): void {
    if (this.#state === 'ended') this.abort();
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#dropIncoming();
    this.#init.carrier.onOutgoing();
  }

  abort(): void {
    if (this.#state === 'closed') return;
    const wasOver = this.#state === 'ended';
    this.#error = undefined;
    this.#close();
    if (!wasOver) this.#init.carrier.onAbort();
  }

  /** The carrier has the next bytes. */
  receive(bytes: Uint8Array): void {
    if (this.#state !== 'open' || bytes.length === 0) return;
    this.#incoming.push(bytes);
    this.#incomingBytes += bytes.length;
    this.#deliver();
  }

  /** The other side has everything before `offset`. Returns false for an offset that cannot be, or is an old story. */
  acknowledge(offset: number): boolean {
    if (!this.outgoing.acknowledge(offset)) return false;
    if (this.#full && this.outgoing.length <= this.#init.highWaterBytes / 4) {
      this.#full = false;
      if (this.#state === 'open') {
        if (this.#handler === undefined) this.#owesWritable = true;
        else this.#handler.onWritable();
      }
    }
    return true;
  }

  /** The carrier is done: in good order, or with what went wrong. Bytes that came before are still delivered. */
  finish(error?: PipevineError): void {
    if (this.#state === 'closed' || this.#state === 'ended') return;
    this.#error = error;
    this.outgoing.clear();
    if (this.#state === 'open' && this.#incoming.length > 0) {
      this.#state = 'ended';
      this.#deliver();
    } else this.#close();
  }

  #deliver(): void {
    if (this.#handler === undefined) return;
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    const hadRoom = this.hasRoom;
    try {
      while (!this.#isPaused && (this.#state === 'open' || this.#state === 'ended')) {
        const bytes = this.#incoming.shift();
        if (bytes === undefined) break;
        this.#incomingBytes -= bytes.length;
        this.#handler.onBytes(bytes);
      }
    } finally {
      this.#isDelivering = false;
    }
    if (this.#state === 'ended' && this.#incoming.length === 0) this.#close();
    else if (this.#state === 'closed') this.#tellClosed();
    else if (!hadRoom && this.hasRoom && this.#state === 'open') this.#init.carrier.onRoom();
  }

  #dropIncoming(): void {
    this.#incoming.length = 0;
    this.#incomingBytes = 0;
    this.#init.carrier.onRoom();
  }

  #close(): void {
    this.#state = 'closed';
    this.#incoming.length = 0;
    this.#incomingBytes = 0;
    this.outgoing.clear();
    queueMicrotask(() => this.#tellClosed());
  }

  #tellClosed(): void {
    if (this.#told || this.#handler === undefined) return;
    this.#told = true;
    this.#handler.onClosed(this.#error);
  }
}
