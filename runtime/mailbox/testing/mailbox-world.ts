import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { identityFromSeed } from '../../id/identity.ts';
import type { PeerId } from '../../id/peer-id.ts';
import { type FakeResolver, FakeResolvers } from '../../resolver/testing/fake-resolvers.ts';
import { TestGroup } from '../../resolver/testing/test-group.ts';
import { MailboxClient } from '../mailbox-client.ts';
import type { MailboxBound, MailboxBounds } from '../mailbox-defaults.ts';
import { MailboxServer } from '../mailbox-server.ts';

export const text = (value: string) => new TextEncoder().encode(value);
export const string = (value: Uint8Array) => new TextDecoder().decode(value);

export interface Member {
  readonly name: string;
  peer: FakeResolver;
  storage: MemoryStorage;
  client: MailboxClient | undefined;
  server: MailboxServer | undefined;
}

/** Members of one group with mailboxes, in virtual time. */
export class MailboxWorld {
  readonly clock = new VirtualClock();
  readonly group = new TestGroup(this.clock);
  readonly network = new FakeResolvers(this.clock, { group: this.group.group });
  /** What route advertisements say. */
  readonly relaysOf = new Map<PeerId, PeerId[]>();
  readonly #members: Member[] = [];

  member(name: string, roles: readonly string[] = ['member']): Member {
    const identity = identityFromSeed(nodeCrypto, seededRandom(`mailbox ${name}`).bytes(32));
    this.group.admit(identity.id, roles);
    const access = this.access();
    const credential = access.verify(identity.id, access.credentialOf(identity.id));
    if (credential === undefined) throw new Error('no credential');
    const peer = this.network.peer(name, { identity, credential });
    const storage = new MemoryStorage({ clock: this.clock });
    const member: Member = { name, peer, storage, client: undefined, server: undefined };
    this.#members.push(member);
    return member;
  }

  access() {
    const access = this.group.directory().access(this.group.group);
    if (access === undefined) throw new Error('no group');
    return access;
  }

  relay(name = 'relay', bounds: Partial<MailboxBounds> = {}): Member & { server: MailboxServer } {
    const member = this.member(name, ['member', 'relay']);
    return Object.assign(member, { server: this.serve(member, bounds) });
  }

  serve(member: Member, bounds: Partial<MailboxBounds> = {}): MailboxServer {
    const { peer: resolver, storage } = member;
    member.server = new MailboxServer({ resolver, storage, clock: this.clock, bounds });
    return member.server;
  }

  /** The member's client; `relays` are its own. */
  client(member: Member, relays: readonly Member[] = [], outbox?: MailboxBound): MailboxClient {
    const { peer: resolver, storage, server, name } = member;
    member.client = new MailboxClient({
      resolver,
      identity: resolver.identity,
      access: this.access(),
      storage,
      clock: this.clock,
      random: seededRandom(`client ${name} ${this.clock.monotonicMs()}`),
      crypto: nodeCrypto,
      staticKeyOf: async (peer) => this.#staticKey(peer),
      relaysOf: async (peer) => this.relaysOf.get(peer) ?? [],
      ownRelays: () => relays.map(({ peer }) => peer.localPeer),
      ...(server && { local: server }),
      ...(outbox && { outbox }),
    });
    return member.client;
  }

  /** Cuts the member's power and gives back what it finds when it starts again: not linked, nothing running. */
  crash(member: Member): Member {
    const { peer, name } = member;
    const storage = member.storage.crash();
    this.network.stop(peer);
    void member.client?.close();
    void member.server?.close();
    const { identity, credential } = peer;
    return {
      name,
      peer: this.network.peer(name, { identity, credential }),
      storage,
      client: undefined,
      server: undefined,
    };
  }

  away(member: Member): void {
    this.network.stop(member.peer);
  }

  back(member: Member): void {
    this.network.peers.set(member.peer.localPeer, member.peer);
  }

  #staticKey(peer: PeerId): Uint8Array {
    for (const member of this.#members) {
      if (member.peer.localPeer === peer) return member.peer.identity.agreement.publicKey;
    }
    throw new Error('nobody has that id');
  }
}
