import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { equalBytes } from '../advertisement/cose-sign1.ts';
import { encodePeerBody } from '../advertisement/peer-body.ts';
import type { DiscoveryService } from '../discovery/discovery-service.ts';
import type { LocalDiscovery } from '../discovery/local-discovery.ts';
import type { ServiceAnnouncer } from '../discovery/service-announcement.ts';
import type { EndpointService } from '../endpoint/endpoint-service.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupAdvertisementInit } from '../group/group-advertisement.ts';
import { authorityOf, type GroupMembership, type Groups, type GroupsChange } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { FoundGroup } from '../membership/join-client.ts';
import type { MembershipRenewal } from '../membership/membership-renewal.ts';
import { newPasswordBytes } from '../membership/password-bytes.ts';
import type { HostedPeers, Pipes } from '../pipe/pipes.ts';
import type { Platform } from '../platform/platform.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { RELAY_ATTRIBUTES, RELAY_ROLE } from '../relay/known-relays.ts';
import type { ResolverService } from '../resolver/resolver-service.ts';
import type { GroupServices } from './group-services.ts';
import type { HostedPeerSources } from './hosted-peers.ts';
import type { Joining } from './joining.ts';
import { peerBodyOf } from './member-list.ts';
import type { PathReport } from './path-report.ts';
import type {
  BoundStatus,
  CreateGroupInit,
  JoinOptions,
  JoinResult,
  Peer,
  PeerGroup,
  PeerNotice,
  PeerStatus,
} from './peer.ts';
import type { Administrator, InviteOptions, RunningPart } from './peer-part.ts';
import type { RememberedNeighbours } from './remembered-neighbours.ts';

/** Everything that a peer consists of, already put together. */
export interface OverlayPeerInit {
  readonly platform: Platform;
  readonly identity: Identity;
  readonly name: string;
  readonly roles: readonly string[];
  readonly seeds: readonly EndpointAddress[];
  readonly groups: Groups;
  readonly store: AdvertisementStore;
  readonly endpoint: EndpointService;
  readonly pipes: Pipes;
  readonly resolver: ResolverService;
  readonly discovery: DiscoveryService;
  readonly joining: Joining;
  readonly neighbours: RememberedNeighbours;
  readonly renewal: MembershipRenewal;
  readonly hosted: HostedPeerSources;
  readonly local: LocalDiscovery | undefined;
  readonly announcer: ServiceAnnouncer | undefined;
  readonly parts: readonly RunningPart[];
  readonly explain: (peer: PeerId) => PathReport;
  /** Starts what runs in one group. */
  readonly openGroup: (group: GroupId) => GroupServices;
}

interface OpenGroup {
  readonly services: GroupServices;
  readonly unsubscribe: () => void;
}

/** The peer that `createPeer` gives. It wires services together; what they do is theirs. */
export class OverlayPeer implements Peer {
  readonly id: PeerId;
  readonly name: string;
  readonly identity: Identity;
  readonly #init: OverlayPeerInit;
  readonly #groups = new Map<GroupId, OpenGroup>();
  readonly #listeners = new Set<(notice: PeerNotice) => void>();
  readonly #seeds: { release(): void }[] = [];
  readonly #startedAtMs: number;
  #closing: Promise<void> | undefined;

  constructor(init: OverlayPeerInit) {
    this.id = init.identity.id;
    this.name = init.name;
    this.identity = init.identity;
    this.#init = init;
    this.#startedAtMs = init.platform.clock.monotonicMs();
  }

