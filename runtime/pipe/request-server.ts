import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Pipe, RequestContext, RequestHandler } from './pipe.ts';
import { MAX_REQUEST_BYTES, MAX_REQUESTS } from './pipe-defaults.ts';
import type { PipeEnd } from './pipe-end.ts';
import {
  decodeRequestMessage,
  encodeBody,
  encodeRequestMessage,
  type RequestMessage,
  RequestMessageType,
} from './request-codec.ts';

/** One request under way, and the context that its handler sees. */
class ActiveRequest implements RequestContext {
  readonly id: number;
  readonly bytes: number;
  readonly #pipe: Pipe;
  #abort: AbortController | undefined;
  #cancelled = false;
  #wake: () => void = () => {};

  constructor(id: number, bytes: number, pipe: Pipe) {
    this.id = id;
    this.bytes = bytes;
    this.#pipe = pipe;
  }

  get localPeer(): PeerId {
    return this.#pipe.localPeer;
  }

  get remotePeer(): PeerId {
    return this.#pipe.remotePeer;
  }

  get group(): GroupId {
    return this.#pipe.group;
  }

  get credential(): Credential | undefined {
    return this.#pipe.credential;
  }

  /** Made when a handler first asks: most never do. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#cancelled) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#abort?.abort();
    this.#wake();
  }

  /**
   * Waits for the promise or for the request to be cancelled: then undefined. Unlike a race with one long-lived promise,
   * this leaves nothing behind, however many items a sequence has.
   */
  orCancelled<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
      if (this.#cancelled) resolve(undefined);
    });
  }
}

/** The server's end of a request pipe: runs the handler for each request, many at once, and sends what it gives. */
export class RequestServer {
  readonly #pipe: Pipe & Pick<PipeEnd, 'fail' | 'ended'>;
  readonly #handler: RequestHandler;
  readonly #onError: (error: unknown) => void;
  readonly #active = new Map<number, ActiveRequest>();
  #activeBytes = 0;

  constructor(
    pipe: Pipe & Pick<PipeEnd, 'fail' | 'ended'>,
    handler: RequestHandler,
    onError: (error: unknown) => void,
  ) {
    this.#pipe = pipe;
    this.#handler = handler;
    this.#onError = onError;
    pipe.receive((message) => this.#onMessage(message));
    pipe.closed.then(() => {
      for (const request of [...this.#active.values()]) request.cancel();
    });
  }

  #onMessage(bytes: Uint8Array): Promise<void> | undefined {
    let message: RequestMessage;
    try {
      message = decodeRequestMessage(bytes);
    } catch (error) {
      this.#pipe.fail(error instanceof PipevineError ? error : new PipevineError('malformed', String(error)));
      return undefined;
    }
    switch (message.type) {
      case RequestMessageType.request:
        return this.#onRequest(message.id, message.body);
      case RequestMessageType.cancel:
        this.#active.get(message.id)?.cancel();
        return undefined;
      default:
        this.#pipe.fail(
          new PipevineError('malformed', `The client of a request pipe sent a message of type ${message.type}.`),
        );
        return undefined;
    }
  }

  #onRequest(id: number, body: Uint8Array): Promise<void> | undefined {
    if (this.#active.has(id)) {
      this.#pipe.fail(new PipevineError('malformed', `Request ${id} came twice.`));
      return undefined;
    }
    if (this.#active.size >= MAX_REQUESTS || this.#activeBytes + body.length > MAX_REQUEST_BYTES) {
      const text = `${this.#active.size} requests of ${this.#activeBytes} bytes are under way on this pipe; await some first.`;
      // Counts as received only when it was answered: who floods waits for its own refusals.
      return this.#failure(id, new PipevineError('overloaded', text)).catch(() => {});
    }
    const request = new ActiveRequest(id, body.length, this.#pipe);
    this.#active.set(id, request);
    this.#activeBytes += request.bytes;
    this.#run(request, body).finally(() => {
      this.#active.delete(id);
      this.#activeBytes -= request.bytes;
    });
    return undefined;
  }

  /** Never rejects. */
  async #run(request: ActiveRequest, body: Uint8Array): Promise<void> {
    try {
      const result = this.#handler(body, request);
      if (Symbol.asyncIterator in result) {
        await this.#sendItems(request, result);
        return;
      }
      const reply = await result;
      if (!request.cancelled) await this.#send(encodeBody(RequestMessageType.reply, request.id, reply));
    } catch (error) {
      if (request.cancelled || this.#pipe.ended) return;
      if (!(error instanceof PipevineError)) this.#onError(error);
      await this.#failure(request.id, error).catch(() => {
        // The pipe is gone, and with it who would like to know.
      });
    }
  }

  /** Takes the next item only when the one before has room: a slow client holds its own sequence back. */
  async #sendItems(request: ActiveRequest, items: AsyncIterable<Uint8Array>): Promise<void> {
    const iterator = items[Symbol.asyncIterator]();
    let exhausted = false;
    try {
      for (;;) {
        // A sequence may be silent for ever; its client need not be.
        const result = await request.orCancelled(iterator.next());
        if (result === undefined) return;
        if (result.done === true) {
          exhausted = true;
          break;
        }
        await request.orCancelled(this.#send(encodeBody(RequestMessageType.item, request.id, result.value)));
        if (request.cancelled) return;
      }
    } catch (error) {
      exhausted = true;
      throw error;
    } finally {
      if (!exhausted) {
        // Not awaited: a generator that waits for its source ends when that does, or by the signal.
        iterator.return?.()?.then(undefined, (error: unknown) => this.#onError(error));
      }
    }
    await this.#send(encodeRequestMessage({ type: RequestMessageType.end, id: request.id }));
  }

  #failure(id: number, error: unknown): Promise<void> {
    const isOurs = error instanceof PipevineError;
    const code = isOurs ? error.code : 'internal';
    const text = isOurs ? error.message : 'The service failed to answer; its log says why.';
    return this.#send(encodeRequestMessage({ type: RequestMessageType.failure, id, code, message: text }));
  }

  #send(message: Uint8Array): Promise<void> {
    return this.#pipe.send(message, { timeoutMs: Infinity });
  }
}
