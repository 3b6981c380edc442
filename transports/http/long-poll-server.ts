import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Connection } from '@pipevine/runtime';
import { SourceRateLimit } from '../udp/source-rate-limit.ts';
import { answer, LongPollSession } from './long-poll-session.ts';
import { type LongPollRequest, MAX_BODY_BYTES, parseRequest } from './long-poll-wire.ts';
import type { RemoteAdmission } from './remote-admission.ts';
import { webAddressText } from './web-address.ts';

/** Sessions that are over and still say so to a request that comes late or again. */
const MAX_OVER = 1024;
/** Requests with an id that nobody has: enough for all clients behind one NAT after a restart, too few to find one by trying. */
const UNKNOWN_PER_REMOTE = { perSecond: 4, burst: 512 };
const UNKNOWN_TOTAL = { perSecond: 64, burst: 4096 };

export interface LongPollServerInit {
  readonly scheme: string;
  readonly highWaterBytes: number;
  readonly maxWaitingBytes: number;
  readonly sessionTimeoutMs: number;
  /** Bounds the sessions of all listeners that share it. */
  readonly sessions: RemoteAdmission;
  /** Bodies that are being received, of all listeners that share it. */
  readonly uploads: UploadBudget;
  readonly counters: LongPollServerCounters;
  readonly clock: Clock;
  readonly onConnection: (connection: Connection) => void;
  /** The last session is over. */
  readonly onIdle: () => void;
}

export interface LongPollServerCounters {
  /** Requests that were not ours, or broke a bound. */
  refusedRequests: number;
  /** Requests for a session that does not exist. */
  unknownSessions: number;
  /** Those of them that came too often and got no answer. */
  droppedGuesses: number;
}

/** Bytes of request bodies in memory at once. */
export interface UploadBudget {
  bytes: number;
  readonly maxBytes: number;
}

/** Answers the requests of one listener. */
export class LongPollServer {
  readonly #init: LongPollServerInit;
  readonly #sessions = new Map<string, LongPollSession>();
  readonly #over = new Map<string, LongPollSession>();
  readonly #unknown: SourceRateLimit;
  #accepts = true;

  constructor(init: LongPollServerInit) {
    this.#init = init;
    this.#unknown = new SourceRateLimit(init.clock, UNKNOWN_PER_REMOTE, UNKNOWN_TOTAL);
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** From now on no new session; those that run go on. */
  stopAccepting(): void {
    this.#accepts = false;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    const parsed = parseRequest(request.method, request.url);
    if (parsed === undefined) {
      this.#refuse(response, 404);
      return;
    }
    const key = keyOf(parsed.session);
    const session = this.#sessions.get(key) ?? this.#over.get(key);
    if (parsed.verb === 'open') {
      request.resume();
      if (session !== undefined) session.open(response);
      else this.#open(key, request, response);
    } else if (session === undefined) this.#answerUnknown(request, response);
    else this.#handOver(session, parsed, request, response);
  }

  #handOver(
    session: LongPollSession,
    { verb, offset }: LongPollRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (verb === 'up') {
      this.#readBody(request, response, (body) => session.up(offset, body, response));
      return;
    }
    request.resume();
    if (verb === 'down') session.down(offset, response);
    else if (verb === 'end') session.end(offset, response);
    else session.reset(response);
  }

  #open(key: string, request: IncomingMessage, response: ServerResponse): void {
    const { remoteAddress, remotePort, localAddress = '0.0.0.0', localPort = 0 } = request.socket;
    if (remoteAddress === undefined || remotePort === undefined) return;
    const release = this.#accepts ? this.#init.sessions.admit(remoteAddress) : undefined;
    if (release === undefined) {
      answer(response, { busy: true }, 503);
      return;
    }
    const session = new LongPollSession({
      ...this.#init,
      localAddress: webAddressText(this.#init.scheme, localAddress, localPort),
      remoteAddress: webAddressText(this.#init.scheme, remoteAddress, remotePort),
      onOver: () => {
        release();
        this.#sessions.delete(key);
        this.#over.set(key, session);
        const [oldest] = this.#over.keys();
        if (this.#over.size > MAX_OVER && oldest !== undefined) this.#over.delete(oldest);
        if (this.#sessions.size === 0) this.#init.onIdle();
      },
    });
    this.#sessions.set(key, session);
    session.open(response);
    this.#init.onConnection(session.connection);
  }

  #answerUnknown(request: IncomingMessage, response: ServerResponse): void {
    this.#init.counters.unknownSessions++;
    response.shouldKeepAlive = false;
    if (this.#unknown.admit(request.socket.remoteAddress ?? '')) {
      request.resume();
      answer(response, { unknown: true }, 404);
    } else {
      this.#init.counters.droppedGuesses++;
      request.socket.destroy();
    }
  }

  #readBody(request: IncomingMessage, response: ServerResponse, done: (body: Uint8Array) => void): void {
    const { uploads } = this.#init;
    const parts: Buffer[] = [];
    let length = 0;
    let isOpen = true;
    const release = (): void => {
      if (isOpen) uploads.bytes -= length;
      isOpen = false;
    };
    request.on('data', (part: Buffer) => {
      if (!isOpen) return;
      length += part.length;
      uploads.bytes += part.length;
      parts.push(part);
      if (length <= MAX_BODY_BYTES && uploads.bytes <= uploads.maxBytes) return;
      release();
      parts.length = 0;
      // The rest is not read; a client that is honest comes again.
      this.#refuse(response, length > MAX_BODY_BYTES ? 413 : 503);
      request.socket.end();
      request.pause();
    });
    request.on('end', () => {
      if (!isOpen) return;
      release();
      const body = new Uint8Array(length);
      let filled = 0;
      for (const part of parts) {
        body.set(part, filled);
        filled += part.length;
      }
      done(body);
    });
    // A body that breaks off is as good as none: the client repeats it.
    request.on('close', release);
  }

  #refuse(response: ServerResponse, status: number): void {
    this.#init.counters.refusedRequests++;
    response.writeHead(status, { Connection: 'close', 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' });
    response.end('Nothing here for you.\n');
  }
}

/** Sessions are found by a digest, so the time that a lookup takes tells nothing about how near a guessed id was. */
function keyOf(session: string): string {
  return createHash('sha256').update(session).digest('base64');
}
