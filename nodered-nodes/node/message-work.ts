import { PipevineError } from '@pipevine/runtime';
import type { OfflinePolicy } from '../peer/overlay-session.ts';
import { isUndelivered, pipevineFailure } from './pipevine-failure.ts';
import type { NodeMessageInFlow } from './red.ts';

/** Messages in work at a time in one node. */
export const MAX_IN_WORK = 64;
/** Messages that wait in one node for those; a loop in a function node sends that many at once. */
export const MAX_WAITING = 16_384;
/** Between attempts to deliver what waits. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

export type Send = (msg: Record<string, unknown> | readonly (Record<string, unknown> | null)[]) => void;

interface Job {
  readonly number: number;
  readonly msg: NodeMessageInFlow;
  readonly send: Send;
  readonly done: (error?: Error) => void;
}

export interface MessageWorkCounters {
  readonly delivered: number;
  readonly dropped: number;
  readonly refused: number;
  readonly waiting: number;
  /** Whether the last one could not be delivered. */
  readonly undelivered: boolean;
}

export interface MessageWorkInit {
  handle(msg: NodeMessageInFlow, send: Send, signal: AbortSignal): Promise<void>;
  readonly signal: AbortSignal;
  /** Messages at a time; default MAX_IN_WORK. */
  readonly inWork?: number;
  /** For what cannot be delivered. Absent: the error goes to a catch node. */
  readonly offline?: OfflinePolicy;
  /** Why nothing can be delivered at all now. Asked before each message. */
  blocked?(): PipevineError | undefined;
  onDelivered?(): void;
  onFailed?(error: PipevineError): void;
  /** More or fewer wait, or one was dropped. */
  onCount?(counters: MessageWorkCounters): void;
}

/**
 * The messages of one node: begun in order, so many at a time; more wait, and beyond that they are refused with `overloaded`.
 * What cannot be delivered meets the offline policy. `done` is called once for each, whatever happens.
 */
export class MessageWork {
  readonly #init: MessageWorkInit;
  readonly #waiting: Job[] = [];
  #inWork = 0;
  #next = 0;
  #delivered = 0;
  #dropped = 0;
  #refused = 0;
  /** Attempts in vain since the last delivery. While there are any, one message at a time is tried. */
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  /** Whether the counters were told while some waited. */
  #backlog = false;
  #undelivered = false;
  #closed = false;

  constructor(init: MessageWorkInit) {
    this.#init = init;
  }

  get counters(): MessageWorkCounters {
    return {
      delivered: this.#delivered,
      dropped: this.#dropped,
      refused: this.#refused,
      waiting: this.#waiting.length,
      undelivered: this.#undelivered,
    };
  }

  take(msg: NodeMessageInFlow, send: Send, done: (error?: Error) => void): void {
    const { offline } = this.#init;
    const job: Job = { number: this.#next++, msg, send, done };
    const limit = this.#failures > 0 && offline?.policy === 'queue' ? offline.limit : MAX_WAITING;
    if (this.#waiting.length >= limit) {
      this.#refused++;
      const message = `${this.#waiting.length} messages wait here already; send fewer, or let more wait in the peer's settings.`;
      this.#fail(job, new PipevineError('overloaded', message));
      return;
    }
    this.#waiting.push(job);
    this.#pump();
  }

  /** Something has changed for the better, it seems: what waits is tried at once. */
  wake(): void {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#pump();
  }

  /** What waits is given up. Returns how many those were. */
  close(): number {
    this.#closed = true;
    clearTimeout(this.#retry);
    const left = this.#waiting.splice(0);
    for (const { done } of left) done();
    return left.length;
  }

  #pump(): void {
    const limit = this.#failures > 0 ? 1 : (this.#init.inWork ?? MAX_IN_WORK);
    while (!this.#closed && this.#retry === undefined && this.#inWork < limit) {
      const job = this.#waiting.shift();
      if (job === undefined) break;
      this.#inWork++;
      void this.#run(job).then(() => {
        this.#inWork--;
        this.#pump();
      });
    }
  }

  async #run(job: Job): Promise<void> {
    const { handle, signal, blocked, onDelivered } = this.#init;
    try {
      const reason = blocked?.();
      if (reason !== undefined) throw reason;
      await handle(job.msg, job.send, signal);
    } catch (error) {
      this.#failed(job, pipevineFailure(error));
      return;
    }
    this.#delivered++;
    const hadFailed = this.#undelivered;
    this.#undelivered = false;
    this.#failures = 0;
    job.done();
    onDelivered?.();
    if (hadFailed || (this.#backlog && this.#waiting.length === 0)) this.#count();
    if (this.#waiting.length === 0) this.#backlog = false;
  }

  #failed(job: Job, error: PipevineError): void {
    const { offline } = this.#init;
    if (this.#closed) {
      job.done();
      return;
    }
    if (offline === undefined || offline.policy === 'error' || !isUndelivered(error)) {
      this.#fail(job, error);
      return;
    }
    this.#undelivered = true;
    if (offline.policy === 'drop') {
      this.#dropped++;
      job.done();
      this.#count();
      return;
    }
    const at = this.#waiting.findIndex(({ number }) => number > job.number);
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, job);
    this.#arm();
    this.#count();
  }

  #arm(): void {
    if (this.#retry !== undefined) return;
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, delayMs);
  }

  #fail(job: Job, error: PipevineError): void {
    this.#init.onFailed?.(error);
    job.done(error);
  }

  #count(): void {
    this.#backlog = this.#waiting.length > 0;
    this.#init.onCount?.(this.counters);
  }
}
