import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { DONE, errorFromWire } from '../link/wire-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { type AckFrame, type ConfirmFrame, FrameType } from '../wire/frame.ts';
import { type Binding, type BindingOwner, MOVED } from './binding.ts';
import { Delivery } from './delivery.ts';
import type { Acknowledgement, PumpResult } from './frame-carrier.ts';
import { Inbox } from './inbox.ts';
import { packedBytes } from './message-pack.ts';
import { Outbox } from './outbox.ts';
import { Packer } from './packer.ts';
import { PathProbe } from './path-probe.ts';
import { PathWatch } from './path-watch.ts';
import type { Pipe, PipeKind, PipePriority, WaitOptions } from './pipe.ts';
import {
  CLOSE_TIMEOUT_MS,
  FRAME_COST_BYTES,
  MAX_WAITERS,
  PATH_SILENCE_MS,
  type PipeLimits,
  SEND_TIMEOUT_MS,
} from './pipe-defaults.ts';
import type { PipePath } from './pipe-path.ts';
import { decodePipeReport, encodePipeReport, type PipeReport } from './pipe-report.ts';
import type { PipeSession } from './pipe-session.ts';
import { UnicastOutbox } from './unicast-outbox.ts';
import { Waiters } from './waiters.ts';

/** What sealing a message by itself adds at most: its head, and the tag. */
const SEAL_OVERHEAD_BYTES = 21;

export interface PipeEndInit {
  /** 16 bytes that name the pipe at both ends. */
  readonly id: Uint8Array;
  readonly role: 'binder' | 'acceptor';
  readonly kind: PipeKind;
  readonly name: string;
  readonly group: GroupId;
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  readonly credential: Credential | undefined;
  /** Undefined where the link's session serves. */
  readonly session: PipeSession | undefined;
  readonly windowBytes: number;
  /** Default: control for request pipes, else normal. */
  readonly priority?: PipePriority;
  readonly clock: Clock;
  readonly limits: PipeLimits;
  /** What a handler of the application threw. */
  readonly onError: (error: unknown) => void;
  /** No link carries it any more, or it has given up its path over a relay. */
  readonly onSuspended: (pipe: PipeEnd) => void;
  readonly onEnded: (pipe: PipeEnd) => void;
}

/** How a pipe stands, for status. */
export interface PipeCounters {
  readonly unacknowledgedBytes: number;
  readonly unreadBytes: number;
  readonly duplicates: number;
  readonly dropped: number;
}

/** One end of a pipe, over whatever link carries it at the moment. */
export class PipeEnd implements Pipe, BindingOwner {
  readonly kind: PipeKind;
  readonly name: string;
  readonly group: GroupId;
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  readonly closed: Promise<PipevineError | undefined>;
  readonly id: Uint8Array;
  readonly role: 'binder' | 'acceptor';
  readonly session: PipeSession | undefined;
  /** How often the binder has bound it: the highest that was seen. */
  bindCounter = 0;
  readonly #init: PipeEndInit;
  readonly #inbox: Inbox | undefined;
  readonly #outbox: Outbox | undefined;
  readonly #unicast: UnicastOutbox | undefined;
  readonly #packer: Packer | undefined;
  readonly #delivery: Delivery;
  /** Those who wait for room, and those who wait until all is acknowledged. */
  readonly #senders: Waiters;
  readonly #flushers: Waiters;
  readonly #watch: PathWatch;
  readonly #probe: PathProbe;
  readonly #maxMessageBytes: number;
  #credential: Credential | undefined;
  #state: 'open' | 'closing' | 'ended' = 'open';
  #binding: Binding | undefined;
  #resumeTimer: Timer | undefined;
  #closing: Promise<void> | undefined;
  #error: PipevineError | undefined;
  #resolveClosed: (error: PipevineError | undefined) => void = () => {};
  #dropped = 0;
  #priority: PipePriority;
  /** The furthest frame that the other end has told of. */
  #furthest = 0;
  /** Whether the other end has said something that only it can say. */
  #confirmed = false;
  /** Whether the other end has said that it has ended the pipe: it need not be told. */
  #isTold = false;
  /** The last message did not fit: whoever waits is woken when there is room for many. */
  #isFull = false;

