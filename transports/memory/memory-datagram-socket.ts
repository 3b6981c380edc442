import type { Connection, EndpointAddress } from '@pipevine/runtime';
import { memoryAddressText, parseMemoryAddress } from './memory-address.ts';
import { MemoryDatagramConnection } from './memory-datagram-connection.ts';
import type { MemoryProcess } from './memory-process.ts';

export const MEMORY_DATAGRAM_SCHEME = 'memd';

/** Remote addresses that one socket keeps apart; packets of further ones are dropped. */
const MAX_CONNECTIONS = 1024;

/** Connections with one remote address: the one that is, and the one that a restarted peer begins meanwhile. */
const MAX_PER_REMOTE_ADDRESS = 2;

/** A bound port: tells packets apart by where they come from. */
export class MemoryDatagramSocket {
  readonly process: MemoryProcess;
  readonly address: EndpointAddress;
  readonly #port: number | undefined;
  readonly #connections = new Map<EndpointAddress, MemoryDatagramConnection[]>();
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
    this.#connections.set(remote, [...(this.#connections.get(remote) ?? []), connection]);
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
    const { remoteAddress } = connection;
    const left = (this.#connections.get(remoteAddress) ?? []).filter((other) => other !== connection);
    if (left.length > 0) this.#connections.set(remoteAddress, left);
    else this.#connections.delete(remoteAddress);
    this.#releaseIfUnused();
  }

  /** Hands a packet that is not for one connection to the next with the same remote, or to a new one. */
  decline(connection: MemoryDatagramConnection, bytes: Uint8Array, begins: boolean): void {
    const { remoteAddress } = connection;
    const all = this.#connections.get(remoteAddress) ?? [];
    const next = all[all.indexOf(connection) + 1];
    if (next !== undefined) next.receive(bytes);
    else if (begins && all.length < MAX_PER_REMOTE_ADDRESS) this.#accept(remoteAddress, bytes);
    else this.process.host.network.counters.unheard++;
  }

  #receive(from: EndpointAddress, bytes: Uint8Array): void {
    const known = this.#connections.get(from)?.[0];
    if (known !== undefined) known.receive(bytes);
    else this.#accept(from, bytes);
  }

  #accept(from: EndpointAddress, bytes: Uint8Array): void {
    const { counters } = this.process.host.network;
    if (this.#onConnection === undefined) {
      counters.unheard++;
      return;
    }
    if (this.#connections.size >= MAX_CONNECTIONS) {
      counters.overflowed++;
      return;
    }
    const connection = this.connect(from);
    this.#onConnection(connection);
    connection.receive(bytes);
  }

  #releaseIfUnused(): void {
    const { datagramSockets } = this.process.host;
    const unused = this.#onConnection === undefined && this.#connections.size === 0;
    if (unused && datagramSockets.get(this.#port) === this) datagramSockets.delete(this.#port);
  }
}
