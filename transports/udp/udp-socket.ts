import type { Connection, EndpointAddress } from '@pipevine/runtime';
import type { DgramAsPromised, SocketAsPromised } from 'dgram-as-promised';
import { dialFailure } from '../tcp/tcp-failure.ts';
import { udpAddressText } from './udp-address.ts';
import type { UdpAdmission } from './udp-admission.ts';
import { UdpConnection } from './udp-connection.ts';
import type { UdpTransportCounters } from './udp-transport-counters.ts';
import type { UdpTransportOptions } from './udp-transport-options.ts';

/** Room that the system is asked for, for packets that come faster than they are read; it may grant less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** Largest packet that is taken: room for peers that have found a path for Ethernet's largest. */
const MAX_RECEIVED_BYTES = 1500;

/** Connections with one remote address: the one that is, and the one that a restarted peer begins meanwhile. */
const MAX_PER_REMOTE_ADDRESS = 2;

/** Where packets go, and how the socket names where they come from. */
export interface UdpRemote {
  readonly host: string;
  readonly port: number;
}

export interface UdpSocketInit {
  readonly options: UdpTransportOptions;
  readonly counters: UdpTransportCounters;
  readonly admission: UdpAdmission;
  readonly dgram: typeof DgramAsPromised;
  /** An address, never a name. `::` serves IPv4 as well. */
  readonly host: string;
  readonly port: number;
  /** Looks at each packet first: whether it is a probe, and has been dealt with. */
  readonly takeProbe: (packet: Uint8Array, host: string, port: number) => boolean;
  /** The port is free again. */
  readonly onReleased: () => void;
}

/** A bound port: tells packets apart by where they come from. Open while it listens or has connections. */
export class UdpSocket {
  readonly counters: UdpTransportCounters;
  readonly admission: UdpAdmission;
  readonly host: string;
  readonly port: number;
  readonly #init: UdpSocketInit;
  readonly #socket: SocketAsPromised;
  readonly #connections = new Map<string, UdpConnection[]>();
  readonly #blocked = new Set<UdpConnection>();
  #onConnection: ((connection: Connection) => void) | undefined;
  /** Bytes that the system has not taken yet. */
  #pendingBytes = 0;
  #closed: Promise<void> | undefined;

