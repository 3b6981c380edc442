import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential, GroupAccess } from '../group/group-access.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { type BindParameters, type BoundFrame, type ConfirmFrame, FrameType, PipeSecurityCode } from '../wire/frame.ts';
import { Binding, type BindingOwner } from './binding.ts';
import type { PumpResult } from './frame-carrier.ts';
import type { LinkPort } from './link-port.ts';
import { PipeHandshake } from './pipe-handshake.ts';
import type { PipeSession } from './pipe-session.ts';
import { askingForRelay, readRelayedPath } from './relayed-path.ts';
import { decodeSessionField, encodeSessionField } from './session-field.ts';

const EMPTY = new Uint8Array(0);

export interface BindAttemptInit {
  readonly port: LinkPort;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly identity: Identity;
  readonly target: PeerId;
  readonly parameters: BindParameters;
  readonly access: GroupAccess;
  readonly windowBytes: number;
  /** The neighbour is asked to forward. */
  readonly relayed: boolean;
  /** All relays on the way, where they are named; the first is the neighbour. */
  readonly relays?: readonly PeerId[] | undefined;
  /** Makes the pipe, attached to the binding. Called once at most, instead of `onFailed`. */
  readonly onBound: (bound: BoundPipe) => BoundEnd;
  /** `linkLost`: try again over another link. */
  readonly onFailed: (error: PipevineError, linkLost: boolean) => void;
}

/** The pipe's end, once there is one. */
export interface BoundEnd {
  /** What the other end has sealed about what it has received. */
  onReport(plaintext: Uint8Array): void;
}

export interface BoundPipe {
  readonly binding: Binding;
  readonly next: number;
  readonly limit: number;
  readonly credential: Credential | undefined;
  readonly session: PipeSession | undefined;
}

type Phase =
  | { readonly name: 'offered'; readonly handshake: PipeHandshake | undefined }
  /** CONFIRM is on its way; whatever comes over the channel says that it was accepted. */
  | { readonly name: 'confirming'; readonly bound: BoundPipe }
  | { readonly name: 'over' };

/** The binder's side of binding a new pipe over one link: BIND, BOUND and, for a session of its own, CONFIRM and the first ACK. */
export class BindAttempt implements BindingOwner {
  readonly #init: BindAttemptInit;
  readonly #binding: Binding;
  #phase: Phase;

  /** The port must have a channel free. Throws what the group's access throws when this peer may not show a credential. */
  constructor(init: BindAttemptInit) {
    this.#init = init;
    const { parameters, access, identity, windowBytes } = init;
    const credential = access.credentialOf(identity.id);
    const isOwn = parameters.security === PipeSecurityCode.endToEnd;
    const handshake = isOwn
      ? new PipeHandshake({ ...init, role: 'initiator', expectedPeer: init.target, credential })
      : undefined;
    this.#phase = { name: 'offered', handshake };
    const session = encodeSessionField(
      handshake === undefined ? { type: 'link' } : { type: 'new', message: handshake.begin() },
    );
    this.#binding = new Binding(init.port, init.clock, this, init.relayed);
    this.#binding.relays = init.relays;
    this.#binding.sendRepeatedly({
      type: FrameType.bind,
      channel: this.#binding.channel,
      ...parameters,
      next: 0,
      limit: windowBytes,
      credential: isOwn ? EMPTY : credential,
      session: init.relayed ? askingForRelay(session, init.port.link.maxPayloadBytes, init.relays?.slice(1)) : session,
    });
  }

  /** The caller does not wait any longer. */
  abandon(): void {
    this.#phase = { name: 'over' };
    this.#binding.unbind('aborted', 'The binder did not wait any longer.');
  }

  onBound(frame: BoundFrame): void {
    if (this.#phase.name !== 'offered') return;
    this.#binding.stopRepeating();
    this.#binding.bindTo(frame.ownChannel);
    try {
      this.#accept(frame, this.#phase.handshake);
    } catch (cause) {
      const error = cause instanceof PipevineError ? cause : new PipevineError('internal', String(cause), { cause });
      this.#phase = { name: 'over' };
      this.#binding.unbind(error.code, error.message);
      this.#init.onFailed(error, false);
    }
  }

  onAck(): void {}

  /** Before the first acknowledgement nothing says that this pipe was accepted. */
  onData(): void {}

  onConfirm(frame: ConfirmFrame): void {
    if (this.#phase.name !== 'confirming') return;
    const { session } = this.#phase.bound;
    const report = session?.openReport(frame.session);
    if (report !== undefined) this.#confirmed()?.onReport(report);
  }

  onUnbind(error: PipevineError | undefined): void {
    this.#fail(error ?? new PipevineError('closed', 'The other side closed the pipe before it was bound.'), false);
  }

  onLinkClosed(error: PipevineError | undefined): void {
    // The link is there: a relay says that it cannot pass on, and which it is.
    if (this.#init.relayed && error !== undefined && !this.#init.port.closed) return this.#fail(error, false);
    const peer = shortPeerId(this.#init.port.link.remotePeer);
    const why = error === undefined ? 'it was closed' : error.message;
    this.#fail(new PipevineError('unreachable', `The link to ${peer} went down while binding: ${why}`), true);
  }

  endRecord(): boolean {
    return false;
  }

  acknowledge(): void {}

  pump(): PumpResult {
    return 'idle';
  }

  #accept(frame: BoundFrame, handshake: PipeHandshake | undefined): void {
    const { access, target } = this.#init;
    const { next, limit } = frame;
    const binding = this.#binding;
    if (handshake === undefined) {
      const credential = access.verify(target, frame.credential);
      this.#phase = { name: 'confirming', bound: { binding, next, limit, credential, session: undefined } };
      this.#confirmed();
      return;
    }
    const { path, session: written } = readRelayedPath(frame.session);
    binding.takePath(path);
    const field = decodeSessionField(written);
    if (field.type !== 'new') {
      throw new PipevineError('protocol', 'BOUND came without the second message of the session that BIND began.');
    }
    const credential = access.verify(target, handshake.readIdentity(field.message));
    const session = handshake.writeIdentity();
    this.#phase = {
      name: 'confirming',
      bound: { binding, next, limit, credential, session: handshake.session() },
    };
    binding.sendRepeatedly({ type: FrameType.confirm, channel: frame.ownChannel, session });
  }

  #confirmed(): BoundEnd | undefined {
    if (this.#phase.name !== 'confirming') return undefined;
    const { bound } = this.#phase;
    this.#phase = { name: 'over' };
    this.#binding.stopRepeating();
    return this.#init.onBound(bound);
  }

  #fail(error: PipevineError, linkLost: boolean): void {
    if (this.#phase.name === 'over') return;
    this.#phase = { name: 'over' };
    this.#init.onFailed(error, linkLost);
  }
}
