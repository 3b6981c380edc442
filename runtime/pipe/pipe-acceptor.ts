import { PipevineError } from '../error/pipevine-error.ts';
import { checkCapability } from '../group/access.ts';
import type { Credential, GroupAccess, GroupDirectory } from '../group/group-access.ts';
import { groupIdFromBytes, shortGroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, peerIdFromBytes, shortPeerId } from '../id/peer-id.ts';
import { reasonForWire } from '../link/wire-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { type BindFrame, type BoundFrame, type ConfirmFrame, FrameType, PipeSecurityCode } from '../wire/frame.ts';
import type { BindForwarder } from './bind-forwarder.ts';
import { Binding, type BindingOwner } from './binding.ts';
import type { PumpResult } from './frame-carrier.ts';
import type { LinkPort } from './link-port.ts';
import type { Listener, Listeners } from './listeners.ts';
import type { Pipe, PipePriority } from './pipe.ts';
import { CONFIRM_TIMEOUT_MS, MIN_WINDOW_BYTES, type PipeLimits } from './pipe-defaults.ts';
import type { PipeEnd } from './pipe-end.ts';
import { PipeHandshake } from './pipe-handshake.ts';
import { kindOfCode } from './pipe-kind.ts';
import type { PipeRegistry } from './pipe-registry.ts';
import type { PipeSession } from './pipe-session.ts';
import { asksForRelay, type RelayedPath, readRelayedPath } from './relayed-path.ts';
import { resumeField } from './resume-attempt.ts';
import { decodeSessionField, encodeSessionField, type SessionField } from './session-field.ts';

const EMPTY = new Uint8Array(0);

/** Who is bound to whom, as an accepted BIND says. */
export interface AcceptedPipe {
  readonly frame: BindFrame;
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  readonly credential: Credential | undefined;
  readonly session: PipeSession | undefined;
  readonly windowBytes: number;
  readonly priority: PipePriority | undefined;
}

export interface PipeAcceptorInit {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly limits: PipeLimits;
  readonly identity: Identity;
  readonly hosted: { find(peer: PeerId): Identity | undefined };
  readonly groups: GroupDirectory;
  /** Absent in a peer that relays nothing. */
  readonly forwarder?: BindForwarder;
  readonly portTo: (neighbour: PeerId) => LinkPort | undefined;
  readonly listeners: Listeners;
  readonly registry: PipeRegistry;
  readonly makePipe: (accepted: AcceptedPipe) => PipeEnd;
  readonly onError: (error: unknown) => void;
}

/** A BIND for this peer or one that it hosts; its session is as the binder wrote it. */
interface Arrival {
  readonly port: LinkPort;
  readonly frame: BindFrame;
  /** How it came, when over relays. */
  readonly path: RelayedPath | undefined;
}

/** A BIND that may go on: everything was checked that can be before the binder has proven who it is. */
interface Request extends Arrival {
  readonly identity: Identity;
  readonly source: PeerId;
  readonly access: GroupAccess;
  readonly listener: Listener;
}

/** Answers BIND: accepts new pipes and lets known ones go on. Whatever is wrong is said by UNBIND and harms nobody else. */
export class PipeAcceptor {
  readonly #init: PipeAcceptorInit;
  #refused = 0;

  constructor(init: PipeAcceptorInit) {
    this.#init = init;
  }

  /** BINDs that were answered with UNBIND. */
  get refused(): number {
    return this.#refused;
  }

  onBind(port: LinkPort, bind: BindFrame): void {
    const known = port.accepted(bind.channel);
    // It comes again because the answer was lost; whoever accepted it answers for itself.
    if (known !== undefined) return known.bindAgain?.(bind);
    try {
      if (this.#forward(port, bind)) return;
      const { path, session } = readRelayedPath(bind.session);
      const frame = { ...bind, session };
      const field = decodeSessionField(session);
      if (port.channels.full) {
        throw new PipevineError(
          'overloaded',
          `This link carries ${port.channels.capacity} pipes, its limit; close some.`,
        );
      }
      if (field.type === 'resume') this.#resume({ port, frame, path }, field);
      else this.#bind({ port, frame, path }, field);
    } catch (cause) {
      this.#refuse(port, bind.channel, cause);
    }
  }

  /** Whether it was for someone else, and is on its way there. */
  #forward(port: LinkPort, frame: BindFrame): boolean {
    const { forwarder, identity, hosted, portTo } = this.#init;
    if (!asksForRelay(frame.session) || port.isLoopback) return false;
    const target = peerIdFromBytes(frame.target);
    if (target === identity.id || hosted.find(target) !== undefined) return false;
    if (forwarder === undefined) throw new PipevineError('unreachable', 'This peer relays nothing; ask another.');
    if (frame.security !== PipeSecurityCode.endToEnd) {
      throw new PipevineError('refused', 'A pipe over relays needs a session of its own.');
    }
    forwarder.forward(port, frame, portTo);
    return true;
  }