  constructor(init: PipeEndInit) {
    this.#init = init;
    this.id = init.id;
    this.role = init.role;
    this.kind = init.kind;
    this.name = init.name;
    this.group = init.group;
    this.localPeer = init.localPeer;
    this.remotePeer = init.remotePeer;
    this.session = init.session;
    this.#credential = init.credential;
    this.#priority = init.priority ?? (init.kind === 'request' ? 'control' : 'normal');
    this.#maxMessageBytes = init.limits.maxMessageBytes;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#senders = new Waiters(init.clock, MAX_WAITERS);
    this.#flushers = new Waiters(init.clock, MAX_WAITERS);
    this.#delivery = new Delivery({
      packs: init.session !== undefined,
      maxMessageBytes: init.limits.maxMessageBytes,
      onConsumed: (cost) => this.#inbox?.consumed(cost),
      onConsumedLater: (cost) => this.#onConsumed(cost),
      onError: init.onError,
    });
    this.#watch = new PathWatch({
      clock: init.clock,
      silenceMs: PATH_SILENCE_MS,
      isWaiting: () => this.#outbox?.isUnderWay === true,
      onSilence: () => this.#leaveSilentPath(),
    });
    this.#probe = new PathProbe({
      clock: init.clock,
      ask: () => this.#tell({ asks: true }),
      onSilence: () => this.#leaveSilentPath(),
    });
    const maxFrameBytes = 1_024;
    if (init.kind === 'unicast') {
      this.#unicast = new UnicastOutbox(maxFrameBytes);
    } else {
      const { clock, limits } = init;
      this.#outbox = new Outbox({ clock, bufferBytes: limits.sendBufferBytes, maxFrameBytes });
      this.#inbox = new Inbox({
        windowBytes: init.windowBytes,
        maxPayloadBytes: limits.maxMessageBytes + (init.session === undefined ? 0 : SEAL_OVERHEAD_BYTES),
        deliver: (payload, cost) => this.#deliver(payload, cost),
      });
    }
    if (init.session !== undefined) {
      this.#packer = new Packer({
        clock: init.clock,
        session: init.session,
        maxFrameBytes: () => this.#outbox?.frameBytes ?? this.#unicast?.maxFrameBytes ?? 0,
        push: (sealed, number) => this.#pushSealed(sealed, number),
      });
    }
  }

  get credential(): Credential | undefined {
    return this.#credential;
  }

  get priority(): PipePriority {
    return this.#priority;
  }

  set priority(priority: PipePriority) {
    this.#priority = priority;
    if (this.#binding === undefined) return;
    this.#binding.priority = priority;
    if (this.#outbox?.pump(Infinity) === 'link') this.#binding.wantTurn();
  }

  get connected(): boolean {
    return this.#binding !== undefined;
  }

  get path(): PipePath | undefined {
    const binding = this.#binding;
    if (binding === undefined) return undefined;
    const via = binding.port.link.remotePeer;
    const { relays } = binding;
    if (binding.relayed) return { via, type: 'relayed', ...(relays && { relays }) };
    return { via, type: via === this.remotePeer || binding.port.isLoopback ? 'direct' : 'hosted' };
  }

  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** What it ended with, as UNBIND says it. */
  get endCode(): string {
    return this.#error?.code ?? DONE;
  }

  /** Says, where only the other end understands it, that and how the pipe has ended. */
  get farewell(): ((channel: number) => ConfirmFrame) | undefined {
    const { session } = this;
    if (session === undefined) return undefined;
    const ended = this.endCode;
    const { next, limit } = this.flow;
    const report = encodePipeReport({ next, limit, ranges: this.#inbox?.ranges() ?? [], ended });
    return (channel) => ({ type: FrameType.confirm, channel, session: session.sealReport(report) });
  }

  get bufferedBytes(): number {
    return (this.#outbox?.keptCost ?? 0) + (this.#packer?.pendingBytes ?? 0);
  }

  get counters(): PipeCounters {
    return {
      unacknowledgedBytes: this.bufferedBytes,
      unreadBytes: this.#inbox?.unreadCost ?? this.#delivery.unreadCost,
      duplicates: this.#inbox?.duplicates ?? 0,
      dropped: this.#dropped,
    };
  }

  /** For BIND and BOUND: the first frame that this side still wants, and what it grants. */
  get flow(): { readonly next: number; readonly limit: number } {
    return { next: this.#inbox?.next ?? 0, limit: this.#inbox?.limit ?? 0 };
  }

  /** Whether anything has passed; a pipe where nothing has may be bound anew as if it were new. */
  get isUntouched(): boolean {
    return (this.#inbox?.next ?? 0) === 0;
  }

  trySend(message: Uint8Array): boolean {
    return this.#state === 'open' && this.#senders.isEmpty && this.#offer(message);
  }

  send(message: Uint8Array, options: WaitOptions = {}): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#closedError());
    try {
      if (this.#senders.isEmpty && this.#offer(message)) return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#senders.wait(() => this.#offer(message), options, SEND_TIMEOUT_MS, 'room to send');
  }

  writable(options: WaitOptions = {}): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#closedError());
    if (this.#senders.isEmpty && this.#hasRoom()) return Promise.resolve();
    return this.#senders.wait(() => this.#hasRoom(), options, SEND_TIMEOUT_MS, 'room to send');
  }

  flush(options: WaitOptions = {}): Promise<void> {
    if (this.#state === 'ended') {
      return this.#error === undefined ? Promise.resolve() : Promise.reject(this.#error);
    }
    this.#packer?.flush();
    if (this.#isFlushed()) return Promise.resolve();
    return this.#flushers.wait(() => this.#isFlushed(), options, SEND_TIMEOUT_MS, 'the other side to acknowledge');
  }

  receive(onMessage: (message: Uint8Array) => void | Promise<void>): void {
    this.#delivery.receive(onMessage);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return { next: () => this.#delivery.read() };
  }

  close(options: WaitOptions = {}): Promise<void> {
    this.#closing ??= this.#shutDown(options);
    return this.#closing;
  }

  /** Ends the pipe for a reason that the other side is told, if a link is there. */
  fail(error: PipevineError): void {
    this.#end(error, error.code, error.message);
  }

  /**
   * Whether it may leave the link that carries it for one with frames of so many bytes now: the binder, which still hears
   * this end over the old one, wants what comes from frame `told` on.
   */
  mayMove(told: number, maxFrameBytes: number): boolean {
    return this.#binding === undefined || this.#outbox === undefined || this.#outbox.fits(told, maxFrameBytes);
  }

  /** Goes on over a link. Throws `protocol` when the two sides do not fit together. */
  attach(binding: Binding, next: number, limit: number): void {
    this.#binding?.unbind(MOVED, 'The pipe has moved to another link.');
    this.#watch.stop();
    this.#probe.stop();
    // The binder alone can take another path.
    if (binding.relayed && this.role === 'binder' && this.kind !== 'unicast') this.#probe.start();
    this.#resumeTimer?.cancel();
    this.#binding = binding;
    binding.owner = this;
    binding.priority = this.#priority;
    this.#inbox?.moveTo(binding.port.budget);
    this.#unicast?.bind(binding);
    this.#outbox?.bind(binding, next, limit, this.session !== undefined);
    this.#furthest = 0;
    this.#watchPath();
    this.#progress();
  }

  onData(payload: Uint8Array, sequence: number, more: boolean): void {
    const binding = this.#binding;
    if (binding === undefined) return;
    try {
      if (this.#inbox !== undefined) this.#inbox.accept(sequence, payload, more, binding.ordered);
      else this.#onUnicast(payload, sequence, more);
    } catch (error) {
      this.#failOrLeave(error);
    }
  }

  onAck(frame: AckFrame): void {
    if (this.session === undefined) this.#acknowledged(frame, frame.limit);
    // Whoever carries the frames could have written it.
    else this.#dropped++;
  }

  onConfirm(frame: ConfirmFrame): void {
    if (this.session === undefined) return;
    const report = this.session.openReport(frame.session);
    if (report !== undefined) return this.onReport(report);
    this.#dropped++;
    // CONFIRM as it was when the pipe was bound: the first acknowledgement was lost.
    if (this.role === 'acceptor' && !this.#confirmed) this.acknowledge();
  }

  /** What the other end has sealed about what it has received. */
  onReport(plaintext: Uint8Array): void {
    this.#confirmed = true;
    this.#probe.heard(false);
    try {
      const report = decodePipeReport(plaintext);
      // Frames that arrive, not words: a relay may let the one pass and not the other.
      const furthest = report.ranges.at(-1)?.[1] ?? report.next;
      if (furthest > this.#furthest) this.#watch.heard();
      this.#furthest = Math.max(this.#furthest, furthest);
      this.#acknowledged(report, report.limit);
      if (report.asks === true) this.acknowledge();
      if (report.ended !== undefined) this.#remoteEnded(errorFromWire(report.ended, ''));
    } catch (error) {
      this.#failWith(error);
    }
  }

  #acknowledged(acknowledgement: Acknowledgement, limit: number): void {
    if (this.#outbox === undefined) return;
    try {
      this.#outbox.acknowledge(acknowledgement, limit);
    } catch (error) {
      return this.#failOrLeave(error);
    }
    if (this.#outbox.pump(Infinity) === 'link') this.#binding?.wantTurn();
    this.#watchPath();
    this.#progress();
  }

  /** BOUND that comes again over a link that repeats. */
  onBound(): void {}

  onUnbind(error: PipevineError | undefined): void {
    // A relay can say that too; the other end has sealed it, if it is true.
    if (this.#binding?.relayed === true) return this.#suspend();
    this.#binding = undefined;
    this.#remoteEnded(error);
  }

  #remoteEnded(error: PipevineError | undefined): void {
    this.#isTold = true;
    const left = this.bufferedBytes;
    const peer = shortPeerId(this.remotePeer);
    const lost = new PipevineError(
      'closed',
      `Peer ${peer} closed the pipe before it had taken all: ${left} bytes are left.`,
    );
    this.#end(error ?? (left > 0 ? lost : undefined), DONE, '');
  }

  onLinkClosed(): void {
    this.#suspend();
  }

  /** What a relay has changed or numbered anew is no fault of the other end, unless it has spoilt what cannot be had again. */
  #failOrLeave(cause: unknown): void {
    const isSuspect = cause instanceof PipevineError && (cause.code === 'forged' || cause.code === 'protocol');
    const mayGoOn = this.#binding?.relayed === true && this.#inbox?.isIntact === true;
    if (isSuspect && mayGoOn) this.#leavePath(cause);
    else this.#failWith(cause);
  }

  /** A relay does not do what it should: the pipe goes on over another path. */
  #leavePath(reason: PipevineError): void {
    this.#binding?.unbind('unreachable', reason.message);
    this.#suspend();
  }

  #leaveSilentPath(): void {
    const peer = shortPeerId(this.remotePeer);
    this.#binding?.port.link.doubt();
    this.#leavePath(
      new PipevineError('timeout', `Nothing was heard of peer ${peer} over this relay for ${PATH_SILENCE_MS} ms.`),
    );
  }

  #suspend(): void {
    this.#binding = undefined;
    this.#watch.stop();
    this.#probe.stop();
    this.#outbox?.unbind();
    this.#unicast?.unbind();
    if (this.#state === 'ended') return;
    const { clock, limits } = this.#init;
    this.#resumeTimer?.cancel();
    this.#resumeTimer = clock.setTimer(limits.resumeTimeoutMs, () => {
      const peer = shortPeerId(this.remotePeer);
      this.fail(
        new PipevineError('timeout', `No new link to peer ${peer} came up within ${limits.resumeTimeoutMs} ms.`),
      );
    });
    this.#init.onSuspended(this);
  }

  endRecord(): boolean {
    const due = this.#inbox?.ackDue() ?? 'none';
    if (due === 'now') this.acknowledge();
    return due === 'soon';
  }

  acknowledge(): void {
    this.#tell({});
  }

  /** Says what was received, and what else there is to say where a session seals it. */
  #tell(more: Pick<PipeReport, 'asks'>): void {
    const binding = this.#binding;
    const inbox = this.#inbox;
    if (binding?.remoteChannel === undefined) return;
    try {
      const limit = inbox?.grant() ?? 0;
      const next = inbox?.next ?? 0;
      const channel = binding.remoteChannel;
      const ranges = inbox?.ranges() ?? [];
      if (this.session === undefined) return binding.send({ type: FrameType.ack, channel, next, limit, ranges });
      const session = this.session.sealReport(encodePipeReport({ next, limit, ranges, ...more }));
      binding.send({ type: FrameType.confirm, channel, session });
    } catch (error) {
      this.#failWith(error);
    }
  }

  pump(turnBytes: number): PumpResult {
    const result = this.#outbox?.pump(turnBytes) ?? 'idle';
    this.#watchPath();
    if (this.#unicast !== undefined) this.#progress();
    return result;
  }

  #offer(message: Uint8Array): boolean {
    const outbox = this.#outbox;
    const packer = this.#packer;
    if (message.length > this.#maxMessageBytes) this.#refuseLarge(message, this.#maxMessageBytes);
    if (outbox === undefined) return this.#offerUnicast(message);
    if (packer === undefined) {
      this.#isFull = !outbox.hasRoom(message.length + FRAME_COST_BYTES);
      if (!this.#isFull) outbox.push(message);
    } else {
      this.#isFull = !outbox.hasRoom(packer.pendingBytes + packedBytes(message.length) + 2 * FRAME_COST_BYTES);
      if (!this.#isFull) packer.add(message);
    }
    return !this.#isFull;
  }

  #offerUnicast(message: Uint8Array): boolean {
    const unicast = this.#unicast;
    if (unicast === undefined) return false;
    const most = unicast.maxFrameBytes - (this.#packer === undefined ? 0 : SEAL_OVERHEAD_BYTES);
    if (message.length > most) this.#refuseLarge(message, most);
    if (!unicast.hasRoom) {
      unicast.wantTurn();
      return false;
    }
    if (this.#packer !== undefined) this.#packer.add(message);
    else unicast.push(message, undefined);
    return true;
  }

  #refuseLarge(message: Uint8Array, most: number): never {
    throw new PipevineError(
      'too-large',
      `A message of ${message.length} bytes was to be sent; this ${this.kind} pipe takes ${most}. Send it in parts.`,
    );
  }

  #hasRoom(): boolean {
    if (this.#outbox !== undefined) {
      const pending = this.#packer?.pendingBytes ?? 0;
      return this.#isFull ? this.#outbox.isHalfEmpty(pending) : this.#outbox.hasRoom(pending + FRAME_COST_BYTES);
    }
    if (this.#unicast?.hasRoom === true) return true;
    this.#unicast?.wantTurn();
    return false;
  }

  #isFlushed(): boolean {
    return this.#senders.isEmpty && (this.#packer?.pendingBytes ?? 0) === 0 && (this.#outbox?.isEmpty ?? true);
  }

  #pushSealed(sealed: Uint8Array, number: number): void {
    if (this.#outbox !== undefined) {
      this.#outbox.pushOwned(sealed);
      return this.#watchPath();
    }
    const unicast = this.#unicast;
    // The link may have changed to one with smaller frames since the message was taken.
    if (unicast === undefined || sealed.length > unicast.maxFrameBytes || !unicast.push(sealed, number))
      this.#dropped++;
  }

  #watchPath(): void {
    if (this.#binding?.relayed === true) this.#watch.sent();
  }

  #progress(): void {
    if (!this.#senders.isEmpty) {
      this.#senders.progress();
      // What was packed just now is not acknowledged yet.
      if (!this.#flushers.isEmpty) this.#packer?.flush();
    }
    if (!this.#flushers.isEmpty) this.#flushers.progress();
  }

  #onUnicast(payload: Uint8Array, sequence: number, more: boolean): void {
    const isOpen =
      !more && this.#delivery.unreadCost + payload.length + FRAME_COST_BYTES <= this.#init.limits.windowBytes;
    const plaintext = isOpen && this.session !== undefined ? this.session.openNumbered(sequence, payload) : payload;
    if (!isOpen || plaintext === undefined) {
      this.#dropped++;
      return;
    }
    this.#delivery.deliver(plaintext, payload.length + FRAME_COST_BYTES);
  }

  #deliver(payload: Uint8Array, cost: number): void {
    let plaintext: Uint8Array | undefined = payload;
    if (this.session !== undefined) {
      plaintext = this.session.open(payload);
      if (plaintext === undefined) {
        throw new PipevineError('forged', 'A payload of this pipe does not authenticate: it was changed on the way.');
      }
      this.#probe.heard(true);
    }
    this.#delivery.deliver(plaintext, cost);
  }

  #onConsumed(cost: number): void {
    const inbox = this.#inbox;
    if (inbox === undefined || this.#state === 'ended') return;
    inbox.consumed(cost);
    if (this.#binding === undefined) return;
    const due = inbox.ackDue();
    if (due === 'now') this.acknowledge();
    else if (due === 'soon') this.#binding.acknowledgeSoon();
  }

  async #shutDown(options: WaitOptions): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'closing';
    let error: PipevineError | undefined;
    try {
      await this.flush({ timeoutMs: CLOSE_TIMEOUT_MS, ...options });
    } catch (cause) {
      error = new PipevineError('timeout', `The pipe was closed with ${this.bufferedBytes} bytes not acknowledged.`, {
        cause,
      });
    }
    if (error === undefined) this.#end(undefined, DONE, '');
    else this.fail(error);
  }

  #failWith(cause: unknown): void {
    const internal = (): PipevineError => new PipevineError('internal', `A pipe failed: ${String(cause)}`, { cause });
    this.fail(cause instanceof PipevineError ? cause : internal());
  }

  #end(error: PipevineError | undefined, code: string, reason: string): void {
    if (this.#state === 'ended') return;
    // The other side should know what it need not worry about.
    if (error === undefined && (this.#inbox?.ackDue() ?? 'none') !== 'none') this.acknowledge();
    if (this.ended) return;
    this.#state = 'ended';
    this.#error = error;
    this.#resumeTimer?.cancel();
    this.#watch.stop();
    this.#probe.stop();
    this.#binding?.unbind(code, reason, this.#isTold ? undefined : this.farewell);
    this.#binding = undefined;
    this.#outbox?.unbind();
    this.#unicast?.unbind();
    this.#inbox?.release();
    this.#delivery.end(error);
    for (const waiters of [this.#senders, this.#flushers]) if (!waiters.isEmpty) waiters.fail(this.#closedError());
    this.#resolveClosed(error);
    this.#init.onEnded(this);
  }

  #closedError(): PipevineError {
    return this.#error ?? new PipevineError('closed', `The pipe "${this.name}" is closed; connect again.`);
  }
}
