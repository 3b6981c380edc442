import type { PeerId } from '../id/peer-id.ts';
import { DONE } from '../link/wire-error.ts';
import type { LinkPort } from '../pipe/link-port.ts';
import { atRelay } from '../pipe/pipe-paths.ts';
import { readRelayedHead, throughRelay } from '../pipe/relayed-path.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { type BindFrame, type BoundFrame, FrameType } from '../wire/frame.ts';
import type { ByteBudget } from './byte-budget.ts';
import { RelayChannel } from './relay-channel.ts';
import { ANSWER_TIMEOUT_MS } from './relay-defaults.ts';

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

  /** Throws what `throughRelay` throws. */
  constructor(init: RelayLabelInit) {
    const { clock, from, to, frame } = init;
    this.#init = init;
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
          this.to.sendData(payload, sequence, more);
        },
        onFrame: (frame) => {
          if (frame.type === FrameType.bound) return;
          this.#bound = undefined;
          this.to.sendFrame(frame);
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
        onData: (payload, sequence, more) => this.from.sendData(payload, sequence, more),
        onFrame: (frame) => {
          if (frame.type === FrameType.bound) this.#onBound(frame);
          else this.from.sendFrame(frame);
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
    this.to.bind(onwards);
  }

  /** Ends it at both sides. */
  end(code: string, reason: string): void {
    this.from.end(code, reason);
    this.to.end(code, reason);
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
    this.#init.onOver();
  }
}
