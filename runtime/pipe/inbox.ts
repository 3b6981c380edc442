import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_ACK_RANGES } from '../wire/wire-defaults.ts';
import { MessageAssembly } from './message-assembly.ts';
import { ACK_FRAMES, FRAME_COST_BYTES } from './pipe-defaults.ts';
import type { ReceiveBudget } from './receive-budget.ts';

export interface InboxInit {
  readonly windowBytes: number;
  /** Largest payload that is put together of fragments. */
  readonly maxPayloadBytes: number;
  /** One whole payload, in order, exactly once. `cost` is to be given to `consumed` when the application is done with it. */
  readonly deliver: (payload: Uint8Array, cost: number) => void;
}

interface EarlyFrame {
  readonly payload: Uint8Array;
  readonly more: boolean;
}

/** The receiving side of a reliable pipe: order, duplicates, fragments, and what the sender may still send. */
export class Inbox {
  readonly #init: InboxInit;
  readonly #assembly: MessageAssembly;
  readonly #early = new Map<number, EarlyFrame>();
  #earlyCost = 0;
  #next = 0;
  #receivedCost = 0;
  #consumedCost = 0;
  #assemblyCost = 0;
  #limit: number;
  /** What of `limit` is beyond the window and was taken from the budget. */
  #excess = 0;
  #budget: ReceiveBudget | undefined;
  #unacknowledgedFrames = 0;
  #urgent = false;
  #duplicates = 0;
  #intact = true;

  constructor(init: InboxInit) {
    this.#init = init;
    this.#limit = init.windowBytes;
    this.#assembly = new MessageAssembly(init.maxPayloadBytes);
  }

  /** First sequence number not yet received. */
  get next(): number {
    return this.#next;
  }

  /** What the sender was allowed last: a total of cost since the pipe began. */
  get limit(): number {
    return this.#limit;
  }

  /** Whether a payload that was refused can still be asked for again. */
  get isIntact(): boolean {
    return this.#intact;
  }

  /** Frames that came again. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** Cost of what was received and not yet consumed. */
  get unreadCost(): number {
    return this.#receivedCost - this.#consumedCost;
  }

  /**
   * One frame. Throws `protocol` when the sender broke the rules (on an ordered link a gap is such a breach), `too-large`
   * and `malformed`.
   */
  accept(sequence: number, payload: Uint8Array, more: boolean, ordered: boolean): void {
    if (sequence === this.#next) {
      this.#take(payload, more);
      if (this.#early.size > 0) this.#takeEarly();
      return;
    }
    if (sequence < this.#next) {
      this.#duplicates++;
      this.#urgent = true;
      return;
    }
    if (ordered) {
      throw new PipevineError('protocol', `Frame ${this.#next} was due, ${sequence} came: the link keeps order.`);
    }
    this.#keepEarly(sequence, payload, more);
  }

  /** The application is done with something that was delivered. */
  consumed(cost: number): void {
    this.#consumedCost += cost;
    if (this.#excess > 0) this.#settleExcess();
  }

  /** Whether an ACK should go now, soon, or need not go. */
  ackDue(): 'now' | 'soon' | 'none' {
    const growth = this.#grantable() - this.#limit;
    if (this.#urgent || this.#unacknowledgedFrames >= ACK_FRAMES || growth * 4 >= this.#init.windowBytes) return 'now';
    return this.#unacknowledgedFrames > 0 || growth > 0 ? 'soon' : 'none';
  }

  /** The limit to tell now. Throws `overloaded` when the budget does not allow the rest of a large message. */
  grant(): number {
    const limit = this.#grantable();
    if (limit > this.#limit) {
      const excess = Math.max(0, limit - this.#consumedCost - this.#init.windowBytes);
      if (excess > this.#excess) {
        if (this.#budget?.take(excess - this.#excess) === false) {
          throw new PipevineError(
            'overloaded',
            'Too many large messages come over this link at once; send them one by one.',
          );
        }
        this.#excess = excess;
      }
      this.#limit = limit;
    }
    this.#unacknowledgedFrames = 0;
    this.#urgent = false;
    return this.#limit;
  }

  /** Frames received beyond `next`, as ranges with both ends inclusive, ascending. */
  ranges(): (readonly [number, number])[] {
    if (this.#early.size === 0) return [];
    const ranges: [number, number][] = [];
    for (const sequence of [...this.#early.keys()].sort((a, b) => a - b)) {
      const last = ranges.at(-1);
      if (last !== undefined && last[1] === sequence - 1) last[1] = sequence;
      else if (ranges.length === MAX_ACK_RANGES) break;
      else ranges.push([sequence, sequence]);
    }
    return ranges;
  }

  /** The pipe goes on over another link: what came out of order is sent again, and promises count for that link. */
  moveTo(budget: ReceiveBudget): void {
    this.release();
    this.#budget = budget;
    budget.enter(this.#init.windowBytes, this.#excess);
    this.#early.clear();
    this.#earlyCost = 0;
  }

  /** Gives back all that was promised. */
  release(): void {
    this.#budget?.leave(this.#init.windowBytes, this.#excess);
    this.#budget = undefined;
  }

  #take(payload: Uint8Array, more: boolean): void {
    const cost = payload.length + FRAME_COST_BYTES;
    if (this.#receivedCost + cost > this.#limit) this.#refuseExcess();
    this.#receivedCost += cost;
    this.#next++;
    this.#unacknowledgedFrames++;
    if (!more && this.#assemblyCost === 0) return this.#deliverAlone(payload, cost);
    this.#assemblyCost += cost;
    this.#assembly.append(payload);
    if (more) return;
    const whole = this.#assemblyCost;
    this.#assemblyCost = 0;
    // Should it be refused: fragments of it are acknowledged, so the sender does not have it any more.
    this.#intact = false;
    this.#init.deliver(this.#assembly.take(), whole);
    this.#intact = true;
  }

  /** A payload that is refused counts as not received: over another link it may come as it was sent. */
  #deliverAlone(payload: Uint8Array, cost: number): void {
    try {
      this.#init.deliver(payload, cost);
    } catch (error) {
      this.#receivedCost -= cost;
      this.#next--;
      this.#unacknowledgedFrames--;
      throw error;
    }
  }

  #takeEarly(): void {
    for (;;) {
      const frame = this.#early.get(this.#next);
      if (frame === undefined) return;
      this.#early.delete(this.#next);
      this.#earlyCost -= frame.payload.length + FRAME_COST_BYTES;
      this.#take(frame.payload, frame.more);
    }
  }

  #keepEarly(sequence: number, payload: Uint8Array, more: boolean): void {
    this.#urgent = true;
    if (this.#early.has(sequence)) {
      this.#duplicates++;
      return;
    }
    this.#earlyCost += payload.length + FRAME_COST_BYTES;
    if (this.#receivedCost + this.#earlyCost > this.#limit) this.#refuseExcess();
    // A small payload must not keep the whole record alive that brought it.
    this.#early.set(sequence, { payload: payload.slice(), more });
  }

  /** What is being put together gets credit of its own, or a message larger than the window would never end. */
  #grantable(): number {
    return Math.max(this.#limit, this.#consumedCost + this.#init.windowBytes + this.#assemblyCost);
  }

  #settleExcess(): void {
    const excess = Math.max(0, this.#limit - this.#consumedCost - this.#init.windowBytes);
    if (excess >= this.#excess) return;
    this.#budget?.give(this.#excess - excess);
    this.#excess = excess;
  }

  #refuseExcess(): never {
    throw new PipevineError('protocol', `The peer sent more than the ${this.#limit} bytes that it was granted.`);
  }
}