  #bind(arrival: Arrival, field: SessionField): void {
    const request = this.#check(arrival);
    const { port, frame } = arrival;
    const existing = this.#init.registry.get('acceptor', frame.pipe);
    if (frame.security === PipeSecurityCode.link) {
      if (field.type !== 'link')
        throw new PipevineError('protocol', 'A pipe under the link has no session of its own.');
      const credential = verifyBinder(request, frame.credential);
      if (existing !== undefined) return this.#rebindUntouched(request, existing);
      this.#acceptUnderLink(request, this.#requireListener(request), credential);
      return;
    }
    if (field.type !== 'new') throw new PipevineError('protocol', 'A pipe with a session of its own must begin one.');
    if (existing !== undefined) throw new PipevineError('refused', 'A pipe of this id exists; choose another id.');
    if (port.halfBound >= this.#init.limits.maxHalfBoundPerLink) {
      throw new PipevineError('overloaded', `${port.halfBound} pipes of this link are not confirmed yet, the limit.`);
    }
    new HalfBoundPipe(this.#init, request, field.message, (pipe) => this.#announce(request.listener, pipe));
  }

  /** What can be checked at once: who is meant, the group, the name, the kind, and whether there is room. */
  #check(arrival: Arrival): Request {
    const { port, frame } = arrival;
    const { identity: own, hosted, groups, listeners, registry } = this.#init;
    const target = peerIdFromBytes(frame.target);
    const source = peerIdFromBytes(frame.source);
    if (frame.security === PipeSecurityCode.link && !port.isLoopback) {
      if (source !== port.link.remotePeer || target !== own.id) {
        throw new PipevineError('refused', 'The link proves only the two peers at its ends; use a session of its own.');
      }
    }
    const group = groupIdFromBytes(frame.group);
    const access = groups.access(group);
    if (access === undefined) {
      throw new PipevineError('refused', `This peer is no member of group ${shortGroupId(group)}.`);
    }
    const identity = target === own.id ? own : hosted.find(target);
    if (identity === undefined) {
      throw new PipevineError('not-found', `Peer ${shortPeerId(target)} is not here; ask for its route again.`);
    }
    if (!registry.hasRoom()) throw new PipevineError('overloaded', `This peer has ${registry.limit} pipes, its limit.`);
    const listener = listeners.find(target === own.id ? 'own' : 'hosted', group, frame.name);
    const kind = kindOfCode(frame.kind);
    const nobody: Listener = { kinds: [], capability: undefined, priority: undefined, onPipe: () => {} };
    const isKind = listener?.kinds === undefined || listener.kinds.includes(kind);
    const request = { ...arrival, identity, source, access, listener: isKind ? (listener ?? nobody) : nobody };
    // Who has a session of its own to set up hears now that it would be in vain; others first show a credential.
    if (frame.security === PipeSecurityCode.endToEnd) this.#requireListener(request);
    return request;
  }

  #requireListener(request: Request): Listener {
    const { frame, listener, identity } = request;
    if (listener.kinds?.length === 0) {
      throw new PipevineError(
        'not-found',
        `Peer ${shortPeerId(identity.id)} does not accept ${kindOfCode(frame.kind)} pipes named "${frame.name}" in this group.`,
      );
    }
    return listener;
  }

  #acceptUnderLink(request: Request, listener: Listener, credential: Credential | undefined): void {
    const { port, frame, identity, source, access } = request;
    const shown = access.credentialOf(identity.id);
    const windowBytes = port.budget.windowFor(this.#init.limits.windowBytes, MIN_WINDOW_BYTES);
    const pipe = this.#init.makePipe({
      frame,
      localPeer: identity.id,
      remotePeer: source,
      credential,
      session: undefined,
      windowBytes,
      priority: listener.priority,
    });
    this.#attach(request, pipe, shown, EMPTY);
    this.#announce(listener, pipe);
  }

  /**
   * The binder has not heard our BOUND: its link went down. Nothing has passed, so it binds the same pipe as a new one;
   * who listened may want no more by now.
   */
  #rebindUntouched(request: Request, pipe: PipeEnd): void {
    const { source, identity, access } = request;
    if (pipe.remotePeer !== source || pipe.session !== undefined || !pipe.isUntouched) {
      throw new PipevineError('refused', 'A pipe of this id exists; choose another id.');
    }
    this.#attach(request, pipe, access.credentialOf(identity.id), EMPTY);
  }

  #resume(arrival: Arrival, field: SessionField & { type: 'resume' }): void {
    const { port, frame } = arrival;
    const pipe = this.#init.registry.get('acceptor', frame.pipe);
    if (pipe === undefined) {
      throw new PipevineError('not-found', 'This pipe is not known here; the peer may have restarted.');
    }
    if (pipe.session === undefined) {
      if (!port.isLoopback && pipe.remotePeer !== port.link.remotePeer) {
        throw new PipevineError('refused', 'This pipe was bound by another peer.');
      }
      const access = this.#init.groups.access(pipe.group);
      if (access === undefined) throw new PipevineError('refused', `Group ${shortGroupId(pipe.group)} was left.`);
      access.verify(pipe.remotePeer, frame.credential);
      return this.#attach(arrival, pipe, access.credentialOf(pipe.localPeer), encodeSessionField(resumeField(pipe, 0)));
    }
    const { next, limit } = frame;
    const counter = field.proof?.counter ?? 0;
    const claim = { pipe: frame.pipe, counter, next, limit };
    if (field.proof === undefined || !pipe.session.isProof(claim, field.proof.mac)) {
      throw new PipevineError('forged', 'The proof that this is the peer that bound the pipe is wrong.');
    }
    if (counter <= pipe.bindCounter) throw new PipevineError('replayed', 'This resumption was seen before.');
    const { path } = arrival;
    const maxFrameBytes = Math.min(port.link.maxPayloadBytes, path?.maxPayloadBytes ?? Infinity);
    if (!pipe.mayMove(next, maxFrameBytes)) {
      throw new PipevineError(
        'overloaded',
        'What is under way does not fit into the frames of this path; ask again soon.',
      );
    }
    pipe.bindCounter = counter;
    this.#attach(arrival, pipe, EMPTY, encodeSessionField(resumeField(pipe, counter)));
  }

  /** Answers BOUND and lets the pipe go on over this link. */
  #attach(arrival: Arrival, pipe: PipeEnd, credential: Uint8Array, session: Uint8Array): void {
    const { port, frame, path } = arrival;
    const binding = new Binding(port, this.#init.clock, pipe, path !== undefined);
    binding.takePath(path);
    binding.acceptFrom(frame.channel, frame.pipe);
    binding.answer(boundFrame(binding, frame, { ...pipe.flow, credential, session }));
    try {
      pipe.attach(binding, frame.next, frame.limit);
    } catch (cause) {
      const error = cause instanceof PipevineError ? cause : new PipevineError('internal', String(cause), { cause });
      binding.unbind(error.code, error.message);
      pipe.fail(error);
    }
  }

  #announce(listener: Listener, pipe: Pipe & PipeEnd): void {
    try {
      listener.onPipe(pipe);
    } catch (error) {
      this.#init.onError(error);
      pipe.fail(new PipevineError('internal', 'The service behind this pipe failed to take it.'));
    }
  }

  #refuse(port: LinkPort, channel: number, cause: unknown): void {
    this.#refused++;
    if (!(cause instanceof PipevineError)) this.#init.onError(cause);
    const error =
      cause instanceof PipevineError
        ? cause
        : new PipevineError('internal', 'Binding the pipe failed at the other side.');
    port.send({ type: FrameType.unbind, channel, code: error.code, reason: reasonForWire(error.message) });
  }
}

