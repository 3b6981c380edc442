import { MemoryStorage, nodeCrypto, seededRandom } from '@pipevine/transports';
import { Administration } from '../../group/administration.ts';
import { GroupSync } from '../../group/group-sync.ts';
import { Groups } from '../../group/groups.ts';
import type { GroupId } from '../../id/group-id.ts';
import type { Identity } from '../../id/identity.ts';
import { Overlay } from '../../pipe/testing/overlay.ts';
import type { GroupResolver } from '../../resolver/resolver.ts';
import { ResolverService } from '../../resolver/resolver-service.ts';
import type { PropagatePipe } from '../propagate-pipe.ts';
import { PropagatePipes } from '../propagate-pipes.ts';

export interface Member {
  readonly name: string;
  readonly identity: Identity;
  readonly groups: Groups;
  readonly storage: MemoryStorage;
  readonly administration: Administration;
  readonly resolver: GroupResolver;
  readonly propagate: PropagatePipes;
  readonly errors: unknown[];
  /** As by a power cut. */
  crash(): void;
}

/** Members of one group with real endpoints, pipes, resolvers and statements on a memory network in virtual time. */
export class PropagateNetwork {
  readonly overlay: Overlay;
  group!: GroupId; // Set by `make`, the only way to get one.
  home!: Member; // The same.

  private constructor(seed: number) {
    this.overlay = new Overlay(seed);
  }

  static async make(seed = 1): Promise<PropagateNetwork> {
    const network = new PropagateNetwork(seed);
    const storage = new MemoryStorage({ clock: network.clock });
    const groups = network.#groups('home', storage);
    const { group } = await network.clock.run(groups.create({ name: 'Home' }));
    network.group = group;
    network.home = await network.#start('home', groups, storage);
    return network;
  }

  get clock() {
    return this.overlay.clock;
  }

  /** A member that `by` has admitted. */
  async member(name: string, roles: readonly string[] = ['member'], by: Member = this.home): Promise<Member> {
    const storage = new MemoryStorage({ clock: this.clock });
    const groups = this.#groups(name, storage);
    const { encoded } = by.groups.issue(this.group, { subject: this.overlay.identity(name).id, roles });
    const statements = by.groups.statements(this.group).map((one) => one.encoded);
    await this.clock.run(groups.admit(encoded, { name: 'joined', statements }));
    return this.#start(name, groups, storage);
  }

  /** The peer again, with what it had stored. */
  async restart(member: Member): Promise<Member> {
    const storage = member.storage.crash(this.clock);
    return this.#start(member.name, this.#groups(member.name, storage), storage);
  }

  async link(...pairs: readonly (readonly [Member, Member])[]): Promise<void> {
    for (const [a, b] of pairs) await this.clock.run(a.resolver.connect(b.identity.id));
    await this.clock.runUntil(() => pairs.every(([a, b]) => b.resolver.neighbour(a.identity.id) !== undefined), 10_000);
  }

  async revoke(member: Member, by: Member = this.home): Promise<void> {
    const serial = member.groups.membership(this.group)?.credential.serial ?? '';
    await this.clock.run(by.administration.revoke(this.group, { serial }));
  }

  #groups(name: string, storage: MemoryStorage): Groups {
    const random = seededRandom(`groups ${name}`);
    return new Groups({
      storage,
      clock: this.clock,
      crypto: nodeCrypto,
      random,
      identity: this.overlay.identity(name),
    });
  }

  async #start(name: string, groups: Groups, storage: MemoryStorage): Promise<Member> {
    const peer = await this.overlay.peer(name, { groups });
    const { identity, endpoint, pipes, process } = peer;
    const { clock } = process;
    const random = seededRandom(`propagate ${name} ${this.clock.monotonicMs()}`);
    const shared = { identity, groups, clock, random, crypto: nodeCrypto };
    const service = new ResolverService({ ...shared, endpoint, pipes });
    const resolver = service.openGroup(this.group);
    new GroupSync({ ...shared, resolver });
    groups.subscribe(({ change }) => change === 'revocations' && pipes.recheck(this.group));
    const errors: unknown[] = [];
    const propagate = new PropagatePipes({
      ...shared,
      resolver,
      storage,
      onError: (error) => errors.push(error),
    });
    const administration = new Administration({ groups, clock });
    const crash = () => process.crash();
    return { name, identity, groups, storage, administration, resolver, propagate, errors, crash };
  }
}

export interface Listening {
  readonly pipe: PropagatePipe;
  /** `NAME: TEXT` of each message. */
  readonly heard: string[];
}

export function listen(network: PropagateNetwork, member: Member, name = 'news'): Listening {
  const pipe = member.propagate.open(name);
  const heard: string[] = [];
  const ids = new Map<string, string>();
  for (const each of ['home', 'a', 'b', 'c', 'd', 'thief', 'second']) ids.set(network.overlay.identity(each).id, each);
  pipe.receive(({ from, bytes }) => {
    heard.push(`${ids.get(from) ?? from}: ${text(bytes)}`);
  });
  return { pipe, heard };
}

export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
export const text = (value: Uint8Array): string => new TextDecoder().decode(value);