  private constructor(init: UdpSocketInit, socket: SocketAsPromised) {
    this.#init = init;
    this.counters = init.counters;
    this.admission = init.admission;
    this.#socket = socket;
    this.host = init.host;
    this.port = socket.address().port;
    socket.socket.on('message', (bytes, { address, port }) => this.#receive(bytes, address, port));
  }

  /** Rejects with what the system says. */
  static async bind(init: UdpSocketInit): Promise<UdpSocket> {
    const isIPv6 = init.host.includes(':');
    const socket = init.dgram.createSocket({
      type: isIPv6 ? 'udp6' : 'udp4',
      ipv6Only: isIPv6 && init.host !== '::',
      // Only addresses get here: without this, Node would wait a turn before each packet.
      lookup: (host, _family, callback) => callback(null, host, isIPv6 ? 6 : 4),
    });
    try {
      await socket.bind({ port: init.port, address: init.host });
    } catch (error) {
      await socket.close();
      throw error;
    }
    try {
      socket.socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch {
      // The system's own size serves too.
    }
    return new UdpSocket(init, socket);
  }

  /** Whether it is bound to every address of its family, or of both. */
  get isWildcard(): boolean {
    return this.host === '::' || this.host === '0.0.0.0';
  }

  get isListening(): boolean {
    return this.#onConnection !== undefined;
  }

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  has(remote: UdpRemote): boolean {
    return this.#connections.has(keyOf(remote.host, remote.port));
  }

  /** A connection to a remote address that this socket has none with. */
  connect(remote: UdpRemote, local: EndpointAddress, remoteAddress: EndpointAddress): UdpConnection {
    const connection = new UdpConnection(this, remote, { local, remote: remoteAddress }, () => undefined);
    this.#add(connection);
    return connection;
  }

  listen(onConnection: (connection: Connection) => void): void {
    this.#onConnection = onConnection;
  }

  /** Takes no new remote addresses; resolves when the port is free, or at once when connections still hold it. */
  async stopListening(): Promise<void> {
    this.#onConnection = undefined;
    this.#releaseIfUnused();
    await this.#closed;
  }

  /** For its connections. */
  send(connection: UdpConnection, chunks: readonly Uint8Array[], length: number): boolean {
    const { highWaterBytes } = this.#init.options;
    if (this.#pendingBytes > 4 * highWaterBytes) {
      this.counters.sendOverflows++;
      this.#blocked.add(connection);
      return false;
    }
    this.#pendingBytes += length;
    const { host, port } = connection.remote;
    this.#socket.socket.send(chunks, port, host, (error) => this.#sent(connection, length, error));
    if (this.#pendingBytes < highWaterBytes) return true;
    this.#blocked.add(connection);
    return false;
  }

  /** Sends a packet that is of no connection. */
  sendProbe(remote: UdpRemote, packet: Uint8Array): void {
    if (this.#closed !== undefined || this.#pendingBytes > this.#init.options.highWaterBytes) return;
    this.#pendingBytes += packet.length;
    this.#socket.socket.send(packet, remote.port, remote.host, (error) => {
      if (error !== null) this.counters.sendFailures++;
      this.#left(packet.length);
    });
  }

  /** For its connections: hands a packet that is not for one of them to the next, or to a new one. */
  decline(connection: UdpConnection, packet: Uint8Array, begins: boolean): void {
    const { host, port } = connection.remote;
    const all = this.#connections.get(keyOf(host, port)) ?? [];
    const next = all[all.indexOf(connection) + 1];
    if (next !== undefined) next.receive(packet);
    else if (begins && all.length < MAX_PER_REMOTE_ADDRESS) this.#accept(packet, connection.remote);
    else this.counters.unheard++;
  }

  /** For its connections: one has closed. */
  forget(connection: UdpConnection): void {
    const { host, port } = connection.remote;
    const key = keyOf(host, port);
    const left = (this.#connections.get(key) ?? []).filter((other) => other !== connection);
    if (left.length > 0) this.#connections.set(key, left);
    else this.#connections.delete(key);
    this.#blocked.delete(connection);
    this.#releaseIfUnused();
  }

  #receive(bytes: Uint8Array, host: string, port: number): void {
    this.counters.received++;
    if (bytes.length > MAX_RECEIVED_BYTES) {
      this.counters.tooLarge++;
      return;
    }
    // Without Buffer's methods: its `slice` makes a view where Uint8Array's makes a copy.
    const packet = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#init.takeProbe(packet, host, port)) return;
    const known = this.#connections.get(keyOf(host, port))?.[0];
    if (known !== undefined) known.receive(packet);
    else this.#accept(packet, { host, port });
  }

  #accept(packet: Uint8Array, remote: UdpRemote): void {
    const onConnection = this.#onConnection;
    // Packets from port 0 cannot be answered.
    if (onConnection === undefined || remote.port === 0) {
      this.counters.unheard++;
      return;
    }
    const leave = this.admission.enter(remote.host);
    if (leave === undefined) return;
    const { clock, unstartedMs } = this.#init.options;
    const timer = clock.setTimer(unstartedMs, () => {
      if (connection.started) return;
      this.counters.abandoned++;
      connection.abort();
    });
    const addresses = { local: udpAddressText(this.host, this.port), remote: udpAddressText(remote.host, remote.port) };
    const connection = new UdpConnection(this, remote, addresses, () => {
      timer.cancel();
      leave();
    });
    this.#add(connection);
    onConnection(connection);
    connection.receive(packet);
  }

  #add(connection: UdpConnection): void {
    const { host, port } = connection.remote;
    const key = keyOf(host, port);
    this.#connections.set(key, [...(this.#connections.get(key) ?? []), connection]);
  }

  #sent(connection: UdpConnection, length: number, error: Error | null): void {
    if (error === null) {
      this.counters.sent++;
    } else {
      this.counters.sendFailures++;
      connection.sendFailed(dialFailure(connection.remoteAddress, error));
    }
    this.#left(length);
  }

  /** The system has taken so many bytes, or refused them. */
  #left(bytes: number): void {
    this.#pendingBytes -= bytes;
    if (this.#pendingBytes * 2 > this.#init.options.highWaterBytes) return;
    if (this.#blocked.size > 0) {
      const blocked = [...this.#blocked];
      this.#blocked.clear();
      for (const waiting of blocked) waiting.drained();
    }
    this.#releaseIfUnused();
  }

  /** What was sent must have left first: closing a socket throws away what waits in it. */
  #releaseIfUnused(): void {
    const inUse = this.#onConnection !== undefined || this.#connections.size > 0 || this.#pendingBytes > 0;
    if (inUse || this.#closed !== undefined) return;
    this.#closed = this.#socket.close();
    this.#init.onReleased();
  }
}

function keyOf(host: string, port: number): string {
  return `${host} ${port}`;
}
