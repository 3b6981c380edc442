import type { BulkFlight, BulkWindow } from './bulk-window.ts';
import type { FrameCarrier, FrameSender, PumpResult } from './frame-carrier.ts';
import { FRAME_COST_BYTES } from './pipe-defaults.ts';
import type { SendBuffer } from './send-buffer.ts';

/** Flow control: total cost that the other side allows. */
export interface Credit {
  readonly limit: number;
}

/** What a bulk pipe sent in one go: up to which cost since the pipe began. */
interface Sent {
  readonly toCost: number;
  readonly mark: BulkFlight;
}

/** Over a link that keeps order and loses nothing, each frame is sent once. Only the first one names its number. */
export class OrderedSender implements FrameSender {
  readonly #buffer: SendBuffer;
  readonly #carrier: FrameCarrier;
  readonly #credit: Credit;
  readonly #maxPayloadBytes: number;
  #next: number;
  #started = false;
  /** In whose window counts what was sent from `#countedFrom` to `#countedTo`, costs since the pipe began. */
  #window: BulkWindow | undefined;
  #countedFrom = 0;
  #countedTo = 0;
  #sent: Sent[] = [];

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
    const isOneFrame = this.#window === undefined && whole.length <= this.#maxPayloadBytes;
    if (isOneFrame && buffer.totalCost <= this.#credit.limit) {
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
    if (carrier.window !== this.#window) this.#enter(carrier.window);
    const window = this.#window;
    let result: PumpResult = 'idle';
    while (this.#next < buffer.next) {
      if (carrier.blocked) {
        result = 'link';
        break;
      }
      if (left <= 0) {
        result = 'turn';
        break;
      }
      const payload = buffer.payload(this.#next);
      const frameCost = payload.length + FRAME_COST_BYTES;
      if (cost + frameCost > this.#credit.limit) {
        result = 'credit';
        break;
      }
      if (window !== undefined) {
        if (!window.hasRoom) {
          window.wait(carrier);
          result = 'credit';
          break;
        }
        window.sent(frameCost);
      }
      cost += frameCost;
      left -= frameCost;
      const sequence = this.#next++;
      carrier.sendData(payload, this.#started ? undefined : sequence, buffer.more(sequence));
      this.#started = true;
    }
    if (window !== undefined && cost > this.#countedTo) {
      this.#countedTo = cost;
      this.#sent.push({ toCost: cost, mark: window.flight() });
    }
    return result;
  }

  acknowledged(): void {
    this.#skipTo(this.#buffer.first);
    const window = this.#window;
    if (window === undefined) return;
    const releasedCost = this.#buffer.totalCost - this.#buffer.keptCost;
    const cost = releasedCost - this.#countedFrom;
    if (cost <= 0) return;
    this.#countedFrom = releasedCost;
    const waiting = this.#sent.findIndex(({ toCost }) => toCost > releasedCost);
    const arrived = this.#sent.splice(0, waiting === -1 ? this.#sent.length : waiting);
    window.delivered(cost, arrived.at(-1)?.mark);
  }

  stop(): void {
    this.#enter(undefined);
  }

  /** The other side has got these over the path before this one. */
  #skipTo(sequence: number): void {
    if (sequence <= this.#next) return;
    this.#next = sequence;
    this.#started = false;
  }

  #enter(window: BulkWindow | undefined): void {
    const left = this.#window;
    const countedCost = this.#countedTo - this.#countedFrom;
    this.#window = window;
    this.#sent = [];
    this.#countedFrom = this.#buffer.costBefore(this.#next);
    this.#countedTo = this.#countedFrom;
    left?.forget(countedCost);
  }
}
