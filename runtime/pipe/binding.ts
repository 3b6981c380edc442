import type { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import { DONE, errorFromWire, reasonForWire } from '../link/wire-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { AckFrame, BindFrame, BoundFrame, ConfirmFrame, ControlFrame, UnbindFrame } from '../wire/frame.ts';
import { FrameType } from '../wire/frame.ts';
import type { BulkWindow } from './bulk-window.ts';
import type { FrameCarrier, PumpResult } from './frame-carrier.ts';
import type { ChannelFrame, ChannelUser, LinkPort } from './link-port.ts';
import type { PipePriority } from './pipe.ts';
import { FAREWELLS, REPEAT_FIRST_MS, REPEAT_MAX_MS, UNBIND_REPEATS } from './pipe-defaults.ts';
import type { RelayedPath } from './relayed-path.ts';

/** What a binding tells whoever it is for: an attempt to bind first, the pipe later. */
export interface BindingOwner {
  onBound(frame: BoundFrame): void;
  onConfirm(frame: ConfirmFrame): void;
  onAck(frame: AckFrame): void;
  onData(payload: Uint8Array, sequence: number, more: boolean): void;
  /** The other side said no, or that it is done: then there is no error. The binding is over. */
  onUnbind(error: PipevineError | undefined): void;
  onLinkClosed(error: PipevineError | undefined): void;
  endRecord(): boolean;
  acknowledge(): void;
  pump(turnBytes: number): PumpResult;
}

/** The code of UNBIND that means: the pipe goes on over another link. Not an error, and not its end. */
export const MOVED = 'moved';

/** `ending`: UNBIND was said and its answer is awaited, until when the channel cannot be given to another. */
type Phase = 'bound' | 'ending' | 'over';

/** The place of one pipe on one link: two channels, one each way. */
export class Binding implements ChannelUser, FrameCarrier {
  readonly port: LinkPort;
  readonly channel: number;
  waiting = false;
  /** The relays on the way, where the binder has named them. */
  relays: readonly PeerId[] | undefined;
  window: BulkWindow | undefined;
  readonly #clock: Clock;
  #owner: BindingOwner;
  #remoteChannel: number | undefined;
  #phase: Phase = 'bound';
  /** Sequence number of the last frame on an ordered link; NaN before the first, which must name its own. */
  #lastSequence = Number.NaN;
  #touched = false;
  #repeat: { readonly frame: ControlFrame; readonly timer: Timer } | undefined;
  #halfBound = false;
  #answer: BoundFrame | undefined;
  #ordered: boolean;
  #maxPayloadBytes: number;
  #relayed: boolean;
  #pipe = '';
  #saidUnbind = false;
  /** Tells the other side that this one is done, once its channel is known. */
  #part = (): void => {};
  #priority: PipePriority = 'normal';
  #bulkWindow: BulkWindow | undefined;

  /** Takes a channel of the port, which must not be full. `relayed`: the neighbour is a relay, and forwards. */
  constructor(port: LinkPort, clock: Clock, owner: BindingOwner, relayed: boolean) {
    this.port = port;
    // A relay drops what it has no room for.
    this.#ordered = port.link.ordered && !relayed;
    this.#maxPayloadBytes = port.link.maxPayloadBytes;
    this.#relayed = relayed;
    this.#clock = clock;
    this.#owner = owner;
    this.channel = port.channels.add(this);
  }

  get blocked(): boolean {
    return this.port.blocked;
  }

  get ordered(): boolean {
    return this.#ordered;
  }

  get maxPayloadBytes(): number {
    return this.#maxPayloadBytes;
  }

  /** Whether a relay forwards it. */
  get relayed(): boolean {
    return this.#relayed;
  }

  /** What BIND or BOUND said of the way that it took; without relays it is the link alone. Before any data. */
  takePath(path: RelayedPath | undefined): void {
    const { link } = this.port;
    this.#relayed = path !== undefined;
    this.#ordered = link.ordered && path === undefined;
    this.#maxPayloadBytes = Math.min(link.maxPayloadBytes, path?.maxPayloadBytes ?? Infinity);
  }

  get priority(): PipePriority {
    return this.#priority;
  }

  /** After `takePath`, and before a sender uses it. */
  set priority(priority: PipePriority) {
    this.#priority = priority;
    this.window = undefined;
    if (priority !== 'bulk' || this.port.isLoopback) return;
    this.#bulkWindow ??= this.#relayed ? this.port.newRelayedWindow() : this.port.bulkWindow;
    this.window = this.#bulkWindow;
  }

  get isBound(): boolean {
    return this.#phase === 'bound';
  }

  /** Channel on which the other side receives; undefined before it told. */
  get remoteChannel(): number | undefined {
    return this.#remoteChannel;
  }

  set owner(owner: BindingOwner) {
    this.#owner = owner;
  }

  /** The binder has learned where the acceptor receives. */
  bindTo(remoteChannel: number): void {
    this.#remoteChannel = remoteChannel;
  }

  /** The acceptor knows from the start; a BIND that comes again finds this binding. */
  acceptFrom(remoteChannel: number, pipe: Uint8Array): void {
    this.#pipe = String(pipe);
    this.#remoteChannel = remoteChannel;
    this.port.addAccepted(remoteChannel, this);
  }

  /** Counts among the port's half-bound ones until `settled`. */
  markHalfBound(): void {
    this.#halfBound = true;
    this.port.halfBound++;
  }

  settled(): void {
    if (this.#halfBound) this.port.halfBound--;
    this.#halfBound = false;
  }

  sendData(payload: Uint8Array, sequence: number | undefined, more: boolean): void {
    if (this.#remoteChannel === undefined) return;
    if (!this.port.link.queueData(this.#remoteChannel, payload, sequence, more)) this.port.blocked = true;
  }

  send(frame: ControlFrame): void {
    this.port.send(frame);
  }

  /** Answers BIND, and will do so again when it comes again. */
  answer(frame: BoundFrame): void {
    this.#answer = frame;
    this.port.send(frame);
  }

  /** The same BIND came again; another one that takes its channel is not answered. */
  bindAgain(frame: BindFrame): void {
    if (this.#phase !== 'bound' || this.#answer === undefined || this.#pipe !== String(frame.pipe)) return;
    this.port.send(this.#answer);
  }

  /** Sends a frame, and over a link that may lose it again and again until `stopRepeating`. */
  sendRepeatedly(frame: ControlFrame): void {
    this.stopRepeating();
    this.port.send(frame);
    // A relay answers for BIND and UNBIND itself; anything else it may drop.
    const isForRelay = this.#relayed && frame.type !== FrameType.confirm;
    const isLossy = isForRelay ? !this.port.link.ordered : !this.#ordered;
    if (isLossy) this.#repeatAfter(frame, REPEAT_FIRST_MS, 1);
  }

  stopRepeating(): void {
    this.#repeat?.timer.cancel();
    this.#repeat = undefined;
  }

  wantTurn(): void {
    this.port.wantTurn(this);
  }

  /** Something was consumed outside of a record. */
  acknowledgeSoon(): void {
    this.port.acknowledgeSoon(this);
  }

  onData(payload: Uint8Array, sequence: number | undefined, more: boolean): void {
    if (this.#phase !== 'bound') return;
    if (sequence === undefined) sequence = this.#lastSequence + 1;
    this.#lastSequence = sequence;
    if (!this.#touched) {
      this.#touched = true;
      this.port.touch(this);
    }
    this.#owner.onData(payload, sequence, more);
  }

  onFrame(frame: ChannelFrame): void {
    if (frame.type === FrameType.unbind) return this.#onUnbind(frame);
    if (this.#phase !== 'bound') {
      // An answer to a BIND that was given up meanwhile: now it is known on which channel to say so.
      if (frame.type === FrameType.bound && this.#remoteChannel === undefined) {
        this.#remoteChannel = frame.ownChannel;
        this.#part();
      }
      return;
    }
    switch (frame.type) {
      case FrameType.ack:
        return this.#owner.onAck(frame);
      case FrameType.bound:
        return this.#owner.onBound(frame);
      case FrameType.confirm:
        return this.#owner.onConfirm(frame);
    }
  }

  endRecord(): boolean {
    this.#touched = false;
    return this.#phase === 'bound' && this.#owner.endRecord();
  }

  acknowledge(): void {
    if (this.#phase === 'bound') this.#owner.acknowledge();
  }

  pump(turnBytes: number): PumpResult {
    return this.#phase === 'bound' ? this.#owner.pump(turnBytes) : 'idle';
  }

  onLinkClosed(error: PipevineError | undefined): void {
    const wasBound = this.#phase === 'bound';
    this.#over();
    if (wasBound) this.#owner.onLinkClosed(error);
  }

  /**
   * This side is done with the binding; the owner hears nothing more. `farewell`, for the channel that it is given, is said
   * first where a relay forwards, and again until the other end has ended it, too: UNBIND of a relay says nothing about
   * the pipe.
   */
  unbind(code: string, reason: string, farewell?: (channel: number) => ControlFrame): void {
    if (this.#phase !== 'bound') return;
    this.#phase = 'ending';
    this.#part = () => {
      this.stopRepeating();
      const unbind = (): void => this.#sayUnbind(code, reason);
      if (farewell === undefined || !this.#relayed || this.#remoteChannel === undefined) return unbind();
      this.#sayFarewell(farewell(this.#remoteChannel), FAREWELLS, REPEAT_FIRST_MS, unbind);
    };
    this.settled();
    if (this.port.closed) this.#over();
    // Before the answer to BIND: it is still asked for, a few times, since without it neither side could give its channel back.
    else if (this.#remoteChannel !== undefined) this.#part();
  }

  #onUnbind(frame: UnbindFrame): void {
    const error = errorFromWire(frame.code, frame.reason);
    // The way has ended, not the pipe.
    const hasMoved = frame.code === MOVED || (this.#relayed && frame.code === 'unreachable');
    const wasBound = this.#phase === 'bound';
    // The answer lets the other side give its channel to another; UNBIND of this side's own is one.
    if (!this.#saidUnbind && this.#remoteChannel !== undefined) {
      this.send({ type: FrameType.unbind, channel: this.#remoteChannel, code: DONE, reason: '' });
    }
    this.#over();
    if (!wasBound) return;
    if (hasMoved) this.#owner.onLinkClosed(error);
    else this.#owner.onUnbind(error);
  }

  #sayFarewell(frame: ControlFrame, times: number, delayMs: number, onSaid: () => void): void {
    if (this.port.closed) return;
    if (times === 0) return onSaid();
    this.port.send(frame);
    const timer = this.#clock.setTimer(delayMs, () =>
      this.#sayFarewell(frame, times - 1, Math.min(2 * delayMs, REPEAT_MAX_MS), onSaid),
    );
    this.#repeat = { frame, timer };
  }

  #sayUnbind(code: string, reason: string): void {
    if (this.#remoteChannel === undefined) return;
    this.#saidUnbind = true;
    const text = reasonForWire(reason);
    this.sendRepeatedly({ type: FrameType.unbind, channel: this.#remoteChannel, code, reason: text });
  }

  #over(): void {
    this.#phase = 'over';
    this.settled();
    this.stopRepeating();
    this.port.channels.remove(this.channel, this);
    if (this.#remoteChannel !== undefined) this.port.removeAccepted(this.#remoteChannel, this);
  }

  #repeatAfter(frame: ControlFrame, delayMs: number, times: number): void {
    const timer = this.#clock.setTimer(delayMs, () => {
      if (this.port.closed) return;
      if (this.#phase === 'ending' && times >= UNBIND_REPEATS) return this.#over();
      this.port.send(frame);
      this.#repeatAfter(frame, Math.min(delayMs * 2, REPEAT_MAX_MS), times + 1);
    });
    this.#repeat = { frame, timer };
  }
}
