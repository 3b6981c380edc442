import {
  type Clock,
  type Connection,
  type ConnectionHandler,
  type EndpointAddress,
  PipevineError,
  type Timer,
} from '@pipevine/runtime';
import type { BrokerConnection, Subscriber } from './broker-connection.ts';
import type { MqttCounters, MqttLimits } from './mqtt-options.ts';
import { ReceiveWindow } from './receive-window.ts';
import { SendWindow } from './send-window.ts';
import { decodeFrame, encodeFrame, type FrameKind, type SessionFrame } from './session-frame.ts';
import type { FrameTagger } from './session-keys.ts';

/** A closing session lasts at most so long, however often the other side answers that it does not read. */
const CLOSE_LIMIT_MS = 30_000;
/** An ended session answers for so long what the other side sends again. */
const AFTERLIFE_MS = 3000;
const NOTHING = new Uint8Array(0);

export interface MqttSessionInit {
  readonly broker: BrokerConnection;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  /** Topic that the other side subscribes. */
  readonly sendTopic: string;
  readonly sendTagger: FrameTagger;
  readonly receiveTagger: FrameTagger;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly counters: MqttCounters;
  /** Whether this side asks at once for an answer: the dialler, whose WELCOME is confirmed by that. */
  readonly confirms: boolean;
  /** The session no longer counts. */
  readonly onEnded: () => void;
  /** No frame is answered any more: the topic and the session's id are free. */
  readonly release: () => void;
}

/**
 * A stream of bytes over two topics of a broker. Open, it sends what the windows allow, and asks again when an answer is
 * overdue. Closing, it sends the rest and FIN, and is over with the other side's FIN. Ended, it answers for a while.
 */
export class MqttSession implements Connection, Subscriber {
  readonly kind = 'stream';
  readonly maxPacketBytes = Number.POSITIVE_INFINITY;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly #init: MqttSessionInit;
  readonly #sending: SendWindow;
  readonly #receiving: ReceiveWindow;
  #state: 'open' | 'closing' | 'ended' = 'open';
  #handler: ConnectionHandler | undefined;
  #paused = false;
  #delivering = false;
  /** How it ended, when the owner has not been told yet. */
  #end: { readonly error: PipevineError | undefined } | undefined;
  #told = false;
  #finSent = false;
  /** What an ended session says to whoever has not understood. */
  #lastWord: 'fin' | 'reset' = 'reset';
  #gapSaidAt = -1;
  #finReceived = false;
  #answerDue = false;
  #owed: boolean;
  #heardMs: number;
  #timer: Timer | undefined;
  #closeTimer: Timer | undefined;

