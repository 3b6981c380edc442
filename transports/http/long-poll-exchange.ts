import type { Agent, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, type EndpointAddress, PipevineError } from '@pipevine/runtime';
import { openClientSocket } from './client-socket.ts';
import {
  decodeAnswer,
  HEAD_BYTES,
  HOLD_MS,
  type LongPollAnswer,
  MAX_BODY_BYTES,
  requestPath,
  type Verb,
} from './long-poll-wire.ts';
import type { ProxyAddress } from './proxy-settings.ts';
import { authorityOf, type WebAddress } from './web-address.ts';
import { statusFailure, webDialFailure } from './web-failure.ts';

/** A request that is held, the way there and back, and a slow network. */
const ANSWER_TIMEOUT_MS = HOLD_MS + 15_000;

export interface LongPollExchangeInit {
  readonly address: EndpointAddress;
  readonly target: WebAddress;
  readonly proxy: ProxyAddress | undefined;
  readonly ca: string | undefined;
  readonly maxHeaderBytes: number;
  /** The session's id in hexadecimal. */
  readonly session: string;
  readonly clock: Clock;
}

/** Makes the requests of one session, over sockets of its own. */
export class LongPollExchange {
  readonly #init: LongPollExchangeInit;
  readonly #sockets = new AbortController();
  #agent: Agent | undefined;
  #turn = 0;

  constructor(init: LongPollExchangeInit) {
    this.#init = init;
  }

  /**
   * One request and its answer, and the socket that carried them. Rejects with `unreachable` or `timeout` when there was
   * no answer, with `malformed` when it was not that of a peer; the request may have arrived all the same.
   */
  async ask(
    verb: Verb,
    offset: number,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<{ answer: LongPollAnswer; socket: Socket }> {
    const { address, target, proxy, session, clock, maxHeaderBytes } = this.#init;
    const { Agent, request: httpRequest } = await import('node:http');
    signal.throwIfAborted();
    this.#agent ??= this.#makeAgent(new Agent({ keepAlive: true }));
    const agent = this.#agent;
    const path = requestPath({ session, verb, offset }, this.#turn++);
    const isPlainProxy = proxy !== undefined && !target.secure;
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        agent,
        host: target.host.replace(/%.*$/, ''),
        port: target.port,
        setHost: false,
        method: verb === 'down' ? 'GET' : 'POST',
        // To a proxy goes the whole address (RFC 9112 section 3.2.2).
        path: isPlainProxy ? `http://${authorityOf(target)}${path}` : path,
        maxHeaderSize: maxHeaderBytes,
        headers: {
          Host: authorityOf(target),
          'Cache-Control': 'no-store',
          ...(verb !== 'down' && {
            'Content-Type': 'application/octet-stream',
            'Content-Length': String(body?.length ?? 0),
          }),
          ...(isPlainProxy && proxy.authorization !== undefined && { 'Proxy-Authorization': proxy.authorization }),
        },
      });
      const settle = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const fail = (error: unknown): void => {
        settle();
        request.destroy();
        reject(webDialFailure(address, error));
      };
      const onAbort = (): void => fail(new PipevineError('aborted', `The connection to ${address} is closed.`));
      const timer = clock.setTimer(ANSWER_TIMEOUT_MS, () => {
        fail(new PipevineError('timeout', `${address} did not answer within ${ANSWER_TIMEOUT_MS} ms.`));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      request.on('error', fail);
      request.on('response', (response) => {
        // The response forgets its socket when that goes back to the others.
        const { socket } = response;
        readBody(response).then((bytes) => {
          settle();
          try {
            resolve({ answer: decodeAnswer(bytes), socket });
          } catch (error) {
            reject(response.statusCode === 200 ? error : statusFailure(address, response.statusCode ?? 0));
          }
        }, fail);
      });
      request.end(body);
    });
  }

  /** Closes the sockets. */
  close(): void {
    this.#sockets.abort();
    this.#agent?.destroy();
  }

  #makeAgent(agent: Agent): Agent {
    const { target, proxy, ca } = this.#init;
    agent.createConnection = (_options, callback) => {
      openClientSocket({ target, proxy, tunnel: false, ca, signal: this.#sockets.signal }).then(
        (socket) => callback?.(null, socket),
        // Node takes an error alone, though its types ask for a stream with it.
        (error: Error) => (callback as ((error: Error) => void) | undefined)?.(error),
      );
      return undefined;
    };
    return agent;
  }
}

function readBody(response: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    response.on('data', (part: Buffer) => {
      length += part.length;
      parts.push(part);
      if (length > HEAD_BYTES + MAX_BODY_BYTES) reject(new Error('the answer is too long'));
    });
    response.on('end', () => resolve(Buffer.concat(parts)));
    response.on('error', reject);
    // Node reports a body that breaks off as an error; this is for what it does not.
    response.on('close', () => reject(new Error('the answer broke off')));
  });
}
