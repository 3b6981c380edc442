import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import { type BindParameters, type BoundFrame, FrameType } from '../wire/frame.ts';
import { Binding, type BindingOwner } from './binding.ts';
import type { PumpResult } from './frame-carrier.ts';
import type { LinkPort } from './link-port.ts';
import type { PipeEnd } from './pipe-end.ts';
import { askingForRelay, readRelayedPath } from './relayed-path.ts';
import { decodeSessionField, encodeSessionField, type SessionField } from './session-field.ts';

export interface ResumeAttemptInit {
  readonly port: LinkPort;
  readonly clock: Clock;
  readonly pipe: PipeEnd;
  readonly parameters: BindParameters;
  /** The neighbour is asked to forward. */
  readonly relayed: boolean;
  /** All relays on the way, where they are named; the first is the neighbour. */
  readonly relays?: readonly PeerId[] | undefined;
  /** The credential to show where the link protects the pipe. */
  readonly credential: Uint8Array;
  /** `later`: the other side has no room now. `reason`: what a relay says that cannot pass on. */
  readonly onEnded: (result: 'bound' | 'link-lost' | 'later' | PipevineError, reason?: string) => void;
}

/** The binder's side of binding a pipe again, over another link: both tell what they still want, and go on there. */
export class ResumeAttempt implements BindingOwner {
  readonly port: LinkPort;
  readonly #init: ResumeAttemptInit;
  readonly #binding: Binding;
  readonly #counter: number;
  #over = false;

  /** The port must have a channel free. */
  constructor(init: ResumeAttemptInit) {
    const { pipe, parameters, credential } = init;
    this.port = init.port;
    this.#init = init;
    this.#counter = ++pipe.bindCounter;
    const session = encodeSessionField(resumeField(pipe, this.#counter));
    this.#binding = new Binding(init.port, init.clock, this, init.relayed);
    this.#binding.relays = init.relays;
    this.#binding.sendRepeatedly({
      type: FrameType.bind,
      channel: this.#binding.channel,
      ...parameters,
      ...pipe.flow,
      credential,
      session: init.relayed ? askingForRelay(session, init.port.link.maxPayloadBytes, init.relays?.slice(1)) : session,
    });
  }

  abandon(): void {
    this.#over = true;
    const { pipe } = this.#init;
    // The other side may have taken this way already: then it hears here how the pipe has ended.
    if (pipe.ended) this.#binding.unbind(pipe.endCode, '', pipe.farewell);
    else this.#binding.unbind('aborted', 'The binder did not wait any longer.');
  }

  onBound(frame: BoundFrame): void {
    if (this.#over) return;
    this.#over = true;
    this.#binding.stopRepeating();
    this.#binding.bindTo(frame.ownChannel);
    const { pipe } = this.#init;
    try {
      const { path, session } = readRelayedPath(frame.session);
      this.#binding.takePath(path);
      requireProof(pipe, { ...frame, session }, this.#counter);
      pipe.attach(this.#binding, frame.next, frame.limit);
      this.#init.onEnded('bound');
    } catch (cause) {
      const error = cause instanceof PipevineError ? cause : new PipevineError('internal', String(cause), { cause });
      this.#binding.unbind(error.code, error.message);
      this.#init.onEnded(error);
    }
  }

  onUnbind(error: PipevineError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (error?.code === 'overloaded' || error?.code === 'busy') return this.#init.onEnded('later');
    // A relay that will not or cannot forward says nothing about the pipe. A later attempt over a quicker way may have overtaken this one.
    const saysNothing = error?.code === 'replayed' || (this.#init.relayed && error?.code === 'refused');
    if (saysNothing) return this.#init.onEnded('link-lost');
    const restarted = error === undefined || error.code === 'not-found';
    const message = 'The other side restarted and does not know this pipe any more; connect again.';
    this.#init.onEnded(restarted ? new PipevineError('closed', message) : error);
  }

  onLinkClosed(error: PipevineError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#init.onEnded('link-lost', error?.message);
  }

  onAck(): void {}
  onData(): void {}
  onConfirm(): void {}
  acknowledge(): void {}

  endRecord(): boolean {
    return false;
  }

  pump(): PumpResult {
    return 'idle';
  }
}

/** What BIND says to go on with a pipe, and BOUND answers: with a session of its own, proof that it is the same peer. */
export function resumeField(pipe: PipeEnd, counter: number): SessionField {
  if (pipe.session === undefined) return { type: 'resume', proof: undefined };
  const mac = pipe.session.proof({ pipe: pipe.id, counter, ...pipe.flow });
  return { type: 'resume', proof: { counter, mac } };
}

function requireProof(pipe: PipeEnd, frame: BoundFrame, counter: number): void {
  if (pipe.session === undefined) return;
  const field = decodeSessionField(frame.session);
  const { next, limit } = frame;
  const isProven =
    field.type === 'resume' &&
    field.proof?.counter === counter &&
    pipe.session.isProof({ pipe: pipe.id, counter, next, limit }, field.proof.mac);
  if (!isProven) throw new PipevineError('forged', 'Someone else than the peer of this pipe answered its resumption.');
}
