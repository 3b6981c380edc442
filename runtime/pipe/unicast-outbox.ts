import type { FrameCarrier } from './frame-carrier.ts';

/** The sending side of a unicast pipe: to the link, or nowhere. */
export class UnicastOutbox {
  #carrier: FrameCarrier | undefined;
  #maxFrameBytes: number;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  get maxFrameBytes(): number {
    return this.#maxFrameBytes;
  }

  /** Whether a link carries the pipe and does not ask to wait. */
  get hasRoom(): boolean {
    return this.#carrier !== undefined && !this.#carrier.blocked;
  }

  bind(carrier: FrameCarrier): void {
    this.#carrier = carrier;
    this.#maxFrameBytes = carrier.maxPayloadBytes;
  }

  unbind(): void {
    this.#carrier = undefined;
  }

  /** Hands a frame to the link; without one it is gone, and the answer is false. */
  push(payload: Uint8Array, number: number | undefined): boolean {
    if (this.#carrier === undefined) return false;
    this.#carrier.sendData(payload, number, false);
    return true;
  }

  wantTurn(): void {
    this.#carrier?.wantTurn();
  }
}
