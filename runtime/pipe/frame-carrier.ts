import type { BulkWindow } from './bulk-window.ts';

/** What carries the frames of one pipe for now: its channel on a link. */
export interface FrameCarrier {
  /** Whether frames come in order and none is lost. */
  readonly ordered: boolean;
  readonly maxPayloadBytes: number;
  /** The link asks everyone to wait. */
  readonly blocked: boolean;
  /** What bulk pipes may have under way; undefined for pipes of other priorities. */
  readonly window: BulkWindow | undefined;
  sendData(payload: Uint8Array, sequence: number | undefined, more: boolean): void;
  /** Asks for a call of the pipe's `pump` when it is its turn. */
  wantTurn(): void;
}

/** Why a sender stopped: nothing is left, it used up its turn, the link asks to wait, or it needs more credit. */
export type PumpResult = 'idle' | 'turn' | 'link' | 'credit';

/** What an ACK says, for the sender. */
export interface Acknowledgement {
  readonly next: number;
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

/** Decides which frames of the send buffer go when, over one kind of link. */
export interface FrameSender {
  /** Frames from `first` on were queued; `whole` is their payload, still the caller's. */
  queued(whole: Uint8Array, first: number): void;
  /** Sends what may be sent now, up to about so many bytes. */
  pump(turnBytes: number): PumpResult;
  /** The send buffer has released what `next` covers. */
  acknowledged(acknowledgement: Acknowledgement): void;
  /** The first sequence number that was never sent. */
  readonly sentTo: number;
  /** The link is gone, or the pipe. */
  stop(): void;
}
