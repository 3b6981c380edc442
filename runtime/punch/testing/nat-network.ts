import {
  type Connection,
  type ConnectionHandler,
  type EndpointAddress,
  PipevineError,
  type ProbeInit,
  type ProbePort,
  parseEndpointAddress,
  type Transport,
  type TransportListener,
} from '@pipevine/runtime';
import type { VirtualClock } from '@pipevine/transports';

/**
 * What stands between a host and the internet (RFC 4787). `none`: nothing. `firewall`: no translation, only answers come
 * in. `cone`: one mapping for all destinations, only answers come in. `full-cone`: one mapping, anybody may send to it.
 * `symmetric`: another mapping for each destination, only its answers come in.
 */
export type NatKind = 'none' | 'firewall' | 'cone' | 'full-cone' | 'symmetric';

const ONE_WAY_MS = 10;

/** Hosts on an internet of UDP packets in virtual time, each behind a box of its own. */
export class NatNetwork {
  readonly clock: VirtualClock;
  readonly #boxes = new Map<string, NatBox>();
  /** Packets on the internet by the IP address that they were sent to. */
  readonly sentTo = new Map<string, number>();

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  /** A host with that IP address; `outside` is the address of its box, if that translates. */
  host(kind: NatKind, inside: string, outside: string = inside): NatHost {
    const host = new NatHost(this, new NatBox(kind, outside), inside);
    host.box.host = host;
    this.#boxes.set(outside, host.box);
    return host;
  }

  /** From the host's socket through its box, the internet and the other box. */
  carry(from: NatHost, fromPort: number, to: EndpointAddress, packet: Uint8Array): void {
    const target = parseEndpointAddress(to);
    this.sentTo.set(target.host, (this.sentTo.get(target.host) ?? 0) + 1);
    const source = from.box.outwards(from.ip, fromPort, to);
    this.clock.setTimer(ONE_WAY_MS, () => {
      const box = this.#boxes.get(target.host);
      const port = box?.inwards(target.port ?? 0, source);
      if (box?.host !== undefined && port !== undefined) box.host.receive(port, source, packet);
    });
  }
}

interface Mapping {
  readonly insidePort: number;
  readonly outsidePort: number;
  readonly sentTo: Set<EndpointAddress>;
}

class NatBox {
  readonly outside: string;
  kind: NatKind;
  host: NatHost | undefined;
  readonly #mappings = new Map<string, Mapping>();
  #nextPort = 20_000;

  constructor(kind: NatKind, outside: string) {
    this.kind = kind;
    this.outside = outside;
  }

  /** What the packet's source becomes. */
  outwards(ip: string, port: number, to: EndpointAddress): EndpointAddress {
    if (this.kind === 'none') return addressOf(ip, port);
    const key = this.kind === 'symmetric' ? `${port} ${to}` : `${port}`;
    let mapping = this.#mappings.get(key);
    if (mapping === undefined) {
      const outsidePort = this.kind === 'firewall' ? port : this.#nextPort++;
      mapping = { insidePort: port, outsidePort, sentTo: new Set() };
      this.#mappings.set(key, mapping);
    }
    mapping.sentTo.add(to);
    return addressOf(this.outside, mapping.outsidePort);
  }

  /** The inside port that a packet goes to; undefined: it is dropped. */
  inwards(port: number, from: EndpointAddress): number | undefined {
    if (this.kind === 'none') return port;
    const mapping = [...this.#mappings.values()].find(({ outsidePort }) => outsidePort === port);
    if (mapping === undefined || (this.kind !== 'full-cone' && !mapping.sentTo.has(from))) return undefined;
    return mapping.insidePort;
  }

  become(kind: NatKind): void {
    this.kind = kind;
    this.forget();
  }

  /** As when the router restarts. */
  forget(): void {
    this.#mappings.clear();
  }
}

export class NatHost implements Transport {
  readonly schemes = ['udp'];
  readonly network: NatNetwork;
  readonly box: NatBox;
  readonly ip: string;
  readonly #sockets = new Map<number, NatSocket>();
  readonly #probes = new Set<ProbeInit>();
  #nextPort = 50_000;

  constructor(network: NatNetwork, box: NatBox, ip: string) {
    this.network = network;
    this.box = box;
    this.ip = ip;
  }

