import { PipevineError } from '../error/pipevine-error.ts';
import type { Clock } from '../platform/clock.ts';
import type { BulkWindow } from './bulk-window.ts';
import { DatagramSender } from './datagram-sender.ts';
import type { Acknowledgement, FrameCarrier, FrameSender, PumpResult } from './frame-carrier.ts';
import { OrderedSender } from './ordered-sender.ts';
import { SendBuffer } from './send-buffer.ts';

export interface OutboxInit {
  readonly clock: Clock;
  /** What is kept at most, unless one large payload alone is more. */
  readonly bufferBytes: number;
  /** Largest payload of a frame until a link says otherwise. */
  readonly maxFrameBytes: number;
}

/** The sending side of a reliable pipe: keeps every frame until it is acknowledged, over whatever link. */
export class Outbox {
  readonly #init: OutboxInit;
  readonly #buffer = new SendBuffer();
  readonly #credit = { limit: 0 };
  #maxFrameBytes: number;
  #carrier: FrameCarrier | undefined;
  #window: BulkWindow | undefined;
  #sender: FrameSender | undefined;
  /** The other side may have frames before this one: what their numbers mean does not change any more. */
  #sentTo = 0;

  constructor(init: OutboxInit) {
    this.#init = init;
    this.#maxFrameBytes = init.maxFrameBytes;
  }

  /** Cost of what is not acknowledged. */
  get keptCost(): number {
    return this.#buffer.keptCost;
  }

  get isEmpty(): boolean {
    return this.#buffer.keptCost === 0;
  }

  /** Whether frames are on their way that the other side has not acknowledged. */
  get isUnderWay(): boolean {
    return this.#sender !== undefined && this.#sender.sentTo > this.#buffer.first;
  }

  /** Largest payload of a frame that is queued now: what the link takes, or less for a bulk pipe on a slow path. */
  get frameBytes(): number {
    const window = this.#window;
    return window === undefined ? this.#maxFrameBytes : Math.min(this.#maxFrameBytes, window.frameBytes);
  }

  /**
   * Whether what is under way fits into frames of so many bytes. If not, going on from `told` would cut it anew, and so
   * change what its numbers mean, while the other side may have got more of it than it said.
   */
  fits(told: number, maxFrameBytes: number): boolean {
    if (maxFrameBytes >= this.#maxFrameBytes) return true;
    const sentTo = Math.max(this.#sentTo, this.#sender?.sentTo ?? 0);
    for (let sequence = Math.max(told, this.#buffer.first); sequence < sentTo; sequence++) {
      if (this.#buffer.payload(sequence).length > maxFrameBytes) return false;
    }
    return true;
  }

  /** Whether something of so much cost may be queued: when it fits, or when half of the buffer is free. */
  hasRoom(cost: number): boolean {
    return this.#buffer.keptCost + cost <= this.#init.bufferBytes || this.isHalfEmpty(0);
  }

  /** Whether half of the buffer is free, apart from so many bytes that will come: then anything may be queued. */
  isHalfEmpty(pendingBytes: number): boolean {
    return (this.#buffer.keptCost + pendingBytes) * 2 <= this.#init.bufferBytes;
  }

  /** Queues a payload, copied, and sends what may go at once. */
  push(payload: Uint8Array): void {
    const first = this.#buffer.next;
    this.#buffer.append(payload, this.frameBytes);
    this.#sender?.queued(payload, first);
  }

  /** The same for a payload that nobody else changes from now on. */
  pushOwned(payload: Uint8Array): void {
    const first = this.#buffer.next;
    this.#buffer.appendOwned(payload, this.frameBytes);
    this.#sender?.queued(payload, first);
  }

  /**
   * Goes on over a link, from `next`, the first frame that the other side has not got. Throws `protocol` when it cannot
   * be so. `overtaken`: acknowledgements are proven, so one that says more than `next` has overtaken it.
   */
  bind(carrier: FrameCarrier, told: number, limit: number, overtaken: boolean): void {
    this.unbind();
    const next = overtaken ? Math.max(told, this.#buffer.first) : told;
    if (next < this.#buffer.first || next > this.#sentTo) {
      throw new PipevineError(
        'protocol',
        `The other side says it has all before frame ${next}; it had all before ${this.#buffer.first}, and ${this.#sentTo} were sent.`,
      );
    }
    this.#buffer.release(next);
    this.#credit.limit = Math.max(this.#credit.limit, limit);
    if (!this.fits(next, carrier.maxPayloadBytes)) this.#sentTo = next;
    if (carrier.maxPayloadBytes < this.#maxFrameBytes) this.#buffer.resplit(carrier.maxPayloadBytes);
    this.#maxFrameBytes = carrier.maxPayloadBytes;
    this.#carrier = carrier;
    this.#window = carrier.window;
    this.#sender = carrier.ordered
      ? new OrderedSender(this.#buffer, carrier, this.#credit)
      : new DatagramSender(this.#buffer, carrier, this.#credit, this.#init.clock);
    if (this.#sender.pump(Infinity) === 'link') carrier.wantTurn();
  }

  unbind(): void {
    if (this.#sender === undefined) return;
    const sender = this.#sender;
    this.#sentTo = Math.max(this.#sentTo, sender.sentTo);
    this.#sender = undefined;
    this.#carrier = undefined;
    this.#window = undefined;
    sender.stop();
  }

  /** The carrier's window may have changed. */
  pump(turnBytes: number): PumpResult {
    this.#window = this.#carrier?.window;
    return this.#sender?.pump(turnBytes) ?? 'idle';
  }

  /** Throws `protocol` when frames are acknowledged that were never sent. */
  acknowledge(acknowledgement: Acknowledgement, limit: number): void {
    const sender = this.#sender;
    if (sender === undefined) return;
    const last = acknowledgement.ranges.at(-1)?.[1] ?? acknowledgement.next - 1;
    const sentTo = Math.max(this.#sentTo, sender.sentTo);
    if (last >= sentTo) {
      throw new PipevineError('protocol', `Frame ${last} was acknowledged; only ${sentTo} were sent.`);
    }
    this.#buffer.release(acknowledgement.next);
    if (limit > this.#credit.limit) this.#credit.limit = limit;
    sender.acknowledged(acknowledgement);
  }
}
