import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Pipe } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import {
  HEADER_ROOM_BYTES,
  IDLE_TIMEOUT_MS,
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_OF_PEER,
  MAX_HEADER_BYTES,
  MAX_PIPELINED,
} from './http-expose-defaults.ts';
import type { HttpGate } from './http-node-auth.ts';
import { PipeDuplex } from './pipe-duplex.ts';
import { plainPath, sayWhoAsks } from './request-check.ts';

export interface HttpExposureInit {
  /** Answers what has passed all checks. */
  readonly app: (request: IncomingMessage, response: ServerResponse) => void;
  /** Whether the path may be asked for; others are not there. */
  readonly serves: (method: string, path: string) => boolean;
  /** Whether `app` is to find the bytes of the body in `request.body`. */
  readonly wantsRawBody: (method: string, path: string) => boolean;
  /** Who may ask; empty: every member. */
  readonly roles: readonly string[];
  readonly gate: HttpGate | undefined;
  readonly maxBodyBytes: number;
  readonly timeoutMs: number;
}

export interface HttpExposureCounters {
  readonly connections: number;
  readonly requests: number;
  /** Connections and requests that were turned away. */
  readonly refused: number;
}

interface Connection {
  readonly duplex: PipeDuplex;
  readonly peer: string;
  /** Requests that are not answered yet. */
  readonly open: Set<ServerResponse>;
  /** Bytes that may come before the next request begins. */
  room: number;
  idle: NodeJS.Timeout | undefined;
}

const FULL = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/**
 * HTTP/1.1 (RFC 9112) over pipes, for an app that knows nothing of them. The server never listens: there are only the pipes it is
 * given. Its own deadlines do not run then, so they are kept here.
 */
export class HttpExposure {
  readonly #init: HttpExposureInit;
  readonly #server: Server;
  readonly #connections = new Map<object, Connection>();
  #requests = 0;
  #refused = 0;

  constructor(init: HttpExposureInit) {
    this.#init = init;
    this.#server = createServer(
      { insecureHTTPParser: false, maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: true, keepAliveTimeout: 0 },
      (request, response) => this.#onRequest(request, response),
    );
    this.#server.timeout = 0;
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
      this.#refused++;
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      socket.once('finish', () => socket.destroy());
    });
  }

  get counters(): HttpExposureCounters {
    return { connections: this.#connections.size, requests: this.#requests, refused: this.#refused };
  }

  accept(pipe: Pipe): void {
    const peer = pipe.remotePeer;
    const mine = [...this.#connections.values()].filter((one) => one.peer === peer).length;
    if (mine >= MAX_CONNECTIONS_OF_PEER || this.#connections.size >= MAX_CONNECTIONS) {
      this.#refused++;
      new PipeDuplex(pipe).end(FULL, () => void pipe.close().catch(() => {}));
      return;
    }
    const duplex = new PipeDuplex(pipe, (bytes) => {
      connection.room -= bytes;
      if (connection.room < 0) this.#tooLarge(connection);
    });
    const connection: Connection = { duplex, peer, open: new Set(), room: HEADER_ROOM_BYTES, idle: undefined };
    this.#connections.set(duplex, connection);
    duplex.once('close', () => {
      clearTimeout(connection.idle);
      this.#connections.delete(duplex);
    });
    this.#waitForRequest(connection);
    this.#server.emit('connection', duplex);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const pipes = [...this.#connections.values()].map(({ duplex }) => {
      duplex.destroy();
      return duplex.overlayPipe.closed;
    });
    this.#server.close();
    await Promise.all(pipes);
  }

  #waitForRequest(connection: Connection): void {
    clearTimeout(connection.idle);
    connection.idle = setTimeout(() => connection.duplex.destroy(), IDLE_TIMEOUT_MS);
    connection.idle.unref();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return void request.destroy();
    const { open, duplex } = connection;
    if (open.size >= MAX_PIPELINED) {
      this.#refused++;
      return void duplex.destroy();
    }
    this.#requests++;
    open.add(response);
    clearTimeout(connection.idle);
    connection.room = this.#init.maxBodyBytes + HEADER_ROOM_BYTES;
    const deadline = setTimeout(() => {
      this.#refuse(response, 504, 'timeout', 'The flow gave no answer in time.');
      duplex.end();
    }, this.#init.timeoutMs);
    response.once('close', () => {
      clearTimeout(deadline);
      open.delete(response);
      if (open.size === 0 && !duplex.destroyed) this.#waitForRequest(connection);
    });
    response.on('error', () => {});
    request.on('error', () => {});
    this.#handle(connection, request, response).catch((cause: unknown) => {
      const { message } = pipevineFailure(cause);
      this.#refuse(response, 500, 'internal', message);
    });
  }

  async #handle({ duplex }: Connection, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { app, gate, maxBodyBytes, roles, serves, wantsRawBody } = this.#init;
    const { method = 'GET', url = '' } = request;
    const held = duplex.overlayPipe.credential?.roles ?? [];
    if (roles.length > 0 && !held.some((role) => roles.includes(role))) {
      return this.#refuse(response, 403, 'refused', `This takes one of the roles ${roles.join(', ')}.`);
    }
    sayWhoAsks(request, duplex.overlayPipe.remotePeer, held);
    const path = plainPath(url);
    if (path === undefined) return this.#refuse(response, 400, 'malformed', 'The path of the request is not plain.');
    if (!serves(method, path)) return this.#refuse(response, 404, 'not-found', 'Nothing is served here.');
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
      return this.#refuse(response, 413, 'too-large', `A body has at most ${maxBodyBytes} bytes here.`);
    }
    if (gate !== undefined) {
      await new Promise<void>((resolve, reject) => {
        response.once('close', resolve);
        gate(request, response, (error) => (error === undefined || error === null ? resolve() : reject(error)));
      });
      if (response.writableEnded || response.destroyed) return;
    }
    if (wantsRawBody(method, path)) await readRawBody(request);
    app(request, response);
  }

  #tooLarge({ duplex, open }: Connection): void {
    const [response] = open;
    if (response === undefined || response.headersSent) {
      this.#refused++;
      return void duplex.destroy();
    }
    this.#refuse(response, 413, 'too-large', `A body has at most ${this.#init.maxBodyBytes} bytes here.`);
    response.once('finish', () => duplex.destroy());
  }

  /** Once the answer has begun, all that is left is to break off. */
  #refuse(response: ServerResponse, status: number, code: string, message: string): void {
    this.#refused++;
    if (response.headersSent) return void response.destroy();
    const body = JSON.stringify({ code, message });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    response.writeHead(status, { ...headers, Connection: 'close' }).end(body);
  }
}

/** In the form in which Node-RED leaves it to a flow. The length of the body is bounded by its connection. */
async function readRawBody(request: IncomingMessage): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding is set
  Object.assign(request, { body: Buffer.concat(chunks), _body: true, skipRawBodyParser: true });
}
