import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Connection, DialOptions, EndpointAddress, Transport, TransportListener } from '@pipevine/runtime';
import type { WebSocket } from 'ws';
import { openClientSocket } from '../http/client-socket.ts';
import { chooseProxy, type ProxySettings } from '../http/proxy-settings.ts';
import { RemoteAdmission } from '../http/remote-admission.ts';
import {
  authorityOf,
  parseWebAddress,
  WEB_PATH,
  type WebAddress,
  type WebSchemes,
  webAddressText,
} from '../http/web-address.ts';
import { dialWeb } from '../http/web-dial.ts';
import { statusFailure } from '../http/web-failure.ts';
import { openWebServer } from '../http/web-server.ts';
import { readAuthorities, type WebTlsInit } from '../http/web-tls.ts';
import { nodeClock } from '../node/node-clock.ts';
import { MAX_MESSAGE_BYTES, WebSocketConnection } from './websocket-connection.ts';

const SCHEMES: WebSchemes = ['ws', 'wss'];

export interface WebSocketTransportInit {
  /** Files for `wss`. Default: no listening on it, and the system's authorities for dials. */
  readonly tls?: WebTlsInit;
  /** The proxies for dials; `proxySettingsFrom(environment)` reads the usual variables. Default: none. */
  readonly proxy?: ProxySettings;
  /** `write` asks to stop when this much waits for the system. Default: 1 MiB, as for TCP. */
  readonly highWaterBytes?: number;
  /** Accepted connections open at once, over all listeners, those in their handshake included. Default: 4,096. */
  readonly maxConnections?: number;
  /** The same from one IP address. Default: 256. Behind a reverse proxy all have its address: give more then. */
  readonly maxConnectionsPerRemote?: number;
  /** Time for a client's TLS handshake and for its request's header. Default: 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** Largest header of a request or an answer, in bytes. Default: 8,192. */
  readonly maxHeaderBytes?: number;
  readonly clock?: Clock;
}

export interface WebSocketCounters {
  /** Accepted connections that are open, those in their handshake included. */
  readonly open: number;
  readonly accepted: number;
  readonly dialled: number;
  /** Closed at once because `maxConnections` were open. */
  readonly refusedTotal: number;
  /** Closed at once because `maxConnectionsPerRemote` were open from that address. */
  readonly refusedPerRemote: number;
  /** Requests that were none for a WebSocket at our path. */
  readonly refusedRequests: number;
}

export interface WebSocketTransport extends Transport {
  readonly counters: WebSocketCounters;
}

/** Connections over WebSocket: `ws://host:port` and `wss://host:port`, at the path /pipevine. */
export function webSocketTransport(init: WebSocketTransportInit = {}): WebSocketTransport {
  return new WsTransport({
    tls: init.tls ?? {},
    proxy: init.proxy ?? {},
    highWaterBytes: init.highWaterBytes ?? 1024 * 1024,
    maxConnections: init.maxConnections ?? 4096,
    maxConnectionsPerRemote: init.maxConnectionsPerRemote ?? 256,
    handshakeTimeoutMs: init.handshakeTimeoutMs ?? 10_000,
    maxHeaderBytes: init.maxHeaderBytes ?? 8192,
    clock: init.clock ?? nodeClock,
  });
}

class WsTransport implements WebSocketTransport {
  readonly schemes: readonly string[] = SCHEMES;
  readonly #options: Required<WebSocketTransportInit>;
  readonly #sockets: RemoteAdmission;
  #dialled = 0;
  #refusedRequests = 0;

  constructor(options: Required<WebSocketTransportInit>) {
    this.#options = options;
    this.#sockets = new RemoteAdmission(options.maxConnections, options.maxConnectionsPerRemote);
  }

  get counters(): WebSocketCounters {
    return { ...this.#sockets.counters, dialled: this.#dialled, refusedRequests: this.#refusedRequests };
  }

  dial(address: EndpointAddress, options?: DialOptions): Promise<Connection> {
    return dialWeb(address, SCHEMES, this.#options.clock, options, (target, signal) =>
      this.#open(address, target, signal),
    );
  }

  async listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const parsed = parseWebAddress(address, SCHEMES);
    const { WebSocketServer } = await import('ws');
    const handshakes = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    const { tls, handshakeTimeoutMs, maxHeaderBytes } = this.#options;
    const server = await openWebServer({
      address,
      parsed,
      tls,
      sockets: this.#sockets,
      handshakeTimeoutMs,
      maxHeaderBytes,
    });
    server.http.on('request', (_request, response) => {
      this.#refusedRequests++;
      response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end('Expected a WebSocket.\n');
    });
    handshakes.on('wsClientError', (_error, socket) => {
      this.#refusedRequests++;
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    // A web server's upgraded connection is a socket, over TLS or not.
    server.http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.on('error', () => undefined);
      if (request.url !== WEB_PATH) {
        this.#refusedRequests++;
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      handshakes.handleUpgrade(request, socket, head, (webSocket) => {
        const { remoteAddress, remotePort } = socket;
        if (remoteAddress === undefined || remotePort === undefined) webSocket.terminate();
        else {
          onConnection(this.#connection(webSocket, socket, webAddressText(parsed.scheme, remoteAddress, remotePort)));
        }
      });
    });
    return {
      get addresses() {
        return server.addresses();
      },
      close: () => server.close(),
    };
  }

  async #open(address: EndpointAddress, target: WebAddress, signal: AbortSignal): Promise<Connection> {
    const { proxy, tls, maxHeaderBytes } = this.#options;
    // First: a socket that waits for it could end unheard.
    const { WebSocket } = await import('ws');
    const socket = await openClientSocket({
      target,
      proxy: chooseProxy(proxy, target),
      tunnel: true,
      ca: target.secure ? await readAuthorities(tls) : undefined,
      signal,
    });
    // The socket leads to the target already, with TLS if need be; only the text of the request depends on the address.
    const webSocket = new WebSocket(`ws://${authorityOf(target)}${WEB_PATH}`, {
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      maxHeaderSize: maxHeaderBytes,
    });
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        signal.removeEventListener('abort', onAbort);
        socket.destroy();
        reject(error);
      };
      const onAbort = (): void => fail(new Error('given up'));
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      webSocket.on('error', fail);
      webSocket.on('unexpected-response', (_request, response) =>
        fail(statusFailure(address, response.statusCode ?? 0)),
      );
      webSocket.on('open', () => {
        signal.removeEventListener('abort', onAbort);
        webSocket.off('error', fail);
        this.#dialled++;
        resolve(this.#connection(webSocket, socket, webAddressText(target.scheme, target.host, target.port)));
      });
    });
  }

  #connection(webSocket: WebSocket, socket: Socket, remoteAddress: EndpointAddress): WebSocketConnection {
    const { localAddress = '0.0.0.0', localPort = 0 } = socket;
    const scheme = remoteAddress.slice(0, remoteAddress.indexOf(':'));
    return new WebSocketConnection(
      webSocket,
      socket,
      webAddressText(scheme, localAddress, localPort),
      remoteAddress,
      this.#options.highWaterBytes,
    );
  }
}
