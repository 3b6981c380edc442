import type { PipevineError } from '../error/pipevine-error.ts';
import type { Link, LinkHandler } from '../link/link.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { AckFrame, BindFrame, BoundFrame, ConfirmFrame, ControlFrame, UnbindFrame } from '../wire/frame.ts';
import { FrameType } from '../wire/frame.ts';
import { BulkWindow } from './bulk-window.ts';
import { ChannelTable } from './channel-table.ts';
import type { PumpResult } from './frame-carrier.ts';
import type { PipePriority } from './pipe.ts';
import { ACK_DELAY_MS, type PipeLimits, TURN_BYTES } from './pipe-defaults.ts';
import { ReceiveBudget } from './receive-budget.ts';
import { TurnRing } from './turn-ring.ts';

/** A frame for one channel. */
export type ChannelFrame = AckFrame | BoundFrame | ConfirmFrame | UnbindFrame;

/** Whoever has a channel on a link. */
export interface ChannelUser {
  /** Whether it is in the ring of those that wait for the link. Kept by the port. */
  waiting: boolean;
  /** When it is its turn; default normal. */
  readonly priority?: PipePriority;
  onData(payload: Uint8Array, sequence: number | undefined, more: boolean): void;
  onFrame(frame: ChannelFrame): void;
  /** The record that brought frames has ended: acknowledge what should be now. Returns whether the rest may wait a little. */
  endRecord(): boolean;
  /** The little wait is over. */
  acknowledge(): void;
  pump(turnBytes: number): PumpResult;
  onLinkClosed(error: PipevineError | undefined): void;
  /** The BIND that it accepted came again, or another for its channel: the answer was lost, perhaps. */
  bindAgain?(frame: BindFrame): void;
}

export interface LinkPortInit {
  readonly link: Link;
  readonly clock: Clock;
  readonly limits: PipeLimits;
  /** Both ends are in this process. */
  readonly isLoopback: boolean;
  readonly onBind: (port: LinkPort, frame: BindFrame) => void;
  readonly onClosed: (port: LinkPort) => void;
}

/** The pipes' side of one link: hands frames to their channels, and lets the channels take turns at sending. */
export class LinkPort implements LinkHandler {
  readonly link: Link;
  readonly isLoopback: boolean;
  readonly channels: ChannelTable<ChannelUser>;
  readonly budget: ReceiveBudget;
  /** The link asked everyone to wait. */
  blocked = false;
  /** Binders that have not confirmed yet. */
  halfBound = 0;
  readonly #init: LinkPortInit;
  /** Channels by the number on which their other side receives, for those that the other side bound. */
  readonly #accepted = new Map<number, ChannelUser>();
  readonly #ring = new TurnRing<ChannelUser>();
  #bulkWindow: BulkWindow | undefined;
  #touched: ChannelUser[] = [];
  #delayed = new Set<ChannelUser>();
  #ackTimer: Timer | undefined;
  #closed = false;
  #unheard = 0;

  constructor(init: LinkPortInit) {
    this.#init = init;
    this.link = init.link;
    this.isLoopback = init.isLoopback;
    this.channels = new ChannelTable(init.limits.maxChannelsPerLink, init.link.ordered);
    this.budget = new ReceiveBudget(init.limits.receiveBytesPerLink);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Frames for channels that nobody has: late ones, mostly. */
  get unheard(): number {
    return this.#unheard;
  }

  onData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): void {
    const user = this.channels.get(channel);
    if (user === undefined) this.#unheard++;
    else user.onData(payload, sequence, more);
  }

  onFrame(frame: ControlFrame): void {
    switch (frame.type) {
      case FrameType.bind:
        return this.#init.onBind(this, frame);
      case FrameType.ack:
      case FrameType.bound:
      case FrameType.confirm:
      case FrameType.unbind: {
        const user = this.channels.get(frame.channel);
        if (user === undefined) this.#unheard++;
        else user.onFrame(frame);
        return;
      }
      default:
        // The link handles all others itself.
        return;
    }
  }

  onRecordEnd(): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const user of touched) {
      if (user.endRecord()) this.#delay(user);
      else this.#delayed.delete(user);
    }
  }

  onWritable(): void {
    this.blocked = false;
    this.giveTurns();
  }

  onClosed(error?: PipevineError): void {
    this.#closed = true;
    this.#ackTimer?.cancel();
    this.#ring.clear();
    this.#touched = [];
    this.#delayed.clear();
    const users = this.channels.users();
    this.#init.onClosed(this);
    for (const user of users) user.onLinkClosed(error);
  }

  /** A channel got something, and wants its `endRecord`. Once a record. */
  touch(user: ChannelUser): void {
    this.#touched.push(user);
  }

  /** Has something to acknowledge that may wait a little. */
  acknowledgeSoon(user: ChannelUser): void {
    if (!this.#closed) this.#delay(user);
  }

  /** Puts a channel that has something to send into the ring, once. */
  wantTurn(user: ChannelUser): void {
    if (user.waiting) return;
    user.waiting = true;
    this.#ring.push(user, user.priority ?? 'normal');
  }

  /** Lets those that wait send, one after the other, until the link asks to wait. */
  giveTurns(): void {
    while (!this.blocked && !this.#closed) {
      const user = this.#ring.shift();
      if (user === undefined) return;
      user.waiting = false;
      const result = user.pump(TURN_BYTES);
      if (result === 'turn' || result === 'link') this.wantTurn(user);
    }
  }

  /** What the bulk pipes to this neighbour share. */
  get bulkWindow(): BulkWindow {
    this.#bulkWindow ??= this.#newBulkWindow(() => this.link.rttMs);
    return this.#bulkWindow;
  }

  /** One for a path that goes on beyond this link: what is delivered there says nothing of the link, nor the other way round. */
  newRelayedWindow(): BulkWindow {
    return this.#newBulkWindow(() => undefined);
  }

  #newBulkWindow(rttMs: () => number | undefined): BulkWindow {
    return new BulkWindow({ clock: this.#init.clock, rttMs, onRoom: () => this.giveTurns() });
  }

  accepted(remoteChannel: number): ChannelUser | undefined {
    return this.#accepted.get(remoteChannel);
  }

  addAccepted(remoteChannel: number, user: ChannelUser): void {
    this.#accepted.set(remoteChannel, user);
  }

  removeAccepted(remoteChannel: number, user: ChannelUser): void {
    if (this.#accepted.get(remoteChannel) === user) this.#accepted.delete(remoteChannel);
  }

  send(frame: ControlFrame): void {
    if (!this.link.queueFrame(frame)) this.blocked = true;
  }

  #delay(user: ChannelUser): void {
    this.#delayed.add(user);
    this.#ackTimer ??= this.#init.clock.setTimer(ACK_DELAY_MS, () => {
      this.#ackTimer = undefined;
      const due = this.#delayed;
      this.#delayed = new Set();
      for (const user of due) user.acknowledge();
    });
  }
}
