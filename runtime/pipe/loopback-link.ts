import type { PeerId } from '../id/peer-id.ts';
import type { Link, LinkHandler, LinkTraffic } from '../link/link.ts';
import type { Clock } from '../platform/clock.ts';
import type { ControlFrame } from '../wire/frame.ts';

/** Queued bytes above which the caller is asked to wait. */
const HIGH_WATER_BYTES = 1_048_576;

const ADDRESS = 'local://this-process';

type Queued =
  | { readonly frame: ControlFrame }
  | {
      readonly channel: number;
      readonly payload: Uint8Array;
      readonly sequence: number | undefined;
      readonly more: boolean;
    };

/** One end of a link from this process to itself, for pipes between peers that it speaks for. Nothing is encrypted. */
export class LoopbackLink implements Link {
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  readonly localAddress = ADDRESS;
  readonly remoteAddress = ADDRESS;
  readonly dialled: boolean;
  readonly ordered = true;
  readonly maxPayloadBytes = 65_000;
  readonly rttMs = 0;
  readonly #clock: Clock;
  #other: LoopbackLink | undefined;
  #handler: LinkHandler | undefined;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #turnPending = false;
  #callerWaits = false;
  #closed = false;
  #bytesIn = 0;
  #recordsIn = 0;

  private constructor(peer: PeerId, clock: Clock, dialled: boolean) {
    this.localPeer = peer;
    this.remotePeer = peer;
    this.dialled = dialled;
    this.#clock = clock;
  }

  /** Both ends; the first is the binder's. */
  static pair(peer: PeerId, clock: Clock): readonly [LoopbackLink, LoopbackLink] {
    const a = new LoopbackLink(peer, clock, true);
    const b = new LoopbackLink(peer, clock, false);
    a.#other = b;
    b.#other = a;
    return [a, b];
  }

  get traffic(): LinkTraffic {
    const other = this.#other;
    const bytesOut = other === undefined ? 0 : other.#bytesIn;
    const recordsOut = other === undefined ? 0 : other.#recordsIn;
    return { bytesIn: this.#bytesIn, bytesOut, recordsIn: this.#recordsIn, recordsOut, dropped: 0, unknownFrames: 0 };
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
  }

  queueData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): boolean {
    return this.#push({ channel, payload: payload.slice(), sequence, more }, payload.length);
  }

  queueFrame(frame: ControlFrame): boolean {
    return this.#push({ frame }, 0);
  }

  doubt(): void {}

  close(): void {
    for (const end of [this, this.#other]) {
      if (end === undefined || end.#closed) continue;
      end.#closed = true;
      end.#queue = [];
      end.#handler?.onClosed();
    }
  }

  #push(item: Queued, bytes: number): boolean {
    if (this.#closed) return false;
    this.#queue.push(item);
    this.#queuedBytes += bytes;
    if (!this.#turnPending) {
      this.#turnPending = true;
      this.#clock.endOfTurn(() => this.#deliver());
    }
    if (this.#queuedBytes < HIGH_WATER_BYTES) return true;
    this.#callerWaits = true;
    return false;
  }

  #deliver(): void {
    this.#turnPending = false;
    const items = this.#queue;
    const other = this.#other;
    if (other === undefined) return;
    const handler = other.#handler;
    other.#bytesIn += this.#queuedBytes;
    other.#recordsIn++;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const item of items) {
      if (this.#closed) return;
      if ('frame' in item) handler?.onFrame(item.frame);
      else handler?.onData(item.channel, item.payload, item.sequence, item.more);
    }
    if (this.#closed) return;
    handler?.onRecordEnd();
    if (!this.#callerWaits) return;
    this.#callerWaits = false;
    this.#handler?.onWritable();
  }
}
