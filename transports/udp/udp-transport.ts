import {
  type Connection,
  type DialOptions,
  type EndpointAddress,
  PipevineError,
  type ProbeInit,
  type ProbePort,
  type Transport,
  type TransportListener,
} from '@pipevine/runtime';
import { watchDial } from '../dial-deadline.ts';
import { dialableAddresses } from '../tcp/listen-addresses.ts';
import { dialFailure, listenFailure } from '../tcp/tcp-failure.ts';
import { parseUdpAddress, udpAddressText, withMapping } from './udp-address.ts';
import { UdpAdmission } from './udp-admission.ts';
import { UdpProbes } from './udp-probes.ts';
import { findRoute, resolveHost, type UdpRoute } from './udp-route.ts';
import { type UdpRemote, UdpSocket } from './udp-socket.ts';
import { newUdpTransportCounters, type UdpTransportCounters } from './udp-transport-counters.ts';
import { type UdpTransportInit, type UdpTransportOptions, udpTransportOptions } from './udp-transport-options.ts';

export interface UdpTransport extends Transport {
  readonly counters: Readonly<UdpTransportCounters>;
}

/**
 * Packets over UDP: `udp://host:port`, IPv4 and IPv6. A dial goes out from a listening socket where one can reach the
 * address, so that a NAT has one mapping for all of a peer's traffic; otherwise from one socket a family for all dials.
 */
export function udpTransport(init: UdpTransportInit = {}): UdpTransport {
  return new NodeUdpTransport(udpTransportOptions(init));
}

class NodeUdpTransport implements UdpTransport {
  readonly schemes: readonly string[] = ['udp'];
  readonly counters: UdpTransportCounters = newUdpTransportCounters();
  readonly #options: UdpTransportOptions;
  readonly #admission: UdpAdmission;
  readonly #probes: UdpProbes;
  /** Bound for listeners; one that no longer listens stays while it has connections. */
  readonly #listening = new Set<UdpSocket>();
  /** For dials where nothing listens, by family. */
  readonly #outgoing = new Map<'0.0.0.0' | '::', Promise<UdpSocket>>();

  constructor(options: UdpTransportOptions) {
    this.#options = options;
    this.#admission = new UdpAdmission(options, this.counters);
    this.#probes = new UdpProbes(options, this.counters, this.#listening);
  }

  /** Resolves when there is a route: nothing is sent until something is written, so nothing says whether anybody listens. */
  async dial(address: EndpointAddress, options?: DialOptions): Promise<Connection> {
    const target = parseUdpAddress(address);
    if (target.port === 0 || target.host === '0.0.0.0' || target.host === '::') {
      throw new PipevineError('invalid-address', `${address} can be listened on, not dialled: name a host and a port.`);
    }
    return new Promise((resolve, reject) => {
      let isOver = false;
      const watch = watchDial(this.#options.clock, address, options, (error) => {
        isOver = true;
        reject(error);
      });
      const connecting = this.#dgram().then((dgram) => findRoute(dgram, target));
      connecting
        .then((route) => this.#connect(route, address, () => isOver))
        .then(
          (connection) => {
            watch.settle();
            // Given up meanwhile: the caller was told so.
            if (connection === undefined) return;
            this.counters.dialled++;
            resolve(connection);
          },
          (cause: unknown) => {
            watch.settle();
            reject(dialFailure(address, asError(cause)));
          },
        );
    });
  }

  async listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const { host, port } = parseUdpAddress(address);
    let socket: UdpSocket;
    try {
      const bound = await resolveHost(host);
      socket = this.#lingering(bound, port) ?? (await this.#bind(bound, port, (old) => this.#listening.delete(old)));
    } catch (cause) {
      throw listenFailure(address, asError(cause));
    }
    this.#listening.add(socket);
    socket.listen(onConnection);
    let closing: Promise<void> | undefined;
    return {
      get addresses() {
        return dialableAddresses(socket.host, socket.port).map((text) => text.replace('tcp:', 'udp:'));
      },
      close() {
        closing ??= socket.stopListening();
        return closing;
      },
    };
  }

  probes(init: ProbeInit): ProbePort {
    return this.#probes.open(init);
  }

  /** A socket that listened here before, and is only open for the connections that it still has. */
  #lingering(host: string, port: number): UdpSocket | undefined {
    for (const socket of this.#listening) {
      if (!socket.isListening && socket.isOpen && socket.host === host && socket.port === port) return socket;
    }
    return undefined;
  }

  /** Undefined when the dial is over already. */
  async #connect(route: UdpRoute, address: EndpointAddress, isOver: () => boolean): Promise<Connection | undefined> {
    for (const socket of this.#listening) {
      const reaches = socket.isOpen && (socket.isWildcard ? isSameFamily(socket, route) : socket.host === route.source);
      if (reaches && !socket.has(remoteFor(socket, route))) {
        return isOver() ? undefined : this.#connectFrom(socket, route, address);
      }
    }
    for (;;) {
      const socket = await this.#outgoingSocket(route);
      if (!socket.isOpen) continue;
      if (isOver()) {
        await socket.stopListening();
        return undefined;
      }
      if (!socket.has(remoteFor(socket, route))) return this.#connectFrom(socket, route, address);
      // One remote address can be told apart only once a socket: the second dial to it gets a socket of its own.
      const own = await this.#bind(socket.host, 0, () => undefined);
      if (isOver()) {
        await own.stopListening();
        return undefined;
      }
      return this.#connectFrom(own, route, address);
    }
  }

  #connectFrom(socket: UdpSocket, route: UdpRoute, address: EndpointAddress): Connection {
    return socket.connect(remoteFor(socket, route), udpAddressText(route.source, socket.port), address);
  }

  #outgoingSocket(route: UdpRoute): Promise<UdpSocket> {
    const host = route.host.includes(':') ? '::' : '0.0.0.0';
    let socket = this.#outgoing.get(host);
    if (socket === undefined) {
      const release = (): void => {
        if (this.#outgoing.get(host) === socket) this.#outgoing.delete(host);
      };
      socket = this.#bind(host, 0, release);
      this.#outgoing.set(host, socket);
      socket.catch(release);
    }
    return socket;
  }

  async #bind(host: string, port: number, onReleased: (socket: UdpSocket) => void): Promise<UdpSocket> {
    const socket: UdpSocket = await UdpSocket.bind({
      options: this.#options,
      counters: this.counters,
      admission: this.#admission,
      dgram: await this.#dgram(),
      host,
      port,
      takeProbe: (packet, from, fromPort) => this.#probes.take(packet, from, fromPort),
      onReleased: () => onReleased(socket),
    });
    return socket;
  }

  /** Loaded when first needed: an edge peer may never use UDP. */
  async #dgram() {
    return (await import('dgram-as-promised')).DgramAsPromised;
  }
}

/** A socket bound to `::` reaches both. */
function isSameFamily(socket: UdpSocket, route: UdpRoute): boolean {
  return socket.host === '::' || !route.host.includes(':');
}

/** The remote address in the words of that socket. */
function remoteFor(socket: UdpSocket, { host, port }: UdpRoute): UdpRemote {
  return { host: socket.host === '::' ? withMapping(host) : host, port };
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