  /** Listens, opens the groups, and begins to look for others. Rejects when an address cannot be used. */
  async start(listen: readonly EndpointAddress[]): Promise<void> {
    const { endpoint, groups, neighbours, local, announcer, seeds } = this.#init;
    const up = new Set<PeerId>();
    endpoint.subscribe({
      onLinkUp: ({ remotePeer: peer, remoteAddress: address }) => {
        // Another link took the place of the first.
        if (up.has(peer)) return;
        up.add(peer);
        this.notify({ type: 'neighbour-up', peer, address });
      },
      onLinkDown: ({ remotePeer: peer }) => {
        up.delete(peer);
        this.notify({ type: 'neighbour-down', peer });
      },
    });
    for (const address of listen) await endpoint.listen(address);
    groups.subscribe((change) => this.#onGroupChange(change));
    for (const { group } of groups.list()) this.#openGroup(group);
    neighbours.start();
    for (const seed of seeds) this.#seeds.push(endpoint.want(seed));
    // Neither may hold up the start: a network can be slow to open, and comes back by itself.
    void local?.start();
    void announcer?.update();
  }

  get addresses(): readonly EndpointAddress[] {
    return this.#init.endpoint.addresses;
  }

  get groups(): readonly PeerGroup[] {
    return [...this.#groups.values()].map(({ services }) => services.group);
  }

  group(id: GroupId): PeerGroup | undefined {
    return this.#groups.get(id)?.services.group;
  }

  get applications(): Peer['applications'] {
    return this.#init.joining.applications.map(({ group, name, askedAtMs }) => ({ group, name, since: askedAtMs }));
  }

  async createGroup({ password, ...init }: CreateGroupInit): Promise<PeerGroup> {
    this.#checkOpen();
    if ((init.policy?.type === 'password') !== (password !== undefined)) {
      throw new PipevineError('invalid-argument', 'A group that admits by password needs one, and no other takes one.');
    }
    // Before the group is there: without this part, or with a password that does not do, nobody could ever be admitted.
    const administrator = password === undefined ? undefined : this.#administrator();
    if (password !== undefined) newPasswordBytes(password);
    const { group } = await this.#init.groups.create(init);
    if (password !== undefined) await administrator?.setPassword(group, password);
    await this.#advertiseGroup(group);
    await this.#advertise(group);
    return this.#opened(group);
  }

  async invite(group: GroupId, options: InviteOptions = {}): Promise<string> {
    this.#checkOpen();
    return (await this.#administrator().invite(group, options)).code;
  }

  async join(code: string, options: JoinOptions = {}): Promise<PeerGroup> {
    this.#checkOpen();
    const outcome = await this.#init.joining.byCode(code, options);
    if (outcome.state !== 'joined') throw new PipevineError('protocol', 'A code was answered with "pending".');
    return this.#opened(outcome.membership.group);
  }

  async joinGroup(group: GroupId, options: JoinOptions & { readonly password?: string } = {}): Promise<JoinResult> {
    this.#checkOpen();
    const outcome = await this.#init.joining.toGroup(group, options);
    if (outcome.state === 'joined') return { state: 'joined', group: this.#opened(outcome.membership.group) };
    return { state: 'pending', have: outcome.have, needed: outcome.needed };
  }

  findGroups(options: JoinOptions & { readonly name?: string } = {}): AsyncIterable<FoundGroup> {
    this.#checkOpen();
    return this.#init.joining.find(options);
  }

  /** This peer has become a member: makes itself known, and remembers where it was admitted. */
  async joined({ group }: GroupMembership, administrator: PeerId): Promise<void> {
    const { endpoint, neighbours } = this.#init;
    const link = endpoint.linkTo(administrator);
    if (link?.dialled === true) neighbours.remember(administrator, [link.remoteAddress], true);
    await this.#advertise(group);
  }

  async resign(group: GroupId, options: { readonly end?: boolean } = {}): Promise<void> {
    this.#checkOpen();
    const { groups, store, joining } = this.#init;
    await joining.withdraw(group);
    const membership = groups.membership(group);
    if (membership === undefined) return;
    if (!membership.authority) {
      await store.withdraw(this.identity, { kind: 'peer', group });
      await joining.sayGoodbye(membership);
    }
    await groups.resign(group, { forgetAuthority: options.end === true });
  }

  host(peers: HostedPeers): { release(): void } {
    this.#checkOpen();
    return this.#init.hosted.add(peers);
  }

  subscribe(listener: (notice: PeerNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(notice: PeerNotice): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(notice);
      } catch (error) {
        // The listener's defect, reported as such, and no harm to the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** This peer has begun or ended to serve the group as a rendezvous. */
  servingChanged(group: GroupId): void {
    if (this.#closing === undefined && this.#groups.has(group)) this.#advertiseLater(group);
  }

  /** Own addresses may be others than before: tells the groups, the local network and Zeroconf browsers. */
  addressesChanged(): void {
    if (this.#closing !== undefined) return;
    for (const group of this.#groups.keys()) this.#advertiseLater(group);
    for (const { punch } of this.#init.parts) punch?.networkChanged();
    void this.#init.announcer?.update();
  }

  /** Where a rendezvous of any group may be dialled, as other rendezvous say. */
  rendezvousAddressesOf(peer: PeerId): readonly EndpointAddress[] {
    return [...this.#groups.values()].flatMap(({ services }) => services.addressesOf(peer));
  }

  /** A neighbour has proven to be a member of a group: worth finding again. */
  metMember(group: GroupId, peer: PeerId): void {
    const { endpoint, neighbours, store } = this.#init;
    const link = endpoint.linkTo(peer);
    const advertisement = store.get({ group, kind: 'peer', publisher: peer, key: '' });
    const body = advertisement && peerBodyOf(advertisement);
    const addresses = new Set(link?.dialled === true ? [link.remoteAddress] : []);
    for (const address of body?.addresses ?? []) addresses.add(address);
    neighbours.remember(peer, [...addresses], body?.roles.includes('gateway') ?? false);
  }

  explain(peer: PeerId): PathReport {
    return this.#init.explain(peer);
  }

  status(): PeerStatus {
    const { endpoint, groups, platform, roles } = this.#init;
    return {
      peer: this.id,
      name: this.name,
      roles,
      uptimeMs: platform.clock.monotonicMs() - this.#startedAtMs,
      groups: groups.list().map(({ group, name, credential }) => ({ id: group, name, roles: credential.roles })),
      addresses: endpoint.addresses,
      links: endpoint.links().map((link) => ({
        peer: link.remotePeer,
        transport: link.remoteAddress.split('://', 1)[0] ?? '',
        address: link.remoteAddress,
        rttMs: link.rttMs,
        bytesIn: link.traffic.bytesIn,
        bytesOut: link.traffic.bytesOut,
      })),
      queues: this.#queues(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { local, announcer, renewal, joining, neighbours, parts, resolver, discovery, pipes, endpoint, store } =
      this.#init;
    renewal.close();
    joining.close();
    neighbours.close();
    for (const seed of this.#seeds) seed.release();
    await Promise.all([local?.close(), announcer?.close()]);
    await Promise.all([...this.#groups.keys()].map((group) => this.#closeGroup(group)));
    discovery.close();
    await resolver.close();
    await Promise.all(parts.map((part) => part.close()));
    await pipes.close();
    await endpoint.close();
    await store.close();
    this.#listeners.clear();
  }

  #onGroupChange({ change, group, statement }: GroupsChange): void {
    if (this.#closing !== undefined) return;
    if (change === 'joined') {
      this.#openGroup(group);
      this.notify({ type: 'group-joined', group, name: this.#opened(group).name });
    } else if (change === 'resigned') {
      void this.#closeGroup(group);
      this.#init.pipes.recheck(group);
      this.notify({ type: 'group-left', group });
    } else {
      const services = this.#groups.get(group)?.services;
      if (change === 'renewed') {
        services?.credentialChanged();
        this.#advertiseLater(group);
      }
      // Another charter can take back what a quorum of former approvers gave.
      if (change === 'revocations' || statement?.type === 'charter') services?.recheck();
      if (statement?.type === 'charter') this.#advertiseGroup(group).catch((error: unknown) => this.#failed(error));
      return;
    }
    this.#init.local?.changed();
  }

  #openGroup(id: GroupId): void {
    if (this.#groups.has(id)) return;
    const { discovery, openGroup, store } = this.#init;
    const services = openGroup(id);
    const unsubscribe = store.subscribe(
      { kind: 'peer', group: id },
      ({ change, advertisement: { publisher }, own }) => {
        if (own || change === 'removed' || !discovery.isNeighbour(publisher, id)) return;
        this.metMember(id, publisher);
      },
    );
    this.#groups.set(id, { services, unsubscribe });
    this.#advertiseLater(id);
  }

  async #closeGroup(id: GroupId): Promise<void> {
    const open = this.#groups.get(id);
    if (open === undefined) return;
    this.#groups.delete(id);
    open.unsubscribe();
    await open.services.close();
  }

  #advertiseLater(group: GroupId): void {
    this.#advertise(group).catch((error: unknown) => this.#failed(error));
  }

  /** A full disk must not keep the peer from working; the store tries again when it renews. */
  #failed(error: unknown): void {
    if (!(error instanceof PipevineError)) throw error;
    if (this.#closing === undefined) this.notify({ type: 'error', error });
  }

  /** Publishes the group's own advertisement, where its authority is kept. */
  async #advertiseGroup(group: GroupId): Promise<void> {
    const { groups, store } = this.#init;
    const charter = groups.charter(group);
    const authority = groups.signerOf(authorityOf(group));
    if (authority !== undefined && charter !== undefined) {
      await store.publish(authority, groupAdvertisementInit(charter));
    }
  }

  /** Publishes this peer's own advertisement, unless one that says the same is published already. */
  async #advertise(group: GroupId): Promise<void> {
    const { store, endpoint, groups } = this.#init;
    const staticKey = this.identity.agreement.publicKey;
    const credential = groups.membership(group)?.credential.encoded;
    const services = this.#groups.get(group)?.services;
    const serves = [services?.serving && 'rendezvous', services?.relaying && RELAY_ROLE];
    const roles = [...this.#init.roles, ...serves.filter((role) => typeof role === 'string')];
    const profile = roles[0] ?? '';
    const body = encodePeerBody({
      addresses: endpoint.addresses,
      roles,
      profile,
      staticKey,
      ...(credential && { credential }),
    });
    const known = store.get({ group, kind: 'peer', publisher: this.id, key: '' });
    if (known !== undefined && known.name === this.name && equalBytes(known.body, body)) return;
    const attributes = { ...(profile && { role: profile }), ...(services?.relaying && RELAY_ATTRIBUTES) };
    await store.publish(this.identity, { kind: 'peer', group, name: this.name, attributes, body });
  }

  #opened(group: GroupId): PeerGroup {
    const open = this.#groups.get(group);
    if (open === undefined) throw new PipevineError('closed', 'The peer was closed.');
    return open.services.group;
  }

  #administrator(): Administrator {
    for (const { administrator } of this.#init.parts) if (administrator !== undefined) return administrator;
    throw new PipevineError(
      'unsupported',
      'This peer was assembled without the part that admits members; do it on the peer that made the group.',
    );
  }

  #queues(): Readonly<Record<string, BoundStatus>> {
    const { store, groups, resolver, discovery, joining, endpoint, pipes, neighbours, local, parts } = this.#init;
    const { counters } = endpoint;
    const sum: Record<string, BoundStatus> = {};
    for (const bounds of [...this.#groups.values()].flatMap(({ services }) => services.status())) {
      for (const [name, { used, limit, dropped }] of Object.entries(bounds)) {
        const before = sum[name] ?? { used: 0, limit, dropped: 0 };
        sum[name] = { used: before.used + used, limit, dropped: before.dropped + dropped };
      }
    }
    return {
      links: { used: counters.links, limit: counters.maxLinks, dropped: counters.refusedLinks },
      'half-open links': {
        used: counters.halfOpen,
        limit: counters.maxHalfOpen,
        dropped: counters.refusedHandshakes + counters.failedHandshakes,
      },
      dials: { used: counters.races, limit: counters.maxRaces, dropped: 0 },
      'wanted links': { used: counters.wanted, limit: counters.maxWanted, dropped: 0 },
      ...pipes.status(),
      ...store.status(),
      ...groups.status(),
      ...joining.status(),
      ...resolver.status(),
      ...discovery.status(),
      ...neighbours.status(),
      ...local?.status(),
      ...sum,
      ...Object.assign({}, ...parts.map((part) => part.status())),
    };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new PipevineError('closed', 'The peer was closed.');
  }
}
