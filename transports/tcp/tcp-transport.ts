import { createServer, connect as netConnect, type Socket } from 'node:net';
import {
  type Clock,
  type Connection,
  type DialOptions,
  type EndpointAddress,
  PipevineError,
  type Transport,
  type TransportListener,
} from '@pipevine/runtime';
import { watchDial } from '../dial-deadline.ts';
import { nodeClock } from '../node/node-clock.ts';
import { dialableAddresses } from './listen-addresses.ts';
import { parseTcpAddress, tcpAddressText } from './tcp-address.ts';
import { TcpConnection } from './tcp-connection.ts';
import { dialFailure, listenFailure } from './tcp-failure.ts';

export interface TcpTransportInit {
  /** `write` asks to stop when this much waits for the system. Default: 1 MiB, 20 ms of a 400 Mbit/s network. */
  readonly highWaterBytes?: number;
  /** Accepted connections open at once, over all listeners. Default: 4,096. */
  readonly maxConnections?: number;
  /** Accepted connections open at once from one IP address. Default: 256, so that peers behind one NAT fit. */
  readonly maxConnectionsPerRemote?: number;
  /** Connections that the system keeps for a listener that is busy. Default: 511, as in Node. */
  readonly backlog?: number;
  /** Idle time after which TCP asks whether the other side is still there. Default: 30,000. */
  readonly keepAliveMs?: number;
  readonly clock?: Clock;
}

export interface TcpCounters {
  /** Accepted connections that are open. */
  open: number;
  accepted: number;
  dialled: number;
  /** Closed at once because `maxConnections` were open. */
  refusedTotal: number;
  /** Closed at once because `maxConnectionsPerRemote` were open from that address. */
  refusedPerRemote: number;
  /** Connections that the system could not hand over, for want of file descriptors for example. */
  acceptFailures: number;
}

export interface TcpTransport extends Transport {
  readonly counters: Readonly<TcpCounters>;
}

/** Connections over TCP: `tcp://host:port`. */
export function tcpTransport(init: TcpTransportInit = {}): TcpTransport {
  return new NodeTcpTransport({
    highWaterBytes: init.highWaterBytes ?? 1024 * 1024,
    maxConnections: init.maxConnections ?? 4096,
    maxConnectionsPerRemote: init.maxConnectionsPerRemote ?? 256,
    backlog: init.backlog ?? 511,
    keepAliveMs: init.keepAliveMs ?? 30_000,
    clock: init.clock ?? nodeClock,
  });
}

class NodeTcpTransport implements TcpTransport {
  readonly schemes: readonly string[] = ['tcp'];
  readonly counters: TcpCounters = {
    open: 0,
    accepted: 0,
    dialled: 0,
    refusedTotal: 0,
    refusedPerRemote: 0,
    acceptFailures: 0,
  };
  readonly #options: Required<TcpTransportInit>;
  readonly #openByRemote = new Map<string, number>();

  constructor(options: Required<TcpTransportInit>) {
    this.#options = options;
  }

  async dial(address: EndpointAddress, options?: DialOptions): Promise<Connection> {
    const { host, port } = parseTcpAddress(address);
    if (port === 0 || host === '0.0.0.0' || host === '::') {
      throw new PipevineError('invalid-address', `${address} can be listened on, not dialled: name a host and a port.`);
    }
    return new Promise((resolve, reject) => {
      const watch = watchDial(this.#options.clock, address, options, (error) => {
        socket.destroy();
        reject(error);
      });
      const socket = netConnect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: this.#options.keepAliveMs,
      });
      const onError = (error: Error): void => {
        watch.settle();
        reject(dialFailure(address, error));
      };
      socket.once('error', onError);
      socket.once('connect', () => {
        watch.settle();
        socket.off('error', onError);
        this.counters.dialled++;
        resolve(this.#connection(socket, tcpAddressText(host, port)));
      });
    });
  }

  async listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const { host, port } = parseTcpAddress(address);
    const { keepAliveMs, backlog } = this.#options;
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
      pauseOnConnect: true,
    });
    server.on('connection', (socket) => {
      const { remoteAddress, remotePort } = socket;
      // A connection that is gone again before it is looked at has no remote address.
      if (remoteAddress === undefined || remotePort === undefined || !this.#admit(socket, remoteAddress)) {
        socket.on('error', () => undefined);
        socket.destroy();
        return;
      }
      onConnection(this.#connection(socket, tcpAddressText(remoteAddress, remotePort)));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(listenFailure(address, error)));
      server.listen({ host, port, backlog }, resolve);
    });
    // Afterwards: too many open files and the like. What cannot be accepted now waits in the system's backlog.
    server.on('error', () => {
      this.counters.acceptFailures++;
    });
    const bound = server.address();
    const boundHost = typeof bound === 'object' && bound !== null ? bound.address : host;
    const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
    let closing: Promise<void> | undefined;
    return {
      get addresses() {
        return dialableAddresses(boundHost, boundPort);
      },
      close() {
        // Node calls back when the accepted connections are closed too; the port is free before that.
        closing ??= new Promise((resolve) => {
          server.close();
          setImmediate(resolve);
        });
        return closing;
      },
    };
  }

  #admit(socket: Socket, remote: string): boolean {
    const { maxConnections, maxConnectionsPerRemote } = this.#options;
    const fromRemote = this.#openByRemote.get(remote) ?? 0;
    if (this.counters.open >= maxConnections) {
      this.counters.refusedTotal++;
      return false;
    }
    if (fromRemote >= maxConnectionsPerRemote) {
      this.counters.refusedPerRemote++;
      return false;
    }
    this.counters.accepted++;
    this.counters.open++;
    this.#openByRemote.set(remote, fromRemote + 1);
    socket.once('close', () => {
      this.counters.open--;
      const left = (this.#openByRemote.get(remote) ?? 1) - 1;
      if (left > 0) this.#openByRemote.set(remote, left);
      else this.#openByRemote.delete(remote);
    });
    return true;
  }

  #connection(socket: Socket, remoteAddress: EndpointAddress): TcpConnection {
    const { localAddress = '0.0.0.0', localPort = 0 } = socket;
    return new TcpConnection(
      socket,
      tcpAddressText(localAddress, localPort),
      remoteAddress,
      this.#options.highWaterBytes,
    );
  }
}
