import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type JsonValue, PipevineError } from '@pipevine/runtime';
import {
  errorLine,
  itemLine,
  MAX_LINE_BYTES,
  type Params,
  parseClientLine,
  RPC_ERROR,
  type RpcRequest,
  resultLine,
} from './json-rpc.ts';
import { LineSplitter } from './line-splitter.ts';

/** Commands that talk to the daemon at one time. */
const MAX_CLIENTS = 64;
/** Requests of one command under way. */
const MAX_REQUESTS = 32;
/** Unsent bytes at which a client that does not read is cut off. */
const MAX_UNSENT_BYTES = 2 * MAX_LINE_BYTES;

/** How long a client may take to read the last words of a daemon that stops. */
const FAREWELL_MS = 500;

export interface ControlContext {
  /** Aborted when the client cancels or goes away. */
  readonly signal: AbortSignal;
  /** Sends an item of the stream; resolves when the client has room for the next. */
  emit(value: JsonValue): Promise<void>;
}

export type ControlMethod = (params: Params, context: ControlContext) => Promise<JsonValue | undefined>;
export type ControlMethods = Readonly<Record<string, ControlMethod>>;

/** How full the tables of the control socket are, for `status`. */
export interface ControlStatus {
  readonly clients: number;
  readonly limit: number;
  readonly refused: number;
}

/** The daemon's end of the control socket. One client that sends nonsense, or does not read, harms no other. */
export class ControlServer {
  readonly #methods: ControlMethods;
  readonly #server: Server;
  readonly #clients = new Set<ControlSession>();
  #refused = 0;

  private constructor(methods: ControlMethods) {
    this.#methods = methods;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens; the socket is for the owner alone. The caller has made sure that no other daemon uses the path. */
  static async listen(path: string, methods: ControlMethods): Promise<ControlServer> {
    const control = new ControlServer(methods);
    const server = control.#server;
    // The socket must not be open to others even for the moment before its mode is set.
    const mask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, resolve);
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PipevineError(
        'storage-failed',
        `the control socket ${path} cannot be opened (${reason}); choose another --home`,
        {
          cause,
        },
      );
    } finally {
      process.umask(mask);
    }
    if (process.platform !== 'win32') chmodSync(path, 0o600);
    return control;
  }

  get status(): ControlStatus {
    return { clients: this.#clients.size, limit: MAX_CLIENTS, refused: this.#refused };
  }

  /** Ends all sessions; what they had under way is aborted. Idempotent. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of this.#clients) client.end();
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#clients.size >= MAX_CLIENTS) {
      this.#refused++;
      socket.on('error', () => socket.destroy()).resume();
      socket.end(
        errorLine(
          null,
          new PipevineError(
            'overloaded',
            `${MAX_CLIENTS} commands are talking to the daemon already; end some of them`,
          ),
        ),
      );
      return;
    }
    const session = new ControlSession(socket, this.#methods, () => this.#clients.delete(session));
    this.#clients.add(session);
  }
}

class ControlSession {
  readonly #socket: Socket;
  readonly #methods: ControlMethods;
  readonly #requests = new Map<number, AbortController>();
  #drained: Promise<void> | undefined;

  constructor(socket: Socket, methods: ControlMethods, onClosed: () => void) {
    this.#socket = socket;
    this.#methods = methods;
    const splitter = new LineSplitter(MAX_LINE_BYTES);
    socket.on('data', (chunk) => {
      try {
        for (const line of splitter.push(chunk)) this.#line(line);
      } catch (error) {
        socket.end(errorLine(null, error, RPC_ERROR.invalidRequest));
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      for (const controller of this.#requests.values()) controller.abort();
      onClosed();
    });
  }

  end(): void {
    for (const controller of this.#requests.values()) controller.abort();
    this.#socket.end();
    // A client that does not read must not hold up the daemon's stop.
    setTimeout(() => this.#socket.destroy(), FAREWELL_MS).unref();
  }

  #line(line: string): void {
    let message: ReturnType<typeof parseClientLine>;
    try {
      message = parseClientLine(line);
    } catch (error) {
      this.#write(errorLine(null, error, RPC_ERROR.parse));
      return;
    }
    if (message.type === 'cancel') {
      this.#requests.get(message.id)?.abort();
      return;
    }
    this.#serve(message);
  }

  async #serve(request: RpcRequest): Promise<void> {
    const { id, method, params } = request;
    const handler = Object.hasOwn(this.#methods, method) ? this.#methods[method] : undefined;
    if (handler === undefined) {
      const known = Object.keys(this.#methods).join(', ');
      const error = new PipevineError(
        'unsupported',
        `the daemon knows no "${method}", only ${known}; are both of one version?`,
      );
      this.#write(errorLine(id, error, RPC_ERROR.unknownMethod));
      return;
    }
    if (this.#requests.has(id) || this.#requests.size >= MAX_REQUESTS) {
      this.#write(
        errorLine(
          id,
          new PipevineError('overloaded', `at most ${MAX_REQUESTS} requests at a time, each with its own id`),
        ),
      );
      return;
    }
    const controller = new AbortController();
    this.#requests.set(id, controller);
    try {
      const result = await handler(params, {
        signal: controller.signal,
        emit: async (value) => {
          this.#write(itemLine(id, value));
          await this.#room();
        },
      });
      this.#write(resultLine(id, result ?? null));
    } catch (error) {
      // A stream that its client has ended is complete.
      this.#write(controller.signal.aborted ? resultLine(id, null) : errorLine(id, error));
    } finally {
      this.#requests.delete(id);
    }
  }

  #write(line: string): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#socket.write(line);
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) this.#socket.destroy();
  }

  #room(): Promise<void> {
    const socket = this.#socket;
    if (!socket.writableNeedDrain || socket.destroyed) return Promise.resolve();
    this.#drained ??= new Promise((resolve) => {
      const done = () => {
        this.#drained = undefined;
        socket.off('drain', done).off('close', done);
        resolve();
      };
      socket.on('drain', done).on('close', done);
    });
    return this.#drained;
  }
}
