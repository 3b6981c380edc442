import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, groupIdFromBytes, shortGroupId } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes, shortPeerId } from '../id/peer-id.ts';
import type { BindForwarder } from '../pipe/bind-forwarder.ts';
import type { LinkPort } from '../pipe/link-port.ts';
import type { Clock } from '../platform/clock.ts';
import type { BindFrame } from '../wire/frame.ts';
import { ByteBudget } from './byte-budget.ts';
import {
  LABEL_QUEUE_BYTES,
  MAX_LABELS,
  MAX_LABELS_PER_NEIGHBOUR,
  MAX_UNANSWERED_PER_NEIGHBOUR,
  NEIGHBOUR_QUEUE_BYTES,
  RELAY_QUEUE_BYTES,
} from './relay-defaults.ts';
import { RelayLabel } from './relay-label.ts';

/** Says for one group who may be relayed, and over whom. */
export interface RelayGate {
  /**
   * The neighbour to whom a BIND of `source` that came from the neighbour `from` goes on. Throws `refused` when `from` is no
   * member of the group or does not speak for `source`, `unreachable` when no way to the target is known.
   */
  nextHop(from: PeerId, source: PeerId, target: PeerId): PeerId;
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

interface PortSide {
  readonly port: LinkPort;
  readonly side: Side;
}

/** Forwards pipes between neighbours, for the groups that are open here. */
export class RelayForwarder implements BindForwarder {
  readonly #clock: Clock;
  readonly #maxLabels: number;
  readonly #gates = new Map<GroupId, RelayGate>();
  readonly #labels = new Map<RelayLabel, GroupId>();
  readonly #sides = new Map<LinkPort, Side>();
  readonly #budget = new ByteBudget(RELAY_QUEUE_BYTES);
  #refused = 0;
  #droppedFrames = 0;

  constructor(init: { readonly clock: Clock; readonly maxLabels?: number }) {
    this.#clock = init.clock;
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
    try {
      this.#forward(port, frame, portTo);
    } catch (error) {
      this.#refused++;
      throw error;
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
      'relayed bytes waiting': { used: this.#budget.used, limit: RELAY_QUEUE_BYTES, dropped: droppedFrames },
      'relayed bytes waiting for one neighbour': {
        used: most(sides.map(({ budget }) => budget.used)),
        limit: NEIGHBOUR_QUEUE_BYTES,
        dropped: 0,
      },
    };
  }

  #forward(from: LinkPort, frame: BindFrame, portTo: (neighbour: PeerId) => LinkPort | undefined): void {
    const group = groupIdFromBytes(frame.group);
    const gate = this.#gates.get(group);
    if (gate === undefined) {
      throw new PipevineError('unreachable', `This peer relays nothing in group ${shortGroupId(group)}; ask another.`);
    }
    const target = peerIdFromBytes(frame.target);
    const hop = gate.nextHop(from.link.remotePeer, peerIdFromBytes(frame.source), target);
    const to = portTo(hop);
    if (to === undefined || to === from || hop === from.link.remotePeer) {
      throw new PipevineError('unreachable', `Peer ${shortPeerId(target)} cannot be reached over this relay.`);
    }
    const sides = [
      { port: from, side: this.#side(from) },
      { port: to, side: this.#side(to) },
    ] as const;
    try {
      for (const { port, side } of sides) this.#requireRoom(port, side);
      this.#add(group, frame, ...sides);
    } finally {
      for (const { port, side } of sides) this.#forget(port, side);
    }
  }

  #add(group: GroupId, frame: BindFrame, from: PortSide, to: PortSide): void {
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
        fromBudget: new ByteBudget(LABEL_QUEUE_BYTES, from.side.budget),
        toBudget: new ByteBudget(LABEL_QUEUE_BYTES, to.side.budget),
        frame,
        onSettled,
        onOver: () => {
          onOver();
          this.#remove(label);
        },
      });
      // Sending BIND may have ended the link.
      if (!isOver) this.#labels.set(label, group);
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
