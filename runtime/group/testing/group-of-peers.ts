import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import type { GroupId } from '../../id/group-id.ts';
import { type Identity, identityFromSeed } from '../../id/identity.ts';
import { Administration } from '../administration.ts';
import type { CreateGroupInit } from '../groups.ts';
import { Groups } from '../groups.ts';

/** A peer and what it knows of its groups. */
export interface TestPeer {
  readonly identity: Identity;
  readonly groups: Groups;
  readonly storage: MemoryStorage;
  readonly administration: Administration;
  /** As after a restart of its process. */
  again(): Groups;
}

export function testPeer(clock: VirtualClock, name: string): TestPeer {
  const identity = identityFromSeed(nodeCrypto, seededRandom(`peer ${name}`).bytes(32));
  const storage = new MemoryStorage({ clock });
  const random = seededRandom(`groups ${name}`);
  const again = () => new Groups({ storage, clock, crypto: nodeCrypto, random, identity });
  const groups = again();
  return { identity, groups, storage, administration: new Administration({ groups, clock }), again };
}

/** A group, the peer that keeps its authority, and others that were admitted with these roles. */
export class GroupOfPeers {
  readonly clock: VirtualClock;
  readonly home: TestPeer;
  readonly group: GroupId;

  private constructor(clock: VirtualClock, home: TestPeer, group: GroupId) {
    this.clock = clock;
    this.home = home;
    this.group = group;
  }

  static async make(init: Partial<CreateGroupInit> = {}): Promise<GroupOfPeers> {
    const clock = new VirtualClock();
    const home = testPeer(clock, `home of ${init.name}`);
    const { group } = await clock.run(home.groups.create({ name: 'Home', ...init }));
    return new GroupOfPeers(clock, home, group);
  }

  /** A peer that `by` has admitted, and that knows the charter. */
  async member(name: string, roles: readonly string[] = ['member'], by: TestPeer = this.home): Promise<TestPeer> {
    const peer = testPeer(this.clock, name);
    const { encoded } = by.groups.issue(this.group, { subject: peer.identity.id, roles });
    const { encoded: charter } = this.home.groups.charter(this.group) ?? { encoded: new Uint8Array(0) };
    await this.clock.run(peer.groups.admit(encoded, { name: 'joined', statements: [charter] }));
    return peer;
  }

  async members(names: readonly string[]): Promise<TestPeer[]> {
    const peers: TestPeer[] = [];
    for (const name of names) peers.push(await this.member(name));
    return peers;
  }

  credential(peer: TestPeer): Uint8Array {
    const membership = peer.groups.membership(this.group);
    if (membership === undefined) throw new Error('no member');
    return membership.credential.encoded;
  }

  serial(peer: TestPeer): string {
    return peer.groups.membership(this.group)?.credential.serial ?? '';
  }

  /** Hands over all that one peer holds to another; returns the codes of what was not taken. */
  async tell(from: TestPeer, to: TestPeer): Promise<string[]> {
    const codes: string[] = [];
    for (const { encoded } of from.groups.statements(this.group)) {
      await this.clock.run(
        to.groups.receive(this.group, encoded).catch((error: { code: string }) => codes.push(error.code)),
      );
    }
    return codes;
  }

  /** `none`, or the code with which `at` refuses what `shown` shows. */
  verdict(at: TestPeer, shown: TestPeer, credential: Uint8Array = this.credential(shown)): string {
    try {
      at.groups.verify(this.group, shown.identity.id, credential);
      return 'none';
    } catch (error) {
      return (error as { code: string }).code; // Groups throws nothing but PipevineErrors.
    }
  }
}
