import type { ServerResponse } from 'node:http';
import { type Clock, type EndpointAddress, PipevineError, type Timer } from '@pipevine/runtime';
import { LongPollConnection } from './long-poll-connection.ts';
import { encodeAnswer, HOLD_MS, type LongPollAnswer, MAX_BODY_BYTES } from './long-poll-wire.ts';

/** Requests with bytes up that wait until there is room for them. One is the client's, another may be a proxy's repetition. */
const MAX_WAITING_UPLOADS = 2;
/** What was written before a close has so long to be fetched. */
const CLOSE_LIMIT_MS = 30_000;

export interface LongPollSessionInit {
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly highWaterBytes: number;
  readonly maxWaitingBytes: number;
  /** A session of which nothing was heard for so long is over. */
  readonly sessionTimeoutMs: number;
  readonly clock: Clock;
  /** Called once, when the session takes no more part in the stream; it still answers. */
  readonly onOver: () => void;
}

interface WaitingUpload {
  readonly offset: number;
  readonly body: Uint8Array;
  readonly response: ServerResponse;
  readonly timer: Timer;
}

/** The server's side of one long-poll connection. */
export class LongPollSession {
  readonly connection: LongPollConnection;
  readonly #init: LongPollSessionInit;
  readonly #uploads: WaitingUpload[] = [];
  /** Bytes up that have arrived, in all. */
  #received = 0;
  #held: { readonly response: ServerResponse; readonly timer: Timer } | undefined;
  /** How the session ended; undefined while it has not. */
  #over: Pick<Partial<LongPollAnswer>, 'end' | 'reset'> | undefined;
  #lastHeardMs: number;
  #watch: Timer;
  #closeLimit: Timer | undefined;
  #isAnswering = false;

  constructor(init: LongPollSessionInit) {
    this.#init = init;
    this.#lastHeardMs = init.clock.monotonicMs();
    this.#watch = init.clock.setTimer(init.sessionTimeoutMs, () => this.#lookWhetherAlive());
    this.connection = new LongPollConnection({
      ...init,
      carrier: {
        onOutgoing: () => this.#onOutgoing(),
        onRoom: () => this.#takeWaitingUploads(),
        onAbort: () => this.#end({ reset: true }),
      },
    });
  }

