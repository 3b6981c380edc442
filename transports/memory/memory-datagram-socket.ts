import type { Connection, EndpointAddress } from '@pipevine/runtime';
import { memoryAddressText, parseMemoryAddress } from './memory-address.ts';
import { MemoryDatagramConnection } from './memory-datagram-connection.ts';
import type { MemoryProcess } from './memory-process.ts';

export const MEMORY_DATAGRAM_SCHEME = 'memd';

/** Remote addresses that one socket keeps apart; packets of further ones are dropped. */
const MAX_CONNECTIONS = 1024;

/** A bound port: tells packets apart by where they come from. */
export class MemoryDatagramSocket {
  readonly process: MemoryProcess;
  readonly address: EndpointAddress;
  readonly #port: number | undefined;
  readonly #connections = new Map<EndpointAddress, MemoryDatagramConnection>();
  #onConnection: ((connection: Connection) => void) | undefined;

  constructor(process: MemoryProcess, port: number | undefined, onConnection?: (connection: Connection) => void) {
    this.process = process;
    this.#port = port;
    this.address = memoryAddressText(MEMORY_DATAGRAM_SCHEME, process.host.name, port);
    this.#onConnection = onConnection;
    process.host.datagramSockets.set(port, this);
  }

  connect(remote: EndpointAddress): MemoryDatagramConnection {
    const connection = new MemoryDatagramConnection(this, remote);
    this.#connections.set(remote, connection);
    return connection;
  }

  send(remote: EndpointAddress, packet: Uint8Array): void {
    const { host, alive } = this.process;
    if (!alive) return;
    const target = parseMemoryAddress(MEMORY_DATAGRAM_SCHEME, remote);
    host.network.sendPacket(host.name, target.host, packet, (bytes) => {
      const socket = host.network.findHost(target.host)?.datagramSockets.get(target.port);
      if (socket === undefined) host.network.counters.unheard++;
      else socket.#receive(this.address, bytes);
    });
  }

  /** Takes no new remote addresses; the port is free again when the last connection has closed. */
  stopListening(): void {
    this.#onConnection = undefined;
    this.#releaseIfUnused();
  }

  forget(connection: MemoryDatagramConnection): void {
    if (this.#connections.get(connection.remoteAddress) === connection) {
      this.#connections.delete(connection.remoteAddress);
    }
    this.#releaseIfUnused();
  }

  #receive(from: EndpointAddress, bytes: Uint8Array): void {
    let connection = this.#connections.get(from);
    if (connection === undefined) {
      const { counters } = this.process.host.network;
      if (this.#onConnection === undefined) {
        counters.unheard++;
        return;
      }
      if (this.#connections.size >= MAX_CONNECTIONS) {
        counters.overflowed++;
        return;
      }
      connection = this.connect(from);
      this.#onConnection(connection);
    }
    connection.receive(bytes);
  }

  #releaseIfUnused(): void {
    const { datagramSockets } = this.process.host;
    const unused = this.#onConnection === undefined && this.#connections.size === 0;
    if (unused && datagramSockets.get(this.#port) === this) datagramSockets.delete(this.#port);
  }
}
