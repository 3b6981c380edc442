import { DONE, reasonForWire } from '../link/wire-error.ts';
import type { PumpResult } from '../pipe/frame-carrier.ts';
import type { ChannelFrame, ChannelUser, LinkPort } from '../pipe/link-port.ts';
import { REPEAT_FIRST_MS, REPEAT_MAX_MS, UNBIND_REPEATS } from '../pipe/pipe-defaults.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import {
  type AckFrame,
  type BindFrame,
  type BoundFrame,
  type ConfirmFrame,
  type ControlFrame,
  FrameType,
} from '../wire/frame.ts';
import type { ByteBudget } from './byte-budget.ts';
import { QUEUED_FRAME_COST_BYTES } from './relay-defaults.ts';

/** What comes over one side of a forwarded pipe. */
export interface RelayChannelSink {
  onData(payload: Uint8Array, sequence: number | undefined, more: boolean): void;
  onFrame(frame: AckFrame | BoundFrame | ConfirmFrame): void;
  onBindAgain(frame: BindFrame): void;
  /** The neighbour has ended it. */
  onEnded(code: string, reason: string): void;
  /** The channel is free: nothing comes or goes any more. */
  onOver(): void;
}

type Queued =
  | { readonly frame: ControlFrame; readonly cost: number }
  | {
      readonly payload: Uint8Array;
      readonly sequence: number | undefined;
      readonly more: boolean;
      readonly cost: number;
    };

/** `ending`: UNBIND was said, and its answer is awaited. */
type Phase = 'open' | 'ending' | 'over';

/**
 * One side of a forwarded pipe: a channel on the link to one neighbour. What the link has no room for waits in a queue of
 * this pipe alone, takes its turns with all other channels of the link, and is dropped beyond the budget: the pipe's ends
 * send again, and slow down.
 */
export class RelayChannel implements ChannelUser {
  waiting = false;
  readonly port: LinkPort;
  /** On which this relay receives. */
  readonly channel: number;
  readonly #clock: Clock;
  readonly #sink: RelayChannelSink;
  readonly #budget: ByteBudget;
  #remote: number | undefined;
  /** Whether the neighbour knows `channel`, and so will answer UNBIND. */
  #disclosed: boolean;
  #queue: Queued[] = [];
  #phase: Phase = 'open';
  #repeat: Timer | undefined;
  #dropped = 0;

  /** Takes a channel of the port, which must not be full. `remote`: the channel of a neighbour that has sent BIND. */
  constructor(port: LinkPort, clock: Clock, budget: ByteBudget, sink: RelayChannelSink, remote: number | undefined) {
    this.port = port;
    this.#clock = clock;
    this.#budget = budget;
    this.#sink = sink;
    this.#remote = remote;
    this.#disclosed = remote === undefined;
    this.channel = port.channels.add(this);
    if (remote !== undefined) port.addAccepted(remote, this);
  }

