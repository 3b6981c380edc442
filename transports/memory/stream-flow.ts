import { PipevineError, type Timer } from '@pipevine/runtime';
import type { MemoryNetwork, StalledFlow } from './memory-network.ts';

type Segment =
  | { readonly kind: 'data'; readonly dueMs: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end' | 'reset'; readonly dueMs: number };

/** What the flow needs to know of the side it ends at. */
export interface FlowReceiver {
  readonly hostName: string;
  /** `gone`: the machine lost power and nothing answers; `rebooted`: it runs again and knows nothing of the stream. */
  readonly flowState: 'ready' | 'waiting' | 'gone' | 'rebooted';
  receiveBytes(bytes: Uint8Array): void;
  receiveEnd(): void;
  receiveReset(): void;
}

export interface FlowSender {
  readonly hostName: string;
  /** Bytes have left the flow. */
  drained(): void;
  /** The other side took the end of the stream. */
  endDelivered(): void;
  failed(error: PipevineError): void;
}

/** One direction of a memory stream: segments in order, each with the time when it arrives. */
export class StreamFlow implements StalledFlow {
  readonly #network: MemoryNetwork;
  readonly #sender: FlowSender;
  readonly #receiver: FlowReceiver;
  #segments: Segment[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #arrival: Timer | undefined;
  #death: Timer | undefined;
  #broken = false;

  constructor(network: MemoryNetwork, sender: FlowSender, receiver: FlowReceiver) {
    this.#network = network;
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /** Bytes written that the other side has not taken. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  data(bytes: Uint8Array): void {
    const { cutting } = this.#network.conditionsOf(this.#sender.hostName, this.#receiver.hostName);
    if (bytes.length > 1 && this.#network.chance(cutting)) {
      const cut = 1 + Math.floor(this.#network.draw(bytes.length - 1));
      this.#append({ kind: 'data', dueMs: this.#dueMs(cut), bytes: bytes.slice(0, cut) });
      this.#append({ kind: 'data', dueMs: this.#dueMs(bytes.length - cut), bytes: bytes.slice(cut) });
    } else {
      this.#append({ kind: 'data', dueMs: this.#dueMs(bytes.length), bytes });
    }
  }

  end(): void {
    this.#append({ kind: 'end', dueMs: this.#dueMs(0) });
  }

  /** Drops what has not arrived and tells the other side. */
  reset(): void {
    this.discard();
    this.#append({ kind: 'reset', dueMs: this.#dueMs(0) });
  }

  /** Drops what has not arrived. */
  discard(): void {
    this.#segments = [];
    this.#queuedBytes = 0;
    this.#lastDueMs = 0;
    this.#arrival?.cancel();
    this.#arrival = undefined;
    this.#death?.cancel();
    this.#death = undefined;
    this.#network.removeStalled(this);
  }

  /** The path may carry again: what waited is sent anew. */
  retry(): void {
    this.#network.removeStalled(this);
    const from = this.#sender.hostName;
    const { delayMs } = this.#network.conditionsOf(from, this.#receiver.hostName);
    const arrivalMs = this.#network.clock.monotonicMs() + delayMs;
    this.#segments = this.#segments.map((segment) => ({ ...segment, dueMs: Math.max(segment.dueMs, arrivalMs) }));
    this.#lastDueMs = Math.max(this.#lastDueMs, arrivalMs);
    this.pump();
  }

  /** Delivers what is due; called again when the receiver is ready for more. */
  pump(): void {
    this.#arrival?.cancel();
    this.#arrival = undefined;
    for (;;) {
      const segment = this.#segments[0];
      if (segment === undefined) return;
      const waitMs = segment.dueMs - this.#network.clock.monotonicMs();
      if (waitMs > 0) {
        this.#arrival = this.#network.clock.setTimer(waitMs, () => this.pump());
        return;
      }
      if (!this.#passes(segment)) return;
      this.#death?.cancel();
      this.#death = undefined;
      this.#segments.shift();
      this.#deliver(segment);
    }
  }

  #passes(segment: Segment): boolean {
    const state = this.#receiver.flowState;
    if (this.#network.isBlocked(this.#sender.hostName, this.#receiver.hostName) || state === 'gone') {
      this.#stall();
      return false;
    }
    if (state === 'rebooted') {
      this.discard();
      this.#fail('closed', 'the machine restarted and knows nothing of the connection');
      return false;
    }
    return state === 'ready' || segment.kind === 'reset';
  }

  #deliver(segment: Segment): void {
    if (segment.kind === 'data') {
      this.#queuedBytes -= segment.bytes.length;
      const { counters, onDelivered } = this.#network;
      counters.segments++;
      counters.segmentBytes += segment.bytes.length;
      onDelivered?.(this.#sender.hostName, this.#receiver.hostName, segment.bytes);
      this.#receiver.receiveBytes(segment.bytes);
      this.#sender.drained();
    } else if (segment.kind === 'end') {
      this.#receiver.receiveEnd();
      this.#sender.endDelivered();
    } else {
      this.#receiver.receiveReset();
    }
  }

  #stall(): void {
    this.#network.addStalled(this);
    if (this.#broken) return;
    this.#death ??= this.#network.clock.setTimer(this.#network.streamTimeoutMs, () => {
      this.reset();
      this.#fail('unreachable', `nothing passed for ${this.#network.streamTimeoutMs} ms`);
    });
  }

  #fail(code: 'unreachable' | 'closed', reason: string): void {
    this.#broken = true;
    const { hostName } = this.#receiver;
    this.#sender.failed(new PipevineError(code, `The connection to ${hostName} was lost: ${reason}. Dial again.`));
  }

  #append(segment: Segment): void {
    this.#segments.push(segment);
    if (segment.kind === 'data') this.#queuedBytes += segment.bytes.length;
    if (this.#segments.length === 1) {
      // Never in the call that wrote: the other side's code runs in an event of its own.
      const waitMs = Math.max(0, segment.dueMs - this.#network.clock.monotonicMs());
      this.#arrival = this.#network.clock.setTimer(waitMs, () => this.pump());
    }
  }

  #dueMs(byteLength: number): number {
    const from = this.#sender.hostName;
    const to = this.#receiver.hostName;
    const { loss, retransmitMs } = this.#network.conditionsOf(from, to);
    const nowMs = this.#network.clock.monotonicMs();
    let dueMs = this.#network.arrivalMs(from, to, byteLength, false) ?? nowMs;
    for (let attempt = 0; attempt < 5 && this.#network.chance(loss); attempt++) dueMs += retransmitMs << attempt;
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs);
    return this.#lastDueMs;
  }
}
