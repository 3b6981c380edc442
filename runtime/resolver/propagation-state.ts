import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PropagatedMessage } from './resolver-codec.ts';
import { CLOCK_TOLERANCE_MS, MAX_TTL_HOPS } from './resolver-defaults.ts';
import { SeenMessages } from './seen-messages.ts';

type Identified = Pick<PropagatedMessage, 'id' | 'issuedAtMs'> & { readonly origin: PeerId };

/** How a message came: from whom, and by whom it says that it went. */
export interface Arrival {
  readonly from: PeerId;
  readonly path: readonly PeerId[];
  readonly ttlHops: number;
}

/** Which propagated messages a member of a group takes, and which it passes on. Does no I/O, checks no signatures. */
export class PropagationState {
  readonly seen = new SeenMessages();
  readonly #localPeer: PeerId;
  readonly #group: GroupId;

  constructor(group: GroupId, localPeer: PeerId) {
    this.#group = group;
    this.#localPeer = localPeer;
  }

  /**
   * Whether a message is new, before anything dear is done for it: false for one that came before or has gone in a circle.
   * Throws `malformed` (a path that cannot be), `refused` (another group) or `expired` (issued at another time).
   */
  isNew(
    message: Identified & Pick<PropagatedMessage, 'group' | 'timeoutMs'>,
    { from, path, ttlHops }: Arrival,
    wallMs: number,
  ): boolean {
    if (path[0] !== message.origin || path.at(-1) !== from || path.length + ttlHops > MAX_TTL_HOPS + 1) {
      throw new PipevineError(
        'malformed',
        `The path of a propagated message begins with its origin, ends with its sender and has ${MAX_TTL_HOPS} hops at most.`,
      );
    }
    if (path.includes(this.#localPeer)) return false;
    if (message.group !== this.#group) {
      throw new PipevineError('refused', 'A propagated message of another group came; it is dropped.');
    }
    const ageMs = wallMs - message.issuedAtMs;
    if (ageMs < -CLOCK_TOLERANCE_MS || ageMs > CLOCK_TOLERANCE_MS + message.timeoutMs) {
      throw new PipevineError(
        'expired',
        `A propagated message was issued ${Math.round(ageMs / 1000)} s ago; check the clock of peer ${shortPeerId(message.origin)} and of this one.`,
      );
    }
    return !this.seen.has(message);
  }

  /** Takes a message whose signature was checked. Throws `overloaded` when its origin sends too many. */
  take(message: Identified, nowMs: number): void {
    if (!this.seen.add(message, nowMs)) {
      throw new PipevineError('overloaded', `Peer ${shortPeerId(message.origin)} propagates too much; wait a second.`);
    }
  }
}
