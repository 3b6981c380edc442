import type { Advertisement } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { equalBytes } from '../advertisement/cose-sign1.ts';
import { decodePeerBody, encodePeerBody, type PeerBody } from '../advertisement/peer-body.ts';
import type { DiscoveryService } from '../discovery/discovery-service.ts';
import type { LocalDiscovery } from '../discovery/local-discovery.ts';
import type { ServiceAnnouncer } from '../discovery/service-announcement.ts';
import type { EndpointService } from '../endpoint/endpoint-service.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupAdvertisementInit } from '../group/group-advertisement.ts';
import { authorityOf, type Groups, type GroupsChange } from '../group/groups.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { MembershipRenewal } from '../membership/membership-renewal.ts';
import type { HostedPeers, Pipes } from '../pipe/pipes.ts';
import type { Platform } from '../platform/platform.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { GroupThings } from '../thing/group-things.ts';
import type { HostedPeerSources } from './hosted-peers.ts';
import { joinGroup } from './join-search.ts';
import { MemberGroup } from './member-group.ts';
import type { BoundStatus, JoinOptions, Peer, PeerGroup, PeerNotice, PeerStatus } from './peer.ts';
import type { InviteOptions, RunningPart } from './peer-part.ts';
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
  readonly discovery: DiscoveryService;
  readonly neighbours: RememberedNeighbours;
  readonly renewal: MembershipRenewal;
  readonly hosted: HostedPeerSources;
  readonly local: LocalDiscovery | undefined;
  readonly announcer: ServiceAnnouncer | undefined;
  readonly parts: readonly RunningPart[];
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
}

