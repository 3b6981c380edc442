import type { Endpoint } from '../endpoint/endpoint.ts';
import type { GroupDirectory } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeService } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { DistantMembers } from './distant-members.ts';
import { GroupNeighbours } from './group-neighbours.ts';
import { OpenGroupResolver, type ResolverCounters } from './group-resolver.ts';
import { QueryAdmission } from './query-admission.ts';
import type { GroupResolver, ReachingResolver } from './resolver.ts';
import { MAX_DISTANT_MEMBERS, MAX_NEIGHBOURS, MAX_ORIGINS, MAX_QUERIES_EACH } from './resolver-defaults.ts';

export interface ResolverServiceInit {
  readonly identity: Identity;
  readonly endpoint: Pick<Endpoint, 'links' | 'linkTo' | 'subscribe' | 'connect'>;
  readonly pipes: Pick<PipeService, 'serve' | 'requester'>;
  readonly groups: GroupDirectory;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  /** Members asked in a group at a time; default 256, for a rendezvous more. */
  readonly maxNeighbours?: number;
  /** A neighbour has proven to be a member of a group. */
  readonly onMember?: (group: GroupId, peer: PeerId) => void;
}

interface OpenGroup {
  readonly resolver: OpenGroupResolver;
  readonly neighbours: GroupNeighbours;
  readonly distant: DistantMembers;
}

/** Asking and answering in the groups that were opened. */
export class ResolverService {
  readonly #init: ResolverServiceInit;
  readonly #maxNeighbours: number;
  readonly #admission: QueryAdmission;
  readonly #counters: ResolverCounters = { forged: 0, repeated: 0, refused: 0 };
  readonly #groups = new Map<GroupId, OpenGroup>();

  constructor(init: ResolverServiceInit) {
    this.#init = init;
    this.#maxNeighbours = init.maxNeighbours ?? MAX_NEIGHBOURS;
    this.#admission = new QueryAdmission(MAX_QUERIES_EACH * this.#maxNeighbours);
  }

  /** Begins to serve and to ask in a group that this peer is a member of. Idempotent: the resolver that there is. */
  openGroup(group: GroupId): ReachingResolver {
    const before = this.#groups.get(group);
    if (before !== undefined) return before.resolver;
    const neighbours = new GroupNeighbours({ ...this.#init, group, maxNeighbours: this.#maxNeighbours });
    const distant = new DistantMembers({ ...this.#init, group });
    const resolver = new OpenGroupResolver({
      ...this.#init,
      group,
      neighbours,
      distant,
      admission: this.#admission,
      counters: this.#counters,
    });
    this.#groups.set(group, { resolver, neighbours, distant });
    neighbours.subscribe({ onOpen: ({ peer }) => this.#init.onMember?.(group, peer), onClosed: () => undefined });
    // No pipe opens before the caller has put its handlers in: that takes a turn of messages at least.
    neighbours.start();
    return resolver;
  }

  /** The resolver of a group that was opened. */
  group(group: GroupId): GroupResolver | undefined {
    return this.#groups.get(group)?.resolver;
  }

  /** Idempotent. */
  async closeGroup(group: GroupId): Promise<void> {
    const open = this.#groups.get(group);
    this.#groups.delete(group);
    await open?.resolver.close();
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    const groups = [...this.#groups.values()];
    const sum = (count: (open: OpenGroup) => number) => groups.reduce((total, open) => total + count(open), 0);
    const { underWay, limit, refused } = this.#admission;
    const count = (dropped: number) => ({ used: 0, limit: 0, dropped });
    return {
      'resolver neighbours': {
        used: sum(({ neighbours }) => neighbours.used),
        limit: this.#maxNeighbours,
        dropped: sum(({ neighbours }) => neighbours.ignored),
      },
      'members asked over relays': {
        used: sum(({ distant }) => distant.used),
        limit: MAX_DISTANT_MEMBERS,
        dropped: sum(({ distant }) => distant.refused),
      },
      'resolver queries': { used: underWay, limit, dropped: refused },
      'resolver origins': {
        used: sum(({ resolver }) => resolver.seen.size),
        limit: MAX_ORIGINS,
        dropped: sum(({ resolver }) => resolver.seen.evicted),
      },
      'propagated messages forged': count(this.#counters.forged),
      'propagated messages refused': count(this.#counters.refused),
      'propagated messages repeated': count(this.#counters.repeated),
    };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#groups.keys()].map((group) => this.closeGroup(group)));
  }
}