  constructor(init: MqttSessionInit) {
    this.#init = init;
    this.localAddress = init.localAddress;
    this.remoteAddress = init.remoteAddress;
    const { frameBytes, sendBytes, receiveBytes } = init.limits;
    this.#sending = new SendWindow({ frameBytes, highWaterBytes: sendBytes });
    this.#receiving = new ReceiveWindow(receiveBytes);
    this.#heardMs = init.clock.monotonicMs();
    this.#owed = init.confirms;
    if (init.confirms) this.#send('probe', this.#sending.next, NOTHING);
    this.#setTimer();
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    queueMicrotask(() => this.#deliver());
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open') return true;
    for (const chunk of chunks) this.#sending.append(chunk);
    // What an idle session did not hear is nobody's debt.
    if (this.#timer === undefined) this.#heardMs = this.#init.clock.monotonicMs();
    this.#pump();
    return !this.#sending.full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(() => this.#deliver());
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#receiving.discard();
    if (this.#finReceived) {
      this.#finish(undefined);
      return;
    }
    this.#owed = true;
    this.#heardMs = this.#init.clock.monotonicMs();
    this.#closeTimer = this.#init.clock.setTimer(CLOSE_LIMIT_MS, () => this.#giveUpClosing());
    this.#pump();
    this.#setTimer();
  }

  abort(): void {
    if (this.#state === 'ended') return;
    this.#receiving.discard();
    this.#lastWord = 'reset';
    this.#send('reset', this.#sending.next, NOTHING);
    this.#finish(undefined);
  }

  onMessage(payload: Buffer): void {
    const { counters, receiveTagger, clock } = this.#init;
    const frame = decodeFrame(payload, receiveTagger);
    if (frame === undefined) {
      counters.forged++;
      return;
    }
    if (this.#state === 'ended') {
      // Only what asks is answered: two ended sessions must not talk for ever.
      if (frame.kind === 'probe' || frame.kind === 'data') this.#send(this.#lastWord, this.#sending.next, NOTHING);
      return;
    }
    const nowMs = clock.monotonicMs();
    this.#heardMs = nowMs;
    this.#owed = this.#state === 'closing';
    const { progress, writable } = this.#sending.acknowledge(frame.received, frame.limit, nowMs);
    this.#take(frame);
    if (this.#isEnded()) return;
    this.#pump();
    if (progress || !this.#sending.waiting) this.#setTimer();
    if (writable && this.#state === 'open') this.#handler?.onWritable();
    this.#deliver();
  }

  onReady(resubscribed: boolean): void {
    if (this.#state === 'ended') return;
    if (resubscribed) {
      this.#heardMs = this.#init.clock.monotonicMs();
      // Either side may have sent to a topic that nobody heard.
      this.#send('gap', this.#sending.next, NOTHING);
      this.#askAgain();
      this.#setTimer();
    } else {
      this.#pump();
    }
  }

  onLost(error: PipevineError): void {
    if (this.#state === 'ended') return;
    this.#finish(
      new PipevineError('unreachable', `The session with ${this.remoteAddress} ended: ${error.message}`, {
        cause: error,
      }),
    );
  }

  #isEnded(): boolean {
    return this.#state === 'ended';
  }

  #take(frame: SessionFrame): void {
    switch (frame.kind) {
      case 'data':
        this.#takeData(frame);
        return;
      case 'ack':
        return;
      case 'probe':
        this.#answer();
        return;
      case 'gap':
        this.#goBack(this.#sending.goBack());
        return;
      case 'fin':
        if (this.#state === 'closing') {
          this.#lastWord = 'fin';
          if (!this.#finSent) this.#send('fin', this.#sending.next, NOTHING);
          this.#finish(undefined);
        } else if (frame.offset > this.#receiving.received) {
          this.#sayGap();
        } else {
          this.#lastWord = 'fin';
          this.#finReceived = true;
          this.#send('fin', this.#sending.next, NOTHING);
        }
        return;
      case 'reset':
        this.#finish(
          this.#state === 'closing' && !this.#sending.waiting
            ? undefined
            : new PipevineError('closed', `${this.remoteAddress} reset the connection. Dial again.`),
        );
        return;
    }
  }

  #takeData({ offset, bytes }: SessionFrame): void {
    const { counters } = this.#init;
    const arrival = this.#receiving.arrive(offset, bytes);
    if (arrival === 'taken') {
      if (this.#state === 'closing') this.#receiving.discard();
      this.#answer();
    } else if (arrival === 'duplicate') {
      counters.duplicates++;
      this.#answer();
    } else if (arrival === 'gap') {
      this.#sayGap();
    } else {
      counters.beyondWindow++;
      this.#answer();
    }
  }

  /** Once for each hole: everything behind it comes again, and one that is not heard is asked for when an answer is overdue. */
  #sayGap(): void {
    this.#init.counters.gaps++;
    if (this.#gapSaidAt === this.#receiving.received) return;
    this.#gapSaidAt = this.#receiving.received;
    this.#send('gap', this.#sending.next, NOTHING);
  }

  /** At the end of the turn, unless something is sent before, which says the same. */
  #answer(): void {
    if (this.#answerDue) return;
    this.#answerDue = true;
    this.#init.clock.endOfTurn(() => {
      if (this.#answerDue && this.#state !== 'ended') this.#send('ack', this.#sending.next, NOTHING);
    });
  }

  #goBack(happened: boolean): void {
    if (!happened) return;
    this.#finSent = false;
    this.#init.counters.resent++;
  }

  /** Sends what may be sent now. */
  #pump(): void {
    const { broker, clock } = this.#init;
    const wasIdle = this.#timer === undefined;
    while (broker.writable) {
      const run = this.#sending.take(clock.monotonicMs());
      if (run === undefined) break;
      this.#send('data', run.offset, run.bytes);
    }
    if (this.#state === 'closing' && !this.#finSent && broker.writable && this.#sending.next === this.#sending.end) {
      this.#finSent = true;
      this.#send('fin', this.#sending.end, NOTHING);
    }
    if (wasIdle) this.#setTimer();
  }

  #send(kind: FrameKind, offset: number, bytes: Uint8Array): void {
    const { broker, sendTopic, sendTagger } = this.#init;
    this.#answerDue = false;
    const frame = { kind, offset, received: this.#receiving.received, limit: this.#receiving.grant(), bytes };
    broker.publish(sendTopic, encodeFrame(frame, sendTagger));
  }

  /** Runs while the other side owes something. */
  #setTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#state === 'ended' || !(this.#sending.waiting || this.#owed)) return;
    this.#timer = this.#init.clock.setTimer(this.#sending.rtoMs, () => this.#overdue());
  }

  #overdue(): void {
    const { limits, clock } = this.#init;
    this.#timer = undefined;
    const silentMs = clock.monotonicMs() - this.#heardMs;
    if (this.#state === 'closing' && silentMs >= limits.closeMs) {
      this.#giveUpClosing();
      return;
    }
    if (silentMs >= limits.silenceMs) {
      this.#send('reset', this.#sending.next, NOTHING);
      this.#finish(
        new PipevineError(
          'timeout',
          `${this.remoteAddress} said nothing for ${Math.round(silentMs / 1000)} s. Check that the peer runs and reaches the broker.`,
        ),
      );
      return;
    }
    this.#askAgain();
    this.#setTimer();
  }

  #askAgain(): void {
    if (!this.#init.broker.writable || !(this.#sending.waiting || this.#owed)) return;
    this.#goBack(this.#sending.expire());
    this.#finSent = false;
    // Before the data: what is sent again may be held up by a window that has opened meanwhile.
    this.#send('probe', this.#sending.next, NOTHING);
    this.#pump();
  }

  #giveUpClosing(): void {
    this.#send('reset', this.#sending.next, NOTHING);
    this.#finish(
      this.#sending.waiting
        ? new PipevineError('timeout', `${this.remoteAddress} did not take what was written before the close.`)
        : undefined,
    );
  }

  #deliver(): void {
    if (this.#delivering || this.#handler === undefined || this.#told) return;
    this.#delivering = true;
    try {
      while (!this.#paused && this.#state !== 'closing' && !(this.#state === 'ended' && !this.#receiving.hasWaiting)) {
        const bytes = this.#receiving.shift();
        if (bytes === undefined) break;
        this.#handler.onBytes(bytes);
      }
    } finally {
      this.#delivering = false;
    }
    if (this.#state === 'open' && this.#finReceived && !this.#receiving.hasWaiting) this.#finish(undefined);
    if (this.#state === 'open' && this.#receiving.wantsToGrant) this.#answer();
    this.#tell();
  }

  #finish(error: PipevineError | undefined): void {
    if (this.#state === 'ended') return;
    const { clock, onEnded, release } = this.#init;
    this.#state = 'ended';
    this.#end = { error };
    this.#timer?.cancel();
    this.#closeTimer?.cancel();
    this.#receiving.discard();
    onEnded();
    clock.setTimer(AFTERLIFE_MS, release);
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    if (this.#end === undefined || this.#told || this.#handler === undefined || this.#delivering) return;
    this.#told = true;
    this.#handler.onClosed(this.#end.error);
  }
}
