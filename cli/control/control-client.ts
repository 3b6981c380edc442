import { createConnection, type Socket } from 'node:net';
import { type JsonValue, PipevineError } from '@pipevine/runtime';
import { cancelLine, MAX_LINE_BYTES, type Params, parseServerLine, requestLine, type ServerLine } from './json-rpc.ts';
import { LineSplitter } from './line-splitter.ts';

/** Items of a stream that wait for the command to print them; more stay in the socket. */
const MAX_WAITING_ITEMS = 64;

interface Waiting {
  readonly items: JsonValue[];
  state:
    | { readonly type: 'open' }
    | { readonly type: 'done'; readonly result: JsonValue }
    | { readonly type: 'failed'; readonly error: PipevineError };
  /** Whether the daemon still works on it, and has to be told when nobody waits any more. */
  underWay: boolean;
  wake: () => void;
}

/** A command's end of the control socket. */
export class ControlClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #closed: PipevineError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const splitter = new LineSplitter(MAX_LINE_BYTES);
    socket.on('data', (chunk) => {
      try {
        for (const line of splitter.push(chunk)) this.#line(parseServerLine(line));
      } catch (error) {
        this.#fail(error instanceof PipevineError ? error : new PipevineError('internal', String(error)));
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () =>
      this.#fail(new PipevineError('closed', 'the daemon has stopped; `pipevine up` starts it again')),
    );
  }

  /** Resolves with undefined when nobody listens there: no daemon, or one that was killed and left its socket. */
  static connect(path: string): Promise<ControlClient | undefined> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        resolve(new ControlClient(socket));
      });
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR') resolve(undefined);
        else if (error.code === 'EACCES' || error.code === 'EPERM') {
          reject(
            new PipevineError(
              'permission-denied',
              `the control socket ${path} belongs to somebody else; run as the user who started the daemon`,
            ),
          );
        } else
          reject(
            new PipevineError('unreachable', `the control socket ${path} does not answer (${error.message})`, {
              cause: error,
            }),
          );
      });
    });
  }

  async call(
    method: string,
    params: Params,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<JsonValue> {
    const stream = this.stream(method, params, options);
    for (;;) {
      const next = await stream.next();
      if (next.done === true) return next.value;
    }
  }

  /**
   * The items of a streaming method; its return value is the method's result. With `timeoutMs` the whole must be over by
   * then, else it rejects with `timeout`. Leaving the iteration, or the signal, cancels the method at the daemon.
   */
  async *stream(
    method: string,
    params: Params,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<JsonValue, JsonValue> {
    if (this.#closed !== undefined) throw this.#closed;
    const id = this.#nextId++;
    const waiting: Waiting = { items: [], state: { type: 'open' }, underWay: true, wake: () => {} };
    this.#waiting.set(id, waiting);
    this.#socket.write(requestLine(id, method, params));
    const { timeoutMs, signal } = options;
    const finish = (state: Waiting['state']) => {
      waiting.state = state;
      waiting.wake();
    };
    const onAbort = () => finish({ type: 'done', result: null });
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            const message = `the daemon did not answer "${method}" within ${timeoutMs / 1000} s; give it longer with --timeout`;
            finish({ type: 'failed', error: new PipevineError('timeout', message) });
          }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      for (;;) {
        const item = waiting.items.shift();
        if (item !== undefined) {
          if (waiting.items.length === 0) this.#socket.resume();
          yield item;
        } else if (waiting.state.type === 'failed') {
          throw waiting.state.error;
        } else if (waiting.state.type === 'done') {
          return waiting.state.result;
        } else {
          await new Promise<void>((resolve) => {
            waiting.wake = resolve;
          });
        }
      }
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#waiting.delete(id);
      this.#socket.resume();
      if (waiting.underWay && this.#closed === undefined) this.#socket.write(cancelLine(id));
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #line(line: ServerLine): void {
    if (line.type === 'error' && line.id === null) {
      this.#fail(line.error);
      return;
    }
    const waiting = this.#waiting.get(line.id ?? 0);
    if (waiting === undefined) return;
    if (line.type === 'item') {
      waiting.items.push(line.value);
      if (waiting.items.length >= MAX_WAITING_ITEMS) this.#socket.pause();
    } else {
      waiting.underWay = false;
      if (waiting.state.type !== 'open') return;
      waiting.state =
        line.type === 'result' ? { type: 'done', result: line.result } : { type: 'failed', error: line.error };
    }
    waiting.wake();
  }

  #fail(error: PipevineError): void {
    this.#closed ??= error;
    for (const waiting of this.#waiting.values()) {
      if (waiting.state.type === 'open') waiting.state = { type: 'failed', error };
      waiting.wake();
    }
  }
}