interface OpenGroup {
  readonly group: MemberGroup;
  readonly things: GroupThings;
  readonly unfollow: () => void;
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
    endpoint.subscribe({
      onLinkUp: (link) => this.notify({ type: 'neighbour-up', peer: link.remotePeer, address: link.remoteAddress }),
      onLinkDown: (link) => this.notify({ type: 'neighbour-down', peer: link.remotePeer }),
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
    return [...this.#groups.values()].map(({ group }) => group);
  }

  group(id: GroupId): PeerGroup | undefined {
    return this.#groups.get(id)?.group;
  }

  async createGroup(init: { readonly name: string }): Promise<PeerGroup> {
    this.#checkOpen();
    const { groups, store } = this.#init;
    const { group, name } = await groups.create(init);
    const authority = groups.signerOf(authorityOf(group));
    if (authority === undefined) throw new PipevineError('internal', 'A new group without the key of its authority.');
    await store.publish(authority, groupAdvertisementInit({ group, name }));
    await this.#advertise(group);
    return this.#opened(group);
  }

  async invite(group: GroupId, options: InviteOptions = {}): Promise<string> {
    this.#checkOpen();
    for (const part of this.#init.parts) {
      if (part.invite !== undefined) return (await part.invite(group, options)).code;
    }
    throw new PipevineError(
      'unsupported',
      'This peer was assembled without the part that admits members; make the code on the peer that made the group.',
    );
  }

  async join(code: string, options: JoinOptions = {}): Promise<PeerGroup> {
    this.#checkOpen();
    const { endpoint, pipes, local, groups, platform, seeds, neighbours } = this.#init;
    const { crypto, clock } = platform;
    const { addresses = [], ...wait } = options;
    const search = { code, addresses: [...addresses, ...seeds], name: this.name, endpoint, pipes, local, groups };
    const { membership, groupAdvertisement, administrator } = await joinGroup({ ...search, crypto, clock, ...wait });
    const { group } = membership;
    if (groupAdvertisement !== undefined) this.#receive(groupAdvertisement, group);
    const link = endpoint.linkTo(administrator);
    if (link?.dialled === true) neighbours.remember(administrator, [link.remoteAddress], true);
    await this.#advertise(group);
    return this.#opened(group);
  }

  async resign(group: GroupId): Promise<void> {
    this.#checkOpen();
    const { groups, store } = this.#init;
    if (groups.membership(group)?.authority === false) await store.withdraw(this.identity, { kind: 'peer', group });
    await groups.resign(group);
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

  /** Own addresses may be others than before: tells the groups, the local network and Zeroconf browsers. */
  addressesChanged(): void {
    if (this.#closing !== undefined) return;
    for (const group of this.#groups.keys()) this.#advertiseLater(group);
    void this.#init.announcer?.update();
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
    const { local, announcer, renewal, neighbours, discovery, parts, pipes, endpoint, store } = this.#init;
    renewal.close();
    neighbours.close();
    for (const seed of this.#seeds) seed.release();
    await Promise.all([local?.close(), announcer?.close()]);
    await Promise.all([...this.#groups.keys()].map((group) => this.#closeGroup(group)));
    await discovery.close();
    await Promise.all(parts.map((part) => part.close()));
    await pipes.close();
    await endpoint.close();
    await store.close();
    this.#listeners.clear();
  }

  #onGroupChange({ change, group }: GroupsChange): void {
    if (this.#closing !== undefined) return;
    if (change === 'joined') {
      this.#openGroup(group);
      this.notify({ type: 'group-joined', group, name: this.#opened(group).name });
    } else if (change === 'resigned') {
      void this.#closeGroup(group);
      this.#init.pipes.recheck(group);
      this.notify({ type: 'group-left', group });
    } else {
      if (change === 'revocations') this.#init.pipes.recheck(group);
      return;
    }
    this.#init.local?.changed();
  }

  #openGroup(id: GroupId): void {
    if (this.#groups.has(id)) return;
    const { discovery, pipes, platform, groups, store, hostOf } = this.#init;
    const { clock, random } = platform;
    discovery.openGroup(id);
    const things = new GroupThings({ group: id, identity: this.identity, clock, random, pipes, discovery, hostOf });
    const group = new MemberGroup({
      id,
      pipes,
      discovery,
      things,
      clock,
      membership: () => groups.membership(id) ?? { name: shortGroupId(id), credential: undefined },
    });
    const unsubscribe = store.subscribe(
      { kind: 'peer', group: id },
      ({ change, advertisement: { publisher }, own }) => {
        if (own || change === 'removed' || !discovery.neighboursOf(id).includes(publisher)) return;
        this.metMember(id, publisher);
      },
    );
    this.#groups.set(id, { group, things, unfollow: discovery.followNeighbours('peer', id), unsubscribe });
    this.#advertiseLater(id);
  }

  async #closeGroup(id: GroupId): Promise<void> {
    const open = this.#groups.get(id);
    if (open === undefined) return;
    this.#groups.delete(id);
    open.unsubscribe();
    open.unfollow();
    open.group.close();
    await open.things.close();
    await this.#init.discovery.closeGroup(id);
  }

  #advertiseLater(group: GroupId): void {
    this.#advertise(group).catch((error: unknown) => {
      if (!(error instanceof PipevineError)) throw error;
      // A full disk must not keep the peer from working; the store tries again when it renews.
      if (this.#closing === undefined) this.notify({ type: 'error', error });
    });
  }

  /** Publishes this peer's own advertisement, unless one that says the same is published already. */
  async #advertise(group: GroupId): Promise<void> {
    const { store, endpoint, roles } = this.#init;
    const staticKey = this.identity.agreement.publicKey;
    const body = encodePeerBody({ addresses: endpoint.addresses, roles, profile: roles[0] ?? '', staticKey });
    const known = store.get({ group, kind: 'peer', publisher: this.id, key: '' });
    if (known !== undefined && known.name === this.name && equalBytes(known.body, body)) return;
    const attributes = roles[0] === undefined ? {} : { role: roles[0] };
    await store.publish(this.identity, { kind: 'peer', group, name: this.name, attributes, body });
  }

  #receive(encoded: Uint8Array, group: GroupId): void {
    try {
      this.#init.store.receive(encoded, { group });
    } catch (error) {
      // The membership holds without it, and it comes again by discovery.
      if (!(error instanceof PipevineError)) throw error;
      this.notify({ type: 'error', error });
    }
  }

  #opened(group: GroupId): PeerGroup {
    const open = this.#groups.get(group);
    if (open === undefined) throw new PipevineError('closed', 'The peer was closed.');
    return open.group;
  }

  #queues(): Readonly<Record<string, BoundStatus>> {
    const { store, groups, discovery, endpoint, pipes, neighbours, local, parts } = this.#init;
    const { counters } = endpoint;
    const sum: Record<string, BoundStatus> = {};
    for (const { things } of this.#groups.values()) {
      for (const [name, { used, limit, dropped }] of Object.entries(things.status())) {
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

/** A publisher can sign nonsense about itself; then it has said nothing. */
function peerBodyOf({ body }: Advertisement): PeerBody | undefined {
  try {
    return decodePeerBody(body);
  } catch (error) {
    if (error instanceof PipevineError) return undefined;
    throw error;
  }
}