  /** From the listening socket where it has none with that address yet, else from a port of its own; as over real UDP. */
  async dial(address: EndpointAddress): Promise<Connection> {
    parseEndpointAddress(address);
    const listening = [...this.#sockets.values()].find((socket) => socket.isListening && !socket.has(address));
    return (listening ?? this.#bind(this.#nextPort++)).connect(address);
  }

  async listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const socket = this.#bind(parseEndpointAddress(address).port ?? 0);
    socket.onConnection = onConnection;
    return { addresses: [addressOf(this.ip, socket.port)], close: async () => void this.#sockets.delete(socket.port) };
  }

  probes(init: ProbeInit): ProbePort {
    this.#probes.add(init);
    return {
      send: (to, packet) => {
        for (const socket of this.#sockets.values()) if (socket.isListening) socket.send(to, packet);
      },
      close: () => void this.#probes.delete(init),
    };
  }

  receive(port: number, from: EndpointAddress, packet: Uint8Array): void {
    for (const init of this.#probes) {
      if (packet[0] === init.mark && packet.length === init.bytes) return init.onProbe(packet.slice(), from);
    }
    this.#sockets.get(port)?.receive(from, packet.slice());
  }

  #bind(port: number): NatSocket {
    const socket = new NatSocket(this, port);
    this.#sockets.set(port, socket);
    return socket;
  }
}

class NatSocket {
  readonly port: number;
  readonly host: NatHost;
  onConnection: ((connection: Connection) => void) | undefined;
  readonly #connections = new Map<EndpointAddress, NatConnection[]>();

  constructor(host: NatHost, port: number) {
    this.host = host;
    this.port = port;
  }

  get isListening(): boolean {
    return this.onConnection !== undefined;
  }

  has(remote: EndpointAddress): boolean {
    return this.#connections.has(remote);
  }

  send(to: EndpointAddress, packet: Uint8Array): void {
    this.host.network.carry(this.host, this.port, to, packet);
  }

  connect(remote: EndpointAddress): NatConnection {
    const connection = new NatConnection(this, remote);
    this.#connections.set(remote, [...(this.#connections.get(remote) ?? []), connection]);
    return connection;
  }

  receive(from: EndpointAddress, packet: Uint8Array): void {
    const known = this.#connections.get(from)?.[0];
    if (known !== undefined) known.receive(packet);
    else this.#accept(from, packet);
  }

  decline(connection: NatConnection, packet: Uint8Array, begins: boolean): void {
    const all = this.#connections.get(connection.remoteAddress) ?? [];
    const next = all[all.indexOf(connection) + 1];
    if (next !== undefined) next.receive(packet);
    else if (begins && all.length < 2) this.#accept(connection.remoteAddress, packet);
  }

  forget(connection: NatConnection): void {
    const left = (this.#connections.get(connection.remoteAddress) ?? []).filter((other) => other !== connection);
    if (left.length > 0) this.#connections.set(connection.remoteAddress, left);
    else this.#connections.delete(connection.remoteAddress);
  }

  #accept(from: EndpointAddress, packet: Uint8Array): void {
    if (this.onConnection === undefined) return;
    const connection = this.connect(from);
    this.onConnection(connection);
    connection.receive(packet);
  }
}

class NatConnection implements Connection {
  readonly kind = 'datagram';
  readonly maxPacketBytes = 1200;
  readonly remoteAddress: EndpointAddress;
  readonly #socket: NatSocket;
  #handler: ConnectionHandler | undefined;
  readonly #waiting: Uint8Array[] = [];
  #paused = false;
  #closed = false;

  constructor(socket: NatSocket, remote: EndpointAddress) {
    this.#socket = socket;
    this.remoteAddress = remote;
  }

  get localAddress(): EndpointAddress {
    return addressOf(this.#socket.host.ip, this.#socket.port);
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    queueMicrotask(() => this.#deliver());
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#closed) return true;
    const packet = Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
    if (packet.length > this.maxPacketBytes) throw new PipevineError('too-large', `${packet.length} bytes`);
    this.#socket.send(this.remoteAddress, packet);
    return true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    queueMicrotask(() => this.#deliver());
  }

  decline(packet: Uint8Array, begins: boolean): void {
    if (!this.#closed) this.#socket.decline(this, packet, begins);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.forget(this);
    queueMicrotask(() => this.#handler?.onClosed());
  }

  abort(): void {
    this.close();
  }

  receive(packet: Uint8Array): void {
    if (this.#closed) return;
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
}

function addressOf(ip: string, port: number): EndpointAddress {
  return ip.includes(':') ? `udp://[${ip}]:${port}` : `udp://${ip}:${port}`;
}
