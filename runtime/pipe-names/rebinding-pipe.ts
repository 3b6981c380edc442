import { abortable } from '../endpoint/abortable.ts';
import { jitteredBackoffMs } from '../endpoint/backoff.ts';
import { pause } from '../endpoint/pause.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeKind, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { BoundEnd } from './bound-end.ts';
import type { NamedPipe, NamedPipeNotice } from './named-pipes.ts';
import { MAX_REBIND_MS, REBIND_MS, SEND_TIMEOUT_MS } from './pipe-names-defaults.ts';

export interface RebindingPipeInit {
  readonly name: string;
  readonly keep: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly onNotice: (notice: NamedPipeNotice) => void;
  /** Finds who listens now, and binds; `former` is to be preferred. */
  bind(former: PeerId | undefined, onMessage: (message: Uint8Array) => void | Promise<void>): Promise<BoundEnd>;
}

/** A named pipe: one bound end after another. */
export class RebindingPipe implements NamedPipe {
  readonly name: string;
  readonly closed: Promise<PipevineError | undefined>;
  readonly #init: RebindingPipeInit;
  #end: BoundEnd;
  #lost = false;
  #again: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #error: PipevineError | undefined;
  #receive: (message: Uint8Array) => void | Promise<void> = () => {};
  #settle: (error: PipevineError | undefined) => void = () => {};
  readonly #abort = new AbortController();

  private constructor(init: RebindingPipeInit, end: BoundEnd) {
    this.name = init.name;
    this.#init = init;
    this.#end = end;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Rejects as `bind` does: a name that nobody ever had is no reason to wait. */
  static async open(init: RebindingPipeInit): Promise<NamedPipe> {
    const early: RebindingPipe[] = [];
    const end = await init.bind(undefined, (message) => early[0]?.onMessage(message));
    const pipe = new RebindingPipe(init, end);
    early.push(pipe);
    pipe.#bound(end);
    return pipe;
  }

  get kind(): PipeKind {
    return this.#end.kind;
  }

  get peer(): PeerId {
    return this.#end.peer;
  }

  onMessage(message: Uint8Array): void | Promise<void> {
    return this.#receive(message);
  }

  receive(onMessage: (message: Uint8Array) => void | Promise<void>): void {
    this.#receive = onMessage;
  }

  async send(message: Uint8Array, options: WaitOptions = {}): Promise<void> {
    const { clock } = this.#init;
    const untilMs = clock.monotonicMs() + (options.timeoutMs ?? SEND_TIMEOUT_MS);
    for (;;) {
      this.#check();
      const wait = { ...options, timeoutMs: Math.max(0, untilMs - clock.monotonicMs()) };
      if (this.#again !== undefined) await abortable(this.#again, clock, wait, `who listens under "${this.name}"`);
      else {
        const end = this.#end;
        try {
          return await end.send(message, wait);
        } catch (error) {
          // Of a pipe that broke: what was not queued goes to the next. A request may have been answered: it is not repeated.
          await Promise.resolve();
          if (end.kind === 'request' || !(this.#lost || end !== this.#end)) throw error;
        }
      }
    }
  }

  async flush(options: WaitOptions = {}): Promise<void> {
    this.#check();
    if (this.#again !== undefined) {
      await abortable(this.#again, this.#init.clock, { timeoutMs: SEND_TIMEOUT_MS, ...options }, 'the pipe');
    }
    await this.#end.flush(options);
  }

  close(options?: WaitOptions): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: WaitOptions | undefined): Promise<void> {
    this.#abort.abort();
    await this.#end.close(options);
    this.#settle(this.#error);
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#closing !== undefined) throw new PipevineError('closed', `The pipe "${this.name}" is closed.`);
  }

  #bound(end: BoundEnd): void {
    this.#end = end;
    this.#lost = false;
    this.#init.onNotice({ type: 'bound', peer: end.peer, kind: end.kind });
    void end.closed.then((error) => this.#onLost(end, error));
  }

  #onLost(end: BoundEnd, error: PipevineError | undefined): void {
    if (this.#closing !== undefined || this.#end !== end) return;
    this.#lost = true;
    const { keep, onNotice, name } = this.#init;
    onNotice({ type: 'interrupted', peer: end.peer, error, unacknowledgedBytes: end.bufferedBytes });
    if (keep && !isFinal(error)) {
      this.#again = this.#rebind().finally(() => {
        this.#again = undefined;
      });
      this.#again.catch(() => {});
      return;
    }
    this.#fail(error ?? new PipevineError('closed', `Who listened under "${name}" has closed the pipe.`));
  }

  /** Goes on until it is bound or closed. Rejects when nothing would help. */
  async #rebind(): Promise<void> {
    const { clock, random, bind } = this.#init;
    for (let failures = 0; ; failures++) {
      const pauseMs = jitteredBackoffMs(failures + 1, REBIND_MS, MAX_REBIND_MS, random.fraction());
      await pause(clock, pauseMs, this.#abort.signal);
      this.#check();
      try {
        const end = await bind(this.#end.peer, (message) => this.onMessage(message));
        if (this.#closing !== undefined) await end.close({ timeoutMs: 0 });
        this.#check();
        this.#bound(end);
        return;
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
        if (!isFinal(error)) continue;
        this.#fail(error);
        throw error;
      }
    }
  }

  #fail(error: PipevineError): void {
    this.#error ??= error;
    void this.close({ timeoutMs: 0 });
  }
}

/** No rights, no membership, or the end of this peer: another attempt comes to the same. */
function isFinal(error: PipevineError | undefined): boolean {
  return error !== undefined && ['refused', 'revoked', 'closed', 'invalid-argument'].includes(error.code);
}