/** A pipe with a session of its own between BOUND and CONFIRM: the binder is not known yet, so nothing is delivered. */
class HalfBoundPipe implements BindingOwner {
  readonly #init: PipeAcceptorInit;
  readonly #request: Request;
  readonly #handshake: PipeHandshake;
  readonly #binding: Binding;
  readonly #windowBytes: number;
  readonly #onPipe: (pipe: PipeEnd) => void;
  readonly #timer: Timer;

  constructor(init: PipeAcceptorInit, request: Request, message: Uint8Array, onPipe: (pipe: PipeEnd) => void) {
    const { port, frame, identity, access, source } = request;
    this.#init = init;
    this.#request = request;
    this.#onPipe = onPipe;
    this.#handshake = new PipeHandshake({
      role: 'responder',
      crypto: init.crypto,
      random: init.random,
      identity,
      expectedPeer: source,
      parameters: frame,
      credential: access.credentialOf(identity.id),
    });
    this.#handshake.readBegin(message);
    const session = encodeSessionField({ type: 'new', message: this.#handshake.writeIdentity() });
    this.#windowBytes = port.budget.windowFor(init.limits.windowBytes, MIN_WINDOW_BYTES);
    this.#binding = new Binding(port, init.clock, this, request.path !== undefined);
    this.#binding.takePath(request.path);
    this.#binding.acceptFrom(frame.channel, frame.pipe);
    this.#binding.markHalfBound();
    this.#binding.answer(
      boundFrame(this.#binding, frame, { next: 0, limit: this.#windowBytes, credential: EMPTY, session }),
    );
    this.#timer = init.clock.setTimer(CONFIRM_TIMEOUT_MS, () => {
      this.#binding.unbind('timeout', `The pipe was not confirmed within ${CONFIRM_TIMEOUT_MS} ms.`);
    });
  }

  onConfirm(frame: ConfirmFrame): void {
    this.#timer.cancel();
    const { source, identity, frame: bind } = this.#request;
    let pipe: PipeEnd;
    try {
      const credential = verifyBinder(this.#request, this.#handshake.readIdentity(frame.session));
      if (this.#init.registry.get('acceptor', bind.pipe) !== undefined) {
        throw new PipevineError('refused', 'A pipe of this id exists; choose another id.');
      }
      pipe = this.#init.makePipe({
        frame: bind,
        localPeer: identity.id,
        remotePeer: source,
        credential,
        session: this.#handshake.session(),
        windowBytes: this.#windowBytes,
        priority: this.#request.listener.priority,
      });
    } catch (cause) {
      if (!(cause instanceof PipevineError)) this.#init.onError(cause);
      const code = cause instanceof PipevineError ? cause.code : 'internal';
      this.#binding.unbind(code, cause instanceof PipevineError ? cause.message : '');
      return;
    }
    this.#binding.settled();
    pipe.attach(this.#binding, bind.next, bind.limit);
    // Tells the binder that it is accepted, before anything else does.
    pipe.acknowledge();
    this.#onPipe(pipe);
  }

  onUnbind(): void {
    this.#timer.cancel();
  }

  onLinkClosed(): void {
    this.#timer.cancel();
  }

  onBound(): void {}
  onAck(): void {}
  onData(): void {}
  acknowledge(): void {}

  endRecord(): boolean {
    return false;
  }

  pump(): PumpResult {
    return 'idle';
  }
}

/** Throws what a credential throws that will not do, and `refused` when it does not grant what the name asks for. */
function verifyBinder({ access, source, frame, listener }: Request, credential: Uint8Array): Credential | undefined {
  const verified = access.verify(source, credential);
  if (listener.capability !== undefined) {
    checkCapability(listener.capability, `pipes named "${frame.name}"`, source, verified);
  }
  return verified;
}

function boundFrame(
  binding: Binding,
  bind: BindFrame,
  rest: Pick<BoundFrame, 'next' | 'limit' | 'credential' | 'session'>,
): BoundFrame {
  return { type: FrameType.bound, channel: bind.channel, ownChannel: binding.channel, ...rest };
}