  /** On which the neighbour receives; undefined before it has answered BIND. */
  get remote(): number | undefined {
    return this.#remote;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Frames that were dropped for want of room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Bytes that wait. */
  get queuedBytes(): number {
    return this.#budget.used;
  }

  /** Sends BIND, again and again where it may get lost, until `bindTo`. */
  bind(frame: BindFrame): void {
    this.#sendRepeatedly({ ...frame, channel: this.channel }, Infinity);
  }

  /** The neighbour has answered BIND. */
  bindTo(remote: number): void {
    this.#repeat?.cancel();
    this.#remote = remote;
  }

  /** Answers BIND. */
  bound(frame: Omit<BoundFrame, 'type' | 'channel' | 'ownChannel'>): void {
    if (this.#phase !== 'open' || this.#remote === undefined) return;
    this.#disclosed = true;
    const { next, limit, credential, session } = frame;
    const ownChannel = this.channel;
    this.port.send({ type: FrameType.bound, channel: this.#remote, ownChannel, next, limit, credential, session });
  }

  sendData(payload: Uint8Array, sequence: number | undefined, more: boolean): void {
    if (this.#phase !== 'open' || this.#remote === undefined) return;
    const { link } = this.port;
    if (payload.length > link.maxPayloadBytes) {
      this.#dropped++;
      return;
    }
    if (!this.port.blocked && this.#queue.length === 0) {
      if (!link.queueData(this.#remote, payload, sequence, more)) this.port.blocked = true;
      return;
    }
    // A small payload that waits must not keep the record alive that brought it.
    const kept = payload.length * 2 < payload.buffer.byteLength ? payload.slice() : payload;
    this.#enqueue({ payload: kept, sequence, more, cost: payload.length + QUEUED_FRAME_COST_BYTES });
  }

  /** ACK or CONFIRM for the neighbour. */
  sendFrame(frame: AckFrame | ConfirmFrame): void {
    if (this.#phase !== 'open' || this.#remote === undefined) return;
    const own = { ...frame, channel: this.#remote };
    if (!this.port.blocked && this.#queue.length === 0) return this.port.send(own);
    const bytes = frame.type === FrameType.confirm ? frame.session.length : frame.ranges.length * 18;
    this.#enqueue({ frame: own, cost: bytes + QUEUED_FRAME_COST_BYTES });
  }

  /** Ends it at this side; the neighbour is told. */
  end(code: string, reason: string): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'ending';
    this.#repeat?.cancel();
    this.#clear();
    this.#sayUnbind(code, reason);
    if (this.port.closed || !this.#disclosed) this.#over();
  }

  onData(payload: Uint8Array, sequence: number | undefined, more: boolean): void {
    if (this.#phase === 'open') this.#sink.onData(payload, sequence, more);
  }

  onFrame(frame: ChannelFrame): void {
    if (frame.type === FrameType.unbind) {
      const wasOpen = this.#phase === 'open';
      if (wasOpen && this.#remote !== undefined && this.#disclosed) this.#answerUnbind(this.#remote);
      this.#over();
      if (wasOpen) this.#sink.onEnded(frame.code, frame.reason);
    } else if (this.#phase === 'open') {
      this.#sink.onFrame(frame);
    } else if (frame.type === FrameType.bound && this.#remote === undefined) {
      // An answer that nobody waits for any more: now it is known on which channel to say so.
      this.#remote = frame.ownChannel;
      this.#sayUnbind('aborted', 'The binder did not wait any longer.');
    }
  }

  bindAgain(frame: BindFrame): void {
    if (this.#phase === 'open') this.#sink.onBindAgain(frame);
  }

  onLinkClosed(): void {
    const wasOpen = this.#phase === 'open';
    this.#over();
    if (wasOpen) this.#sink.onEnded('unreachable', 'A link on the way went down.');
  }

  pump(turnBytes: number): PumpResult {
    const { link } = this.port;
    let left = turnBytes;
    let sent = 0;
    while (sent < this.#queue.length && this.#remote !== undefined) {
      if (this.port.blocked || left <= 0) break;
      const item = this.#queue[sent++];
      if (item === undefined) break;
      left -= item.cost;
      this.#budget.give(item.cost);
      if ('frame' in item) this.port.send(item.frame);
      else if (!link.queueData(this.#remote, item.payload, item.sequence, item.more)) this.port.blocked = true;
    }
    this.#queue.splice(0, sent);
    if (this.#queue.length === 0) return 'idle';
    return this.port.blocked ? 'link' : 'turn';
  }

  endRecord(): boolean {
    return false;
  }

  acknowledge(): void {}

  #enqueue(item: Queued): void {
    if (!this.#budget.take(item.cost)) {
      this.#dropped++;
      return;
    }
    this.#queue.push(item);
    this.port.wantTurn(this);
  }

  #clear(): void {
    for (const { cost } of this.#queue.splice(0)) this.#budget.give(cost);
  }

  #answerUnbind(channel: number): void {
    this.port.send({ type: FrameType.unbind, channel, code: DONE, reason: '' });
  }

  #sayUnbind(code: string, reason: string): void {
    if (this.#remote === undefined) return;
    const frame = { type: FrameType.unbind, channel: this.#remote, code, reason: reasonForWire(reason) } as const;
    this.#sendRepeatedly(frame, UNBIND_REPEATS);
  }

  #sendRepeatedly(frame: ControlFrame, times: number): void {
    this.#repeat?.cancel();
    this.port.send(frame);
    if (this.port.link.ordered) return;
    const again = (delayMs: number, left: number): void => {
      this.#repeat = this.#clock.setTimer(delayMs, () => {
        if (this.port.closed) return;
        if (left <= 0) return this.#over();
        this.port.send(frame);
        again(Math.min(2 * delayMs, REPEAT_MAX_MS), left - 1);
      });
    };
    again(REPEAT_FIRST_MS, times);
  }

  #over(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#repeat?.cancel();
    this.#clear();
    this.port.channels.remove(this.channel, this);
    if (this.#remote !== undefined) this.port.removeAccepted(this.#remote, this);
    this.#sink.onOver();
  }
}
