import type { PeerId } from '../id/peer-id.ts';
import { DONE } from '../link/wire-error.ts';
import type { LinkPort } from '../pipe/link-port.ts';
import { atRelay } from '../pipe/pipe-paths.ts';
import { readRelayedHead, throughRelay } from '../pipe/relayed-path.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { type AckFrame, type BindFrame, type BoundFrame, type ConfirmFrame, FrameType } from '../wire/frame.ts';
import type { ByteBudget } from './byte-budget.ts';
import { RelayChannel } from './relay-channel.ts';
import { ANSWER_TIMEOUT_MS, QUEUED_FRAME_COST_BYTES } from './relay-defaults.ts';

export interface RelayLabelInit {
  readonly clock: Clock;
  /** The link over which BIND came, and the one over which it goes on. Both have a channel free. */
  readonly from: LinkPort;
  readonly to: LinkPort;
  /** For what waits for each of them. */
  readonly fromBudget: ByteBudget;
  readonly toBudget: ByteBudget;
  readonly frame: BindFrame;
  /** The relays after this one, where the binder has named none and this is the first. */
  readonly named?: readonly PeerId[];
  /** How long it may last, ms, and what it may carry both ways, in bytes; default: no bound. */
  readonly lifetimeMs?: number;
  readonly maxBytes?: number;
  /** It was bound (no reason), or the way did not lead to an answer. Once at most. */
  readonly onOutcome?: (reason: string | undefined) => void;
  /** One of them waits no more for an answer of the target: it came, or the binder has gone. Once each. */
  readonly onSettled: (side: 'from' | 'to') => void;
  /** Both channels are free. Once. */
  readonly onOver: () => void;
}

/**
 * One forwarded pipe: two channels, one on the link to each neighbour. Frames go from one to the other as they came but for
 * the channel number. What they hold is sealed between the pipe's ends.
 */
export class RelayLabel {
  readonly from: RelayChannel;
  readonly to: RelayChannel;
  readonly #init: RelayLabelInit;
  readonly #timer: Timer;
  /** Which relay of the way this is, from 1 on. */
  readonly #number: number;
  /** The target has answered BIND, with BOUND. */
  #isBound = false;
  #answered = false;
  #isFromOver = false;
  /** For a BIND that comes again; until the binder has gone on. */
  #bound: BoundFrame | undefined;
  #over = 0;
  #bytesLeft: number;
  readonly #lifetime: Timer | undefined;

  /** Throws what `throughRelay` throws. */
  constructor(init: RelayLabelInit) {
    const { clock, from, to, frame } = init;
    this.#init = init;
    this.#bytesLeft = init.maxBytes ?? Infinity;
    this.#number = readRelayedHead(frame.session).hops + 1;
    const onwards = { ...frame, session: throughRelay(frame.session, this.#payloadBytes(), init.named) };
    const onOver = (): void => {
      if (++this.#over === 2) this.#finish();
    };
    this.from = new RelayChannel(
      from,
      clock,
      init.fromBudget,
      {
        onData: (payload, sequence, more) => {
          this.#bound = undefined;
          if (!this.#carries(payload.length)) return;
          this.to.sendData(payload, sequence, more);
        },
        onFrame: (frame) => {
          if (frame.type === FrameType.bound) return;
          this.#bound = undefined;
          if (this.#carries(bytesOf(frame))) this.to.sendFrame(frame);
        },
        onBindAgain: (again) => {
          if (this.#bound !== undefined && String(again.pipe) === String(frame.pipe)) this.from.bound(this.#bound);
        },
        onEnded: (code, reason) => this.to.end(code, reason),
        onOver: () => {
          this.#isFromOver = true;
          if (!this.#answered) init.onSettled('from');
          onOver();
        },
      },
      frame.channel,
    );
    this.to = new RelayChannel(
      to,
      clock,
      init.toBudget,
      {
        onData: (payload, sequence, more) => {
          if (this.#carries(payload.length)) this.from.sendData(payload, sequence, more);
        },
        onFrame: (frame) => {
          if (frame.type === FrameType.bound) this.#onBound(frame);
          else if (this.#carries(bytesOf(frame))) this.from.sendFrame(frame);
        },
        onBindAgain: () => {},
        onEnded: (code, reason) => {
          // Done before it was bound would say nothing to the binder.
          this.#endBinder(code === DONE && !this.#isBound ? 'unreachable' : code, reason);
        },
        onOver: () => {
          this.#setAnswered();
          onOver();
        },
      },
      undefined,
    );
    this.#timer = clock.setTimer(ANSWER_TIMEOUT_MS, () => {
      if (this.#answered) return;
      this.#endBinder('unreachable', 'The peer did not answer this relay.');
      this.to.end('unreachable', '');
    });
    const { lifetimeMs } = init;
    if (lifetimeMs !== undefined) {
      const why = `Such a pipe lasts ${lifetimeMs / 1000} s over this relay.`;
      this.#lifetime = clock.setTimer(lifetimeMs, () => this.end('unreachable', why));
    }
    this.to.bind(onwards);
  }

  /** Ends it at both sides. */
  end(code: string, reason: string): void {
    this.from.end(code, reason);
    this.to.end(code, reason);
  }

  /** Whether so many bytes more may pass; else it ends. */
  #carries(bytes: number): boolean {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft >= 0) return true;
    this.end('overloaded', `Such a pipe carries ${this.#init.maxBytes} bytes over this relay.`);
    return false;
  }

  /** The binder learns which relay cannot pass on. */
  #endBinder(code: string, reason: string): void {
    const said = code === 'unreachable' ? atRelay(this.#number, reason) : reason;
    if (code === 'unreachable' && !this.#isBound) this.#init.onOutcome?.(said);
    this.from.end(code, said);
  }

  #onBound(frame: BoundFrame): void {
    if (this.to.remote !== undefined) return;
    this.to.bindTo(frame.ownChannel);
    this.#isBound = true;
    this.#setAnswered();
    this.#init.onOutcome?.(undefined);
    try {
      this.#bound = { ...frame, session: throughRelay(frame.session, this.#payloadBytes()) };
      this.from.bound(this.#bound);
    } catch {
      // It has come over more relays than may be, says nonsense about them, or leaves no room for what a relay adds.
      this.end('unreachable', 'The answer to BIND cannot be passed on.');
    }
  }

  #payloadBytes(): number {
    return Math.min(this.#init.from.link.maxPayloadBytes, this.#init.to.link.maxPayloadBytes);
  }

  #setAnswered(): void {
    if (this.#answered) return;
    this.#answered = true;
    if (!this.#isFromOver) this.#init.onSettled('from');
    this.#init.onSettled('to');
  }

  #finish(): void {
    this.#timer.cancel();
    this.#lifetime?.cancel();
    this.#init.onOver();
  }
}

/** Of ACK and CONFIRM, about. */
function bytesOf(frame: AckFrame | ConfirmFrame): number {
  return QUEUED_FRAME_COST_BYTES + (frame.type === FrameType.confirm ? frame.session.length : 0);
}
