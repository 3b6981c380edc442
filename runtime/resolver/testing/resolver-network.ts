import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { Overlay, type TestPeer } from '../../pipe/testing/overlay.ts';
import type { GroupResolver } from '../resolver.ts';
import { ResolverService } from '../resolver-service.ts';
import { TestGroup } from './test-group.ts';

export interface Member extends TestPeer {
  readonly service: ResolverService;
  readonly resolver: GroupResolver;
  /** Members that opened, in order. */
  readonly met: string[];
}

export interface MemberInit {
  readonly roles?: readonly string[];
  readonly notAfterMs?: number;
  /** Does not hear of revocations. */
  readonly stale?: boolean;
  readonly maxNeighbours?: number;
}

/** Members of one group with real endpoints, pipes and resolvers on a memory network in virtual time. */
export class ResolverNetwork {
  readonly overlay: Overlay;
  readonly group: TestGroup;
  readonly members: Member[] = [];

  constructor(seed: number | string = 1) {
    this.overlay = new Overlay(seed);
    this.group = new TestGroup(this.overlay.clock);
  }

  get clock() {
    return this.overlay.clock;
  }

  async member(name: string, init: MemberInit = {}): Promise<Member> {
    this.group.admit(this.overlay.identity(name).id, init.roles, init.notAfterMs);
    const groups = this.group.directory(init.stale);
    const peer = await this.overlay.peer(name, { groups });
    const met: string[] = [];
    const service = new ResolverService({
      identity: peer.identity,
      endpoint: peer.endpoint,
      pipes: peer.pipes,
      groups,
      clock: peer.process.clock,
      random: seededRandom(`resolver ${name}`),
      crypto: nodeCrypto,
      onMember: (_, other) => met.push(this.members.find(({ identity }) => identity.id === other)?.name ?? other),
      ...(init.maxNeighbours !== undefined && { maxNeighbours: init.maxNeighbours }),
    });
    const member = { ...peer, service, resolver: service.openGroup(this.group.group), met };
    this.members.push(member);
    return member;
  }

  /** Links pairs, and waits until both sides can ask. */
  async link(...pairs: readonly (readonly [Member, Member])[]): Promise<void> {
    for (const [a, b] of pairs) await this.clock.run(a.resolver.connect(b.identity.id));
    await this.clock.runUntil(() => pairs.every(([a, b]) => b.resolver.neighbour(a.identity.id) !== undefined), 10_000);
  }
}

/** `count` members a0, a1 ... in a row, each linked to the next. */
export async function chainOf(count: number): Promise<{ network: ResolverNetwork; members: Member[] }> {
  const network = new ResolverNetwork();
  const members: Member[] = [];
  for (let i = 0; i < count; i++) members.push(await network.member(`a${i}`));
  for (let i = 1; i < count; i++) {
    // Both are there.
    await network.link([members[i - 1] as Member, members[i] as Member]);
  }
  return { network, members };
}
