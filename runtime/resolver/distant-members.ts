import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PipeService, WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { OpenNeighbour } from './group-neighbours.ts';
import type { GroupNeighbour } from './resolver.ts';
import { DISTANT_IDLE_MS, MAX_DISTANT_MEMBERS, NEIGHBOUR_TIMEOUT_MS, RESOLVER_SERVICE } from './resolver-defaults.ts';

export interface DistantMembersInit {
  readonly group: GroupId;
  readonly endpoint: Pick<Endpoint, 'linkTo'>;
  readonly pipes: Pick<PipeService, 'requester'>;
  readonly clock: Clock;
}

interface Distant {
  /** Undefined while it is being opened. */
  member: OpenNeighbour | undefined;
  opening: Promise<OpenNeighbour> | undefined;
  /** Waiting for it, and questions under way. */
  uses: number;
  idle: Timer | undefined;
}

/**
 * Members that are asked over a relay because there is no link to them: a pipe to the resolver of each, closed when it is
 * idle. They are no neighbours: nothing is propagated to them. At most MAX_DISTANT_MEMBERS at a time.
 */
export class DistantMembers {
  readonly #init: DistantMembersInit;
  readonly #distant = new Map<PeerId, Distant>();
  #refused = 0;
  #closed = false;

  constructor(init: DistantMembersInit) {
    this.#init = init;
  }

  get used(): number {
    return this.#distant.size;
  }

  /** Members that were not asked because all places were in use. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * The member, by whatever way a pipe to it takes; undefined when a link to it stands by then, and it is a neighbour.
   * Default deadline 10 s. Rejects as `PipeService.requester` does, and with `overloaded`.
   */
  async open(peer: PeerId, options: WaitOptions = {}): Promise<GroupNeighbour | undefined> {
    const distant = this.#distant.get(peer) ?? this.#add(peer);
    distant.uses++;
    try {
      distant.opening ??= this.#open(peer, distant, options);
      const member = await distant.opening;
      if (this.#init.endpoint.linkTo(peer) !== undefined) return undefined;
      return this.#counted(peer, distant, member);
    } finally {
      this.#used(peer, distant);
    }
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    for (const [peer, distant] of [...this.#distant]) this.#remove(peer, distant);
  }

  #add(peer: PeerId): Distant {
    if (this.#closed) throw new PipevineError('closed', 'The group was closed.');
    if (this.#distant.size >= MAX_DISTANT_MEMBERS) {
      const [longest] = [...this.#distant].filter(([, { uses }]) => uses === 0);
      if (longest === undefined) {
        this.#refused++;
        throw new PipevineError(
          'overloaded',
          `${MAX_DISTANT_MEMBERS} members are being asked over relays, the limit; try again in a moment.`,
        );
      }
      this.#remove(...longest);
    }
    const distant: Distant = { member: undefined, opening: undefined, uses: 0, idle: undefined };
    this.#distant.set(peer, distant);
    return distant;
  }

  async #open(peer: PeerId, distant: Distant, { timeoutMs = NEIGHBOUR_TIMEOUT_MS }: WaitOptions) {
    try {
      // Not the signal of whoever is first: others may wait, too.
      const { group, pipes } = this.#init;
      const pipe = await pipes.requester({ peer, group, name: RESOLVER_SERVICE, timeoutMs });
      if (pipe.credential === undefined || this.#distant.get(peer) !== distant) {
        void pipe.close();
        const what = pipe.credential === undefined ? 'shows no credential' : 'is asked no more';
        throw new PipevineError('refused', `Peer ${shortPeerId(peer)} ${what}.`);
      }
      const member = new OpenNeighbour(pipe);
      distant.member = member;
      void pipe.closed.then(() => this.#remove(peer, distant));
      return member;
    } catch (error) {
      this.#remove(peer, distant);
      throw error;
    }
  }

  /** The member, kept open while it is being asked. */
  #counted(peer: PeerId, distant: Distant, member: OpenNeighbour): GroupNeighbour {
    const begin = (): void => {
      distant.uses++;
      distant.idle?.cancel();
    };
    const end = (): void => this.#used(peer, distant);
    return {
      peer,
      get credential() {
        return member.credential;
      },
      closed: member.closed,
      request: async (handler, body, options) => {
        begin();
        try {
          return await member.request(handler, body, options);
        } finally {
          end();
        }
      },
      async *stream(handler, body, options) {
        begin();
        try {
          yield* member.stream(handler, body, options);
        } finally {
          end();
        }
      },
    };
  }

  /** One use less; it is closed when none follows for a while, the one not used for longest first. */
  #used(peer: PeerId, distant: Distant): void {
    distant.uses--;
    if (distant.uses > 0 || this.#distant.get(peer) !== distant) return;
    this.#distant.delete(peer);
    this.#distant.set(peer, distant);
    distant.idle?.cancel();
    distant.idle = this.#init.clock.setTimer(DISTANT_IDLE_MS, () => this.#remove(peer, distant));
  }

  #remove(peer: PeerId, distant: Distant): void {
    if (this.#distant.get(peer) !== distant) return;
    this.#distant.delete(peer);
    distant.idle?.cancel();
    void distant.member?.pipe.close();
  }
}
