import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, groupIdFromBytes, shortGroupId, WORLD_GROUP } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes, shortPeerId } from '../id/peer-id.ts';
import { reasonForWire } from '../link/wire-error.ts';
import type { BindForwarder } from '../pipe/bind-forwarder.ts';
import type { LinkPort } from '../pipe/link-port.ts';
import { atRelay } from '../pipe/pipe-paths.ts';
import { readRelayedHead } from '../pipe/relayed-path.ts';
import type { Clock } from '../platform/clock.ts';
import { type BindFrame, FrameType } from '../wire/frame.ts';
import { AdmissionGate, type AdmissionSource } from './admission-gate.ts';
import { ByteBudget } from './byte-budget.ts';
import {
  ADMISSION_LIFETIME_MS,
  ADMISSION_QUEUE_BYTES,
  LABEL_QUEUE_BYTES,
  MAX_ADMISSION_BYTES,
  MAX_LABELS,
  MAX_LABELS_PER_NEIGHBOUR,
  MAX_UNANSWERED_PER_NEIGHBOUR,
  MAX_WAITING,
  MAX_WAITING_PER_NEIGHBOUR,
  NEIGHBOUR_QUEUE_BYTES,
  RELAY_QUEUE_BYTES,
} from './relay-defaults.ts';
import { RelayLabel, type RelayLabelInit } from './relay-label.ts';

/** A BIND that a relay may pass on. */
export interface RelayedBind {
  /** The neighbour from which it came. */
  readonly from: PeerId;
  readonly source: PeerId;
  readonly target: PeerId;
  /** Relays that it has passed. */
  readonly hops: number;
  /** The relays after the first, where they are named. */
  readonly named: readonly PeerId[] | undefined;
}

/** Where a BIND goes on. */
export interface RelayHop {
  /** A neighbour. */
  readonly to: PeerId;
  /** Named from here on: by the first relay, where the binder has named none. */
  readonly named?: readonly PeerId[];
}

/** Says for one group who may be relayed, and over whom. */
export interface RelayGate extends AdmissionSource {
  /**
   * Where a BIND goes on; a promise when a way is to be found or linked first. Throws `refused` when `from` is no member
   * of the group or does not speak for `source`, or the way is a loop, `unreachable` when no way to the target is known.
   */
  nextHop(bind: RelayedBind): RelayHop | Promise<RelayHop>;
  /** What became of a way that this relay has named: bound, or what the relay says that could not pass on. */
  onOutcome?(target: PeerId, named: readonly PeerId[], reason: string | undefined): void;
}

export interface RelayBound {
  readonly used: number;
  readonly limit: number;
  readonly dropped: number;
}

/** What is kept of a neighbour while pipes are forwarded over its link. */
interface Side {
  readonly budget: ByteBudget;
  labels: number;
  unanswered: number;
}

/** What one forwarded pipe has of its own. */
interface LabelInit extends Pick<RelayLabelInit, 'named' | 'onOutcome' | 'lifetimeMs' | 'maxBytes'> {
  readonly queueBytes?: number;
  readonly onOver?: () => void;
}

interface PortSide {
  readonly port: LinkPort;
  readonly side: Side;
}

/** Forwards pipes between neighbours, for the groups that are open here. */
export class RelayForwarder implements BindForwarder {
  readonly #clock: Clock;
  readonly #maxLabels: number;
  readonly #admissions: AdmissionGate;
  readonly #gates = new Map<GroupId, RelayGate>();
  readonly #labels = new Map<RelayLabel, GroupId>();
  readonly #sides = new Map<LinkPort, Side>();
  readonly #budget = new ByteBudget(RELAY_QUEUE_BYTES);
  /** BINDs for which a way is being found, by their channels. */
  readonly #waiting = new Map<LinkPort, Set<number>>();
  #waitingCount = 0;
  #refused = 0;
  #droppedFrames = 0;

  constructor(init: { readonly clock: Clock; readonly maxLabels?: number }) {
    this.#clock = init.clock;
    this.#admissions = new AdmissionGate(init.clock);
    this.#maxLabels = init.maxLabels ?? MAX_LABELS;
  }

