import type { FrameCarrier, FrameSender, PumpResult } from './frame-carrier.ts';
import { FRAME_COST_BYTES } from './pipe-defaults.ts';
import type { SendBuffer } from './send-buffer.ts';

/** Flow control: total cost that the other side allows. */
export interface Credit {
  readonly limit: number;
}

/** Over a link that keeps order and loses nothing, each frame is sent once. Only the first one names its number. */
export class OrderedSender implements FrameSender {
  readonly #buffer: SendBuffer;
  readonly #carrier: FrameCarrier;
  readonly #credit: Credit;
  readonly #maxPayloadBytes: number;
  #next: number;
  #started = false;

  constructor(buffer: SendBuffer, carrier: FrameCarrier, credit: Credit) {
    this.#buffer = buffer;
    this.#carrier = carrier;
    this.#credit = credit;
    this.#maxPayloadBytes = carrier.maxPayloadBytes;
    this.#next = buffer.first;
  }

  get sentTo(): number {
    return this.#next;
  }

  queued(whole: Uint8Array, first: number): void {
    const carrier = this.#carrier;
    if (carrier.blocked) return carrier.wantTurn();
    if (this.#next !== first) return;
    const buffer = this.#buffer;
    if (whole.length <= this.#maxPayloadBytes && buffer.totalCost <= this.#credit.limit) {
      this.#next = first + 1;
      carrier.sendData(whole, this.#started ? undefined : first, false);
      this.#started = true;
      return;
    }
    if (this.pump(Infinity) === 'link') carrier.wantTurn();
  }

  pump(turnBytes: number): PumpResult {
    const buffer = this.#buffer;
    const carrier = this.#carrier;
    let left = turnBytes;
    let cost = this.#next < buffer.next ? buffer.costBefore(this.#next) : 0;
    while (this.#next < buffer.next) {
      if (carrier.blocked) return 'link';
      if (left <= 0) return 'turn';
      const payload = buffer.payload(this.#next);
      const frameCost = payload.length + FRAME_COST_BYTES;
      if (cost + frameCost > this.#credit.limit) return 'credit';
      cost += frameCost;
      left -= frameCost;
      const sequence = this.#next++;
      carrier.sendData(payload, this.#started ? undefined : sequence, buffer.more(sequence));
      this.#started = true;
    }
    return 'idle';
  }

  acknowledged(): void {}

  stop(): void {}
}
