import { type Connection, type ConnectionHandler, type EndpointAddress, PipevineError } from '@pipevine/runtime';
import { joinChunks } from './join-chunks.ts';
import type { MemoryDatagramSocket } from './memory-datagram-socket.ts';

/** Largest packet: fits every path of today's internet unfragmented. */
export const MEMORY_MAX_PACKET_BYTES = 1200;

/** Packets kept for a receiver that has not started or has paused; more are dropped, as a socket buffer does. */
const MAX_WAITING_PACKETS = 256;

/** Packets to and from one remote address. Nothing tells when the other side goes away. */
export class MemoryDatagramConnection implements Connection {
  readonly kind = 'datagram';
  readonly maxPacketBytes = MEMORY_MAX_PACKET_BYTES;
  readonly remoteAddress: EndpointAddress;
  readonly #socket: MemoryDatagramSocket;
  #handler: ConnectionHandler | undefined;
  #waiting: Uint8Array[] = [];
  #paused = false;
  #closed = false;
  #told = false;

  constructor(socket: MemoryDatagramSocket, remoteAddress: EndpointAddress) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    socket.process.datagrams.add(this);
  }

  get localAddress(): EndpointAddress {
    return this.#socket.address;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#socket.process.clock.setTimer(0, () => {
      this.#deliver();
      this.#tellClosed();
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#closed) return true;
    const packet = joinChunks(chunks);
    if (packet.length > MEMORY_MAX_PACKET_BYTES) {
      throw new PipevineError(
        'too-large',
        `A packet to ${this.remoteAddress} has at most ${MEMORY_MAX_PACKET_BYTES} bytes, not ${packet.length}.`,
      );
    }
    this.#socket.send(this.remoteAddress, packet);
    return true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#socket.process.clock.setTimer(0, () => this.#deliver());
  }

  decline(packet: Uint8Array, begins: boolean): void {
    if (!this.#closed) this.#socket.decline(this, packet, begins);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    const { process } = this.#socket;
    process.datagrams.delete(this);
    this.#socket.forget(this);
    process.clock.setTimer(0, () => this.#tellClosed());
  }

  /** What was sent is on its way already: the same as `close`. */
  abort(): void {
    this.close();
  }

  receive(packet: Uint8Array): void {
    if (this.#closed) return;
    if (this.#waiting.length >= MAX_WAITING_PACKETS) {
      this.#socket.process.host.network.counters.overflowed++;
      return;
    }
    this.#waiting.push(packet);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#handler !== undefined && !this.#paused && !this.#closed) {
      const packet = this.#waiting.shift();
      if (packet === undefined) return;
      this.#handler.onBytes(packet);
    }
  }

  #tellClosed(): void {
    if (!this.#closed || this.#told || this.#handler === undefined) return;
    this.#told = true;
    this.#handler.onClosed();
  }
}
