import type { Server as HttpServer, ServerOptions } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { EndpointAddress } from '@pipevine/runtime';
import { dialableAddresses } from '../tcp/listen-addresses.ts';
import { listenFailure } from '../tcp/tcp-failure.ts';
import type { RemoteAdmission } from './remote-admission.ts';
import type { WebAddress } from './web-address.ts';
import { readServerIdentity, type WebTlsInit } from './web-tls.ts';

export interface WebServerInit {
  readonly address: EndpointAddress;
  readonly parsed: WebAddress;
  readonly tls: WebTlsInit;
  /** Bounds the sockets of all servers that share it. */
  readonly sockets: RemoteAdmission;
  /** A client has so long for its TLS handshake, and so long for the header of a request. */
  readonly handshakeTimeoutMs: number;
  readonly maxHeaderBytes: number;
}

/** A web server that listens. Its owner adds what answers. */
export interface WebServer {
  readonly http: HttpServer;
  /** The addresses that others can dial. */
  addresses(): EndpointAddress[];
  /** Frees the port; what is connected stays. */
  closePort(): Promise<void>;
  /** Frees the port, and closes what has not become something else than HTTP. */
  close(): Promise<void>;
}

/** Time for a whole request with its body. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Between two requests; longer than most proxies keep theirs, so that it is they who close, at a quiet moment. */
const IDLE_TIMEOUT_MS = 65_000;

/** Opens a web server with bounds on everything that a client could withhold or send too much of. */
export async function openWebServer(init: WebServerInit): Promise<WebServer> {
  const { address, parsed, handshakeTimeoutMs } = init;
  const options: ServerOptions = {
    maxHeaderSize: init.maxHeaderBytes,
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: Math.max(handshakeTimeoutMs, REQUEST_TIMEOUT_MS),
    connectionsCheckingInterval: Math.min(handshakeTimeoutMs, 5000),
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  };
  const http = parsed.secure
    ? (await import('node:https')).createServer({
        ...options,
        ...(await readServerIdentity(init.tls, parsed.scheme)),
        handshakeTimeout: handshakeTimeoutMs,
        ALPNProtocols: ['http/1.1'],
      })
    : (await import('node:http')).createServer(options);
  // Before Node's own listener, which would begin to read.
  http.prependListener('connection', (socket: Socket) => admit(socket, init.sockets));
  http.on('clientError', (_error, socket) => socket.destroy());
  await listen(http, address, parsed);
  http.on('error', () => undefined);
  const bound = http.address();
  const { host, port } =
    typeof bound === 'object' && bound !== null ? { host: bound.address, port: bound.port } : parsed;
  let closing: Promise<void> | undefined;
  const closePort = (): Promise<void> => {
    // Node's http closes idle keep-alive connections with the port, and calls back when the others are closed too.
    closing ??= new Promise((resolve) => {
      NetServer.prototype.close.call(http);
      setImmediate(resolve);
    });
    return closing;
  };
  return {
    http,
    addresses: () =>
      dialableAddresses(host, port).map((text): EndpointAddress => `${parsed.scheme}${text.slice('tcp'.length)}`),
    closePort,
    close() {
      const closed = closePort();
      // Ends the watch over slow clients too; that the port is closed already is no news.
      http.close(() => undefined);
      http.closeAllConnections();
      return closed;
    },
  };
}

function admit(socket: Socket, sockets: RemoteAdmission): void {
  socket.on('error', () => undefined);
  // A connection that is gone again before it is looked at has no remote address.
  const release = socket.remoteAddress === undefined ? undefined : sockets.admit(socket.remoteAddress);
  if (release === undefined) socket.destroy();
  else socket.once('close', release);
}

function listen(http: HttpServer, address: EndpointAddress, { host, port }: WebAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenFailure(address, error));
    http.once('error', onError);
    http.listen({ host, port }, () => {
      http.off('error', onError);
      resolve();
    });
  });
}