  /** Forwards in a group until it is closed; then its pipes end here. Throws `busy` the second time. */
  open(group: GroupId, gate: RelayGate): { close(): void } {
    if (this.#gates.has(group)) throw new PipevineError('busy', 'This group is relayed here already.');
    this.#gates.set(group, gate);
    return {
      close: () => {
        if (this.#gates.get(group) !== gate) return;
        this.#gates.delete(group);
        this.#endWhere(group, () => true, 'This peer relays no more in the group.');
      },
    };
  }

  /** Ends what is forwarded in a group for a neighbour that is no member of it any more. */
  endOf(group: GroupId, neighbour: PeerId): void {
    const isOf = ({ from, to }: RelayLabel): boolean =>
      from.port.link.remotePeer === neighbour || to.port.link.remotePeer === neighbour;
    this.#endWhere(group, isOf, 'A neighbour on the way is no member any more.');
  }

  forward(port: LinkPort, frame: BindFrame, portTo: (neighbour: PeerId) => LinkPort | undefined): void {
    // It came again while a way is being found.
    if (this.#waiting.get(port)?.has(frame.channel)) return;
    try {
      this.#forward(port, frame, portTo);
    } catch (error) {
      this.#refused++;
      throw located(error, frame);
    }
  }

  status(): Readonly<Record<string, RelayBound>> {
    const sides = [...this.#sides.values()];
    const most = (values: readonly number[]): number => Math.max(0, ...values);
    let droppedFrames = this.#droppedFrames;
    for (const label of this.#labels.keys()) droppedFrames += label.from.dropped + label.to.dropped;
    return {
      'relayed pipes': { used: this.#labels.size, limit: this.#maxLabels, dropped: this.#refused },
      'relayed pipes of one neighbour': {
        used: most(sides.map(({ labels }) => labels)),
        limit: MAX_LABELS_PER_NEIGHBOUR,
        dropped: 0,
      },
      'relayed pipes waiting for a way': { used: this.#waitingCount, limit: MAX_WAITING, dropped: 0 },
      'relayed bytes waiting': { used: this.#budget.used, limit: RELAY_QUEUE_BYTES, dropped: droppedFrames },
      'relayed bytes waiting for one neighbour': {
        used: most(sides.map(({ budget }) => budget.used)),
        limit: NEIGHBOUR_QUEUE_BYTES,
        dropped: 0,
      },
      ...this.#admissions.status(),
    };
  }

  #forward(from: LinkPort, frame: BindFrame, portTo: (neighbour: PeerId) => LinkPort | undefined): void {
    const group = groupIdFromBytes(frame.group);
    const gate = this.#gates.get(group);
    if (gate === undefined && group === WORLD_GROUP && this.#gates.size > 0) return this.#admit(from, frame, portTo);
    if (gate === undefined) {
      throw new PipevineError('unreachable', `This peer relays nothing in group ${shortGroupId(group)}; ask another.`);
    }
    const target = peerIdFromBytes(frame.target);
    const { hops, named } = readRelayedHead(frame.session);
    const source = peerIdFromBytes(frame.source);
    this.#requireWaitingRoom(from);
    const hop = gate.nextHop({ from: from.link.remotePeer, source, target, hops, named });
    const goOn = ({ to, named }: RelayHop): void => {
      const onOutcome = (reason: string | undefined): void => named && gate.onOutcome?.(target, named, reason);
      this.#goOn(
        group,
        from,
        frame,
        this.#portTo(frame, from, to, portTo),
        named === undefined ? {} : { named, onOutcome },
      );
    };
    if (!(hop instanceof Promise)) return goOn(hop);
    this.#wait(from, frame, async () => {
      const found = await hop;
      if (this.#gates.get(group) !== gate) throw new PipevineError('unreachable', 'This peer relays no more.');
      if (!from.closed) goOn(found);
    });
  }

  #requireWaitingRoom(from: LinkPort): void {
    const waiting = this.#waiting.get(from)?.size ?? 0;
    if (waiting < MAX_WAITING_PER_NEIGHBOUR && this.#waitingCount < MAX_WAITING) return;
    throw new PipevineError(
      'overloaded',
      `This relay looks for ways for ${this.#waitingCount} pipes, ${waiting} of them from this neighbour; wait for some.`,
    );
  }

  /** Answers the binder itself when it comes to nothing. */
  #wait(from: LinkPort, frame: BindFrame, goOn: () => Promise<void>): void {
    const channels = this.#waiting.get(from) ?? new Set();
    const done = (): void => {
      this.#waitingCount--;
      channels.delete(frame.channel);
      if (channels.size === 0) this.#waiting.delete(from);
    };
    this.#waiting.set(from, channels.add(frame.channel));
    this.#waitingCount++;
    goOn()
      .catch((cause: unknown) => {
        this.#refused++;
        const said = located(cause, frame);
        const error = said instanceof PipevineError ? said : new PipevineError('internal', 'The relay failed.');
        const reason = reasonForWire(error.message);
        if (!from.closed) from.send({ type: FrameType.unbind, channel: frame.channel, code: error.code, reason });
      })
      .finally(done);
  }

  /** Somebody becomes a member, or stays one: a place in the pool is taken, and given back when the pipe is over. */
  #admit(from: LinkPort, frame: BindFrame, portTo: (neighbour: PeerId) => LinkPort | undefined): void {
    const [source, target] = [peerIdFromBytes(frame.source), peerIdFromBytes(frame.target)];
    const bind = { from: from.link.remotePeer, source, target, ...readRelayedHead(frame.session) };
    const { group, to, place } = this.#admissions.pass(bind, frame, this.#gates);
    try {
      const label = this.#goOn(group, from, frame, this.#portTo(frame, from, to, portTo), {
        queueBytes: ADMISSION_QUEUE_BYTES,
        lifetimeMs: ADMISSION_LIFETIME_MS,
        maxBytes: MAX_ADMISSION_BYTES,
        onOver: () => place.release(),
      });
      place.onDisplaced = () => label.end('overloaded', 'Others wait to become members over this relay; try again.');
    } catch (error) {
      place.release();
      throw error;
    }
  }

  #portTo(
    frame: BindFrame,
    from: LinkPort,
    neighbour: PeerId,
    portTo: (neighbour: PeerId) => LinkPort | undefined,
  ): LinkPort {
    const to = portTo(neighbour);
    if (to !== undefined && to !== from && neighbour !== from.link.remotePeer) return to;
    const target = shortPeerId(peerIdFromBytes(frame.target));
    throw new PipevineError('unreachable', `Peer ${target} cannot be reached over this relay.`);
  }

  #goOn(group: GroupId, from: LinkPort, frame: BindFrame, to: LinkPort, about: LabelInit): RelayLabel {
    const sides = [
      { port: from, side: this.#side(from) },
      { port: to, side: this.#side(to) },
    ] as const;
    try {
      for (const { port, side } of sides) this.#requireRoom(port, side);
      return this.#add(group, frame, about, ...sides);
    } finally {
      for (const { port, side } of sides) this.#forget(port, side);
    }
  }

  #add(group: GroupId, frame: BindFrame, about: LabelInit, from: PortSide, to: PortSide): RelayLabel {
    const { queueBytes = LABEL_QUEUE_BYTES, ...rest } = about;
    const sides = { from, to };
    for (const { side } of [from, to]) {
      side.labels++;
      side.unanswered++;
    }
    let isOver = false;
    const onSettled = (which: 'from' | 'to'): void => {
      sides[which].side.unanswered--;
    };
    const onOver = (): void => {
      isOver = true;
      for (const { port, side } of [from, to]) {
        side.labels--;
        this.#forget(port, side);
      }
    };
    try {
      const label = new RelayLabel({
        clock: this.#clock,
        from: from.port,
        to: to.port,
        fromBudget: new ByteBudget(queueBytes, from.side.budget),
        toBudget: new ByteBudget(queueBytes, to.side.budget),
        frame,
        ...rest,
        onSettled,
        onOver: () => {
          onOver();
          about.onOver?.();
          this.#remove(label);
        },
      });
      // Sending BIND may have ended the link.
      if (!isOver) this.#labels.set(label, group);
      return label;
    } catch (error) {
      onSettled('from');
      onSettled('to');
      onOver();
      throw error;
    }
  }

  #remove(label: RelayLabel): void {
    if (this.#labels.delete(label)) this.#droppedFrames += label.from.dropped + label.to.dropped;
  }

  #requireRoom(port: LinkPort, side: Side): void {
    if (this.#labels.size >= this.#maxLabels) {
      throw new PipevineError('overloaded', `This relay forwards ${this.#maxLabels} pipes, its limit; ask another.`);
    }
    const isFull = side.labels >= MAX_LABELS_PER_NEIGHBOUR || side.unanswered >= MAX_UNANSWERED_PER_NEIGHBOUR;
    if (isFull || port.channels.full) {
      const who = shortPeerId(port.link.remotePeer);
      throw new PipevineError(
        'overloaded',
        `This relay forwards ${side.labels} pipes over the link to ${who}, ${side.unanswered} of them unanswered; close some.`,
      );
    }
  }

  #side(port: LinkPort): Side {
    let side = this.#sides.get(port);
    if (side === undefined) {
      side = { budget: new ByteBudget(NEIGHBOUR_QUEUE_BYTES, this.#budget), labels: 0, unanswered: 0 };
      this.#sides.set(port, side);
    }
    return side;
  }

  #forget(port: LinkPort, side: Side): void {
    if (side.labels === 0) this.#sides.delete(port);
  }

  #endWhere(group: GroupId, condition: (label: RelayLabel) => boolean, reason: string): void {
    for (const [label, its] of [...this.#labels]) {
      if (its === group && condition(label)) label.end('unreachable', reason);
    }
  }
}

/** The binder is told which relay of the way cannot pass on. */
function located(error: unknown, frame: BindFrame): unknown {
  if (!(error instanceof PipevineError) || error.code !== 'unreachable') return error;
  const hops = frame.session[1] ?? 0;
  return new PipevineError('unreachable', atRelay(hops + 1, error.message), { cause: error });
}
