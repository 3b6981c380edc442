import { type Connection, type ConnectionHandler, type EndpointAddress, PipevineError } from '@pipevine/runtime';
import type { UdpRemote, UdpSocket } from './udp-socket.ts';

/**
 * Largest packet that is sent: with the headers of IPv6 and UDP, 1,248 bytes, less than the 1,280 that every IPv6 path
 * carries (RFC 8200 section 5) and the base of RFC 8899 section 5.1.2.
 */
export const UDP_MAX_PACKET_BYTES = 1200;

/** Packets kept for a receiver that has not started or has paused; more are dropped, as the system does. */
const MAX_WAITING_PACKETS = 256;

/** Packets to and from one remote address. Nothing tells when the other side goes away. */
export class UdpConnection implements Connection {
  readonly kind = 'datagram';
  readonly maxPacketBytes = UDP_MAX_PACKET_BYTES;
  /** Of an accepted connection of a socket that is bound to every address, that address: which one it was nobody says. */
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly remote: UdpRemote;
  readonly #socket: UdpSocket;
  readonly #onEnd: () => void;
  #handler: ConnectionHandler | undefined;
  #waiting: Uint8Array[] = [];
  #paused = false;
  #state: 'open' | 'closed' = 'open';
  #error: PipevineError | undefined;
  #told = false;
  #heard = false;

  /** `onEnd` is called once: when the connection is over. */
  constructor(
    socket: UdpSocket,
    remote: UdpRemote,
    addresses: { readonly local: EndpointAddress; readonly remote: EndpointAddress },
    onEnd: () => void,
  ) {
    this.#socket = socket;
    this.remote = remote;
    this.localAddress = addresses.local;
    this.remoteAddress = addresses.remote;
    this.#onEnd = onEnd;
  }

  get started(): boolean {
    return this.#handler !== undefined;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    queueMicrotask(() => {
      this.#deliver();
      this.#tellClosed();
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state === 'closed') return true;
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    if (length > UDP_MAX_PACKET_BYTES) {
      throw new PipevineError(
        'too-large',
        `A packet to ${this.remoteAddress} has at most ${UDP_MAX_PACKET_BYTES} bytes, not ${length}.`,
      );
    }
    return this.#socket.send(this, chunks, length);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(() => this.#deliver());
  }

  decline(packet: Uint8Array, begins: boolean): void {
    if (this.#state === 'open') this.#socket.decline(this, packet, begins);
  }

  close(): void {
    this.#end(undefined);
  }

  /** What was sent is the system's already: the same as `close`. */
  abort(): void {
    this.#end(undefined);
  }

  /** For the socket: a packet has come. */
  receive(packet: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#heard = true;
    if (this.#handler !== undefined && !this.#paused && this.#waiting.length === 0) {
      this.#handler.onBytes(packet);
      return;
    }
    if (this.#waiting.length >= MAX_WAITING_PACKETS || !this.#socket.admission.wait(packet.length)) {
      this.#socket.counters.receiveOverflows++;
      return;
    }
    this.#waiting.push(packet);
  }

  /** For the socket: what could not be sent has left. */
  drained(): void {
    if (this.#state === 'open') this.#handler?.onWritable();
  }

  /**
   * For the socket: the system refused to send. One who was heard before may be reachable again soon; a stranger cannot
   * be reached.
   */
  sendFailed(error: PipevineError): void {
    if (!this.#heard) this.#end(error);
  }

  #end(error: PipevineError | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#error = error;
    for (const packet of this.#waiting) this.#socket.admission.waited(packet.length);
    this.#waiting = [];
    this.#socket.forget(this);
    this.#onEnd();
    queueMicrotask(() => this.#tellClosed());
  }

  #deliver(): void {
    while (this.#handler !== undefined && !this.#paused) {
      const packet = this.#waiting.shift();
      if (packet === undefined) return;
      this.#socket.admission.waited(packet.length);
      this.#handler.onBytes(packet);
    }
  }

  #tellClosed(): void {
    if (this.#state !== 'closed' || this.#told || this.#handler === undefined) return;
    this.#told = true;
    this.#handler.onClosed(this.#error);
  }
}