  /** POST open: new or repeated. */
  open(response: ServerResponse): void {
    this.#heard();
    answer(response, { offset: 0, ...this.#over });
  }

  /** POST up: the body belongs at `offset`. Answered when there is room for more, so that a slow reader slows the sender. */
  up(offset: number, body: Uint8Array, response: ServerResponse): void {
    this.#heard();
    if (this.#over !== undefined || this.connection.hasRoom) {
      this.#take(offset, body);
      this.#answerUp(response);
    } else if (this.#uploads.length >= MAX_WAITING_UPLOADS) {
      answer(response, { busy: true, offset: this.#received });
    } else {
      const upload: WaitingUpload = {
        offset,
        body,
        response,
        timer: this.#init.clock.setTimer(HOLD_MS, () => {
          this.#forget(upload);
          this.#answerUp(response);
        }),
      };
      this.#uploads.push(upload);
      response.once('close', () => this.#forget(upload));
    }
  }

  /** GET down: the client has everything before `offset`. */
  down(offset: number, response: ServerResponse): void {
    this.#heard();
    if (this.#over !== undefined) {
      answer(response, { offset, ...this.#over });
      return;
    }
    if (!this.connection.acknowledge(offset)) {
      // A repetition of an earlier request, or nonsense: what it asks for is gone.
      answer(response, { offset: this.connection.outgoing.start });
      return;
    }
    // The client asks once at a time: the request that was held has lost its reader.
    this.#answerHeld();
    const timer = this.#init.clock.setTimer(HOLD_MS, () => this.#answerHeld());
    this.#held = { response, timer };
    response.once('close', () => {
      if (this.#held?.response !== response) return;
      timer.cancel();
      this.#held = undefined;
    });
    if (this.#hasNews) this.#answerHeld();
  }

  /** POST end: the client has sent `offset` bytes, which is all, or it has all that this side had. */
  end(offset: number, response: ServerResponse): void {
    this.#heard();
    if (this.#over === undefined && (offset === this.#received || this.connection.isClosing)) {
      this.#end({ end: true });
      this.connection.finish();
    }
    this.#answerUp(response);
  }

  /** POST reset. */
  reset(response: ServerResponse): void {
    if (this.#over === undefined) {
      this.#end({ reset: true });
      this.connection.finish(
        new PipevineError('closed', `${this.#init.remoteAddress} reset the connection. Dial again.`),
      );
    }
    this.#answerUp(response);
  }

  get #hasNews(): boolean {
    return this.connection.outgoing.length > 0 || this.connection.isClosing;
  }

  #heard(): void {
    this.#lastHeardMs = this.#init.clock.monotonicMs();
  }

  #take(offset: number, body: Uint8Array): void {
    // A gap means that a request was lost on the way; the answer says from where to repeat. Of a repetition nothing is left.
    if (this.#over !== undefined || offset > this.#received) return;
    const fresh = body.subarray(this.#received - offset);
    this.#received += fresh.length;
    this.connection.receive(fresh);
  }

  #answerUp(response: ServerResponse): void {
    answer(response, { offset: this.#received, ...this.#over });
  }

  #takeWaitingUploads(): void {
    while (this.#uploads.length > 0 && (this.connection.hasRoom || this.#over !== undefined)) {
      const upload = this.#uploads[0] as WaitingUpload; // There is one.
      this.#forget(upload);
      this.#take(upload.offset, upload.body);
      this.#answerUp(upload.response);
    }
  }

  #forget(upload: WaitingUpload): void {
    const index = this.#uploads.indexOf(upload);
    if (index >= 0) this.#uploads.splice(index, 1);
    upload.timer.cancel();
  }

  #onOutgoing(): void {
    if (this.connection.isClosing) {
      this.#closeLimit ??= this.#init.clock.setTimer(CLOSE_LIMIT_MS, () => this.#giveUpClosing());
    }
    if (this.#isAnswering || this.#held === undefined) return;
    this.#isAnswering = true;
    this.#init.clock.endOfTurn(() => {
      this.#isAnswering = false;
      if (this.#over === undefined && this.#hasNews) this.#answerHeld();
    });
  }

  #answerHeld(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    held.timer.cancel();
    const { outgoing, isClosing } = this.connection;
    const bytes = outgoing.read(MAX_BODY_BYTES);
    const isAll = isClosing && bytes.length === outgoing.length;
    this.#heard();
    answer(held.response, { offset: outgoing.start, bytes, end: isAll, ...this.#over });
  }

  #giveUpClosing(): void {
    if (this.#over !== undefined) return;
    const left = this.connection.outgoing.length;
    this.#end({ reset: true });
    this.connection.finish(
      left === 0
        ? undefined
        : new PipevineError('timeout', `${this.#init.remoteAddress} did not take what was written before the close.`),
    );
  }

  #lookWhetherAlive(): void {
    const { clock, sessionTimeoutMs, remoteAddress } = this.#init;
    const leftMs = this.#lastHeardMs + sessionTimeoutMs - clock.monotonicMs();
    // A request that is held is still open: that counts as a sign of life.
    if (leftMs > 0 || this.#held !== undefined) {
      this.#watch = clock.setTimer(Math.max(leftMs, sessionTimeoutMs / 4), () => this.#lookWhetherAlive());
      return;
    }
    this.#end({ reset: true });
    this.connection.finish(
      new PipevineError('timeout', `${remoteAddress} made no request for ${sessionTimeoutMs} ms. Dial again.`),
    );
  }

  #end(how: Pick<Partial<LongPollAnswer>, 'end' | 'reset'>): void {
    if (this.#over !== undefined) return;
    this.#over = how;
    this.#watch.cancel();
    this.#closeLimit?.cancel();
    this.#answerHeld();
    this.#takeWaitingUploads();
    this.#init.onOver();
  }
}

/** Sends an answer; none may be kept on the way. */
export function answer(response: ServerResponse, content: Partial<LongPollAnswer>, status = 200): void {
  if (response.headersSent || response.destroyed) return;
  const body = encodeAnswer(content);
  response.writeHead(status, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': body.length,
    'Cache-Control': 'no-store, no-transform',
    Pragma: 'no-cache',
  });
  response.end(body);
}
