import type { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { ControlFrame } from '../wire/frame.ts';

/** What has passed over a link since it came up. */
export interface LinkTraffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Records or packets refused: failed to authenticate, replayed, malformed. */
  readonly dropped: number;
  /** Frames of types that this version does not know, skipped. */
  readonly unknownFrames: number;
}

/** What a link tells its owner. Nothing comes after `onClosed`. */
export interface LinkHandler {
  /**
   * One DATA frame (`more` false) or DATA_MORE frame (`more` true). `payload` is a view that stays valid; its record is
   * kept alive by it. `sequence` is undefined where the frame has none.
   */
  onData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): void;
  /** Every other frame but PING, PONG, REKEY and CLOSE, which the link handles itself. */
  onFrame(frame: ControlFrame): void;
  /** All frames of one record have been handled: the moment to acknowledge. */
  onRecordEnd(): void;
  /** The queue drained after a `queue...` call had returned false. */
  onWritable(): void;
  /** Exactly once; without an error when either side closed in good order. */
  onClosed(error?: PipevineError): void;
}

/** An authenticated, encrypted session with a neighbour, over one connection. */
export interface Link {
  readonly localPeer: PeerId;
  /** Proven by the handshake. */
  readonly remotePeer: PeerId;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  /** Whether this side dialled. */
  readonly dialled: boolean;
  /** Whether records come in order and none is lost (a stream link). */
  readonly ordered: boolean;
  /** Largest payload of one DATA frame over this link. */
  readonly maxPayloadBytes: number;
  /** Smoothed round-trip time by PING, once measured. */
  readonly rttMs: number | undefined;
  readonly traffic: LinkTraffic;
  /** Sets the receiver of all that comes; called once, right after the handshake. */
  start(handler: LinkHandler): void;
  /**
   * Queues a DATA or DATA_MORE frame; the payload is copied before the call returns. All frames queued in one turn of
   * the loop leave in as few records as they fit in. Returns false when the caller should stop until `onWritable`.
   */
  queueData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): boolean;
  queueFrame(frame: ControlFrame): boolean;
  /** What the other side should have answered was not: it is asked at once, and the link ends soon if it is gone. */
  doubt(): void;
  /** Sends CLOSE after what is queued, then closes. Idempotent. */
  close(code: string, reason: string): void;
}
