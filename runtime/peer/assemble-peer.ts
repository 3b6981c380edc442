import { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { AdvertisedRoutes } from '../discovery/advertised-routes.ts';
import { DiscoveryService } from '../discovery/discovery-service.ts';
import { LocalDiscovery } from '../discovery/local-discovery.ts';
import { ServiceAnnouncer } from '../discovery/service-announcement.ts';
import { EndpointService } from '../endpoint/endpoint-service.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import { type GroupMembership, Groups } from '../group/groups.ts';
import { type GroupId, WORLD_GROUP } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { MEMBERSHIP_SERVICE } from '../membership/membership-defaults.ts';
import { MembershipRenewal } from '../membership/membership-renewal.ts';
import { TrafficTotal } from '../peerinfo/traffic-total.ts';
import type { BindForwarder } from '../pipe/bind-forwarder.ts';
import type { RequestPipe, WaitOptions } from '../pipe/pipe.ts';
import { Pipes } from '../pipe/pipes.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { PUNCH_PIPE } from '../punch/punch-defaults.ts';
import { ResolverService } from '../resolver/resolver-service.ts';
import { RoutedRelays } from '../router/routed-relays.ts';
import { doubtedMembership } from './doubted-membership.ts';
import { explainPeer } from './explain-peer.ts';
import { GroupServices } from './group-services.ts';
import { HostedPeerSources } from './hosted-peers.ts';
import { Joining } from './joining.ts';
import { shownCredential } from './member-list.ts';
import { OverlayPeer, type OverlayPeerInit } from './overlay-peer.ts';
import type { Peer } from './peer.ts';
import { checkPeerInit, type PeerInit } from './peer-init.ts';
import type { PeerPart, RunningPart } from './peer-part.ts';
import { RememberedNeighbours } from './remembered-neighbours.ts';

/** Advertisements of others that a peer holds: a thing and a delegation for each of 20,000 devices, and room besides. */
const MAX_FOREIGN = 50_000;
/** Peers asked to renew a membership, one after another. */
const MAX_ADMINISTRATORS_ASKED = 8;

/**
 * Puts a peer together from what every peer has and the given parts, and starts it. Rejects with `invalid-argument`,
 * `invalid-address`, `address-in-use`, `malformed` (damaged memberships) or an error of the storage; nothing is left running then.
 */
export async function assemblePeer(init: PeerInit, parts: readonly PeerPart[]): Promise<Peer> {
  checkPeerInit(init);
  const { platform, limits } = init;
  const { storage, clock, crypto, random, transports } = platform;
  const identity = identityFromSeed(crypto, init.seed);
  const roles = init.roles ?? ['edge'];
  const name = init.name ?? shortPeerId(identity.id);
  const hosted = new HostedPeerSources();
  const hosts = (peer: PeerId) => hosted.find(peer) !== undefined;
  const groups = new Groups({ storage, clock, crypto, random, identity, hosts });
  const store = new AdvertisementStore({
    storage,
    clock,
    crypto,
    random,
    bounds: { maxForeign: MAX_FOREIGN, ...limits?.advertisements },
    identityOf: (peer) => (peer === identity.id ? identity : (groups.signerOf(peer) ?? hosted.find(peer))),
  });
  const otherAddresses = (other: PeerId): readonly EndpointAddress[] => [
    ...(local?.addressesOf(other) ?? []),
    ...neighbours.addressesOf(other),
    ...peer.rendezvousAddressesOf(other),
  ];
  const ids = () => groups.list().map(({ group }) => group);
  const routes = new AdvertisedRoutes({ store, clock, groups: ids, otherAddresses });
  const routed = new RoutedRelays(routes);
  const endpoint = new EndpointService({
    identity,
    clock,
    random,
    crypto,
    transports,
    routes,
    ...(limits?.endpoint && { limits: limits.endpoint }),
    ...(limits?.link && { linkLimits: limits.link }),
  });
  const pipes = new Pipes({
    endpoint,
    routes,
    relays: routed,
    forwarder: { forward: (...bind) => forwarderOf(running).forward(...bind) },
    groups,
    identity,
    hosted,
    clock,
    random,
    crypto,
    onRelayed: ({ remotePeer, group, name }) => {
      if (name !== PUNCH_PIPE) punch?.relayed(remotePeer, group);
    },
    onError: (cause) => peer.notify({ type: 'error', error: handlerError(cause) }),
    ...(limits?.pipe && { limits: limits.pipe }),
  });
  const neighbours = new RememberedNeighbours({
    storage,
    clock,
    endpoint,
    onError: (error) => peer.notify({ type: 'error', error }),
  });
  const hostOf = (other: PeerId) => routes.hostOf(other);
  const resolver = new ResolverService({
    identity,
    endpoint,
    pipes: doubtedMembership({ pipes, doubt: (group) => renewal.doubt(group) }),
    groups,
    clock,
    random,
    crypto,
    onMember: (group, member) => peer.metMember(group, member),
    ...(limits?.neighbours !== undefined && { maxNeighbours: limits.neighbours }),
  });
  const isRelayed = (other: PeerId, group: GroupId) =>
    pipes
      .pathsTo(other)
      .some((pipe) => pipe.group === group && pipe.name !== PUNCH_PIPE && pipe.path?.type === 'relayed');
  const discovery = new DiscoveryService({ identity, store, clock, random, hostOf });
  const running: readonly RunningPart[] = parts.map((part) =>
    part({ platform, identity, groups, store, pipes, endpoint, routes, isRelayed }),
  );
  const punch = running.find((part) => part.punch)?.punch;
  const onUnavailable = (error: PipevineError) => peer.notify({ type: 'multicast-unavailable', error });
  const localNetwork = init.localDiscovery === false ? undefined : platform.localNetwork;
  const directory = init.localDiscovery === false ? undefined : platform.serviceDirectory;
  const local: LocalDiscovery | undefined =
    localNetwork &&
    new LocalDiscovery({
      localNetwork,
      endpoint,
      clock,
      random,
      crypto,
      groups: ids,
      isGateway: roles.includes('gateway'),
      admits: () => running.some((part) => part.admits?.() === true),
      onInterfaces: () => peer.addressesChanged(),
      onUnavailable,
    });
  const announcer =
    directory &&
    new ServiceAnnouncer({ directory, peer: identity.id, name, addresses: () => endpoint.addresses, onUnavailable });
  const renewal = new MembershipRenewal({
    groups,
    clock,
    crypto,
    random,
    open: (membership, options) => openAdministrator(membership, { pipes, discovery, groups, store }, options),
    onFailure: (group, error) => peer.notify({ type: 'renewal-failed', group, error }),
  });
  const advertised = (group: GroupId, other: PeerId) => store.get({ group, kind: 'peer', publisher: other, key: '' });
  const isMember = (group: GroupId, other: PeerId) =>
    advertised(group, other) !== undefined || resolver.group(group)?.neighbour(other) !== undefined;
  const nameOf = (other: PeerId) =>
    other === identity.id ? name : (ids().flatMap((group) => advertised(group, other)?.name || [])[0] ?? '');
  const seeds = init.seeds ?? [];
  const joining = new Joining({
    name,
    localPeer: identity.id,
    seeds,
    endpoint,
    pipes,
    local,
    relays: routed,
    groups,
    storage,
    clock,
    crypto,
    random,
    onEnd: ({ group, name }, error) => peer.notify({ type: 'application-ended', group, name, error }),
    onJoined: (membership, administrator) => peer.joined(membership, administrator),
  });
  const traffic = new TrafficTotal(endpoint);
  const facts = (asker: PeerId) => {
    const { uptimeMs, links } = peer.status();
    const { version = '', memoryBytes } = init.facts?.() ?? {};
    const shared = ids().filter((group) => resolver.group(group)?.neighbour(asker) !== undefined);
    return { name, version, roles, uptimeMs, ...traffic.total(), memoryBytes, groups: shared, links };
  };
  const peer: OverlayPeer = new OverlayPeer({
    platform,
    identity,
    name,
    roles,
    seeds,
    groups,
    store,
    endpoint,
    pipes,
    resolver,
    discovery,
    joining,
    neighbours,
    renewal,
    hosted,
    local,
    announcer,
    parts: running,
    explain: (other) =>
      explainPeer(other, {
        localPeer: identity.id,
        hosts,
        nameOf,
        endpoint,
        pipes,
        routes,
        addresses: [
          ['local-network', (of) => local?.addressesOf(of) ?? []],
          ['remembered', (of) => neighbours.addressesOf(of)],
          ['rendezvous', (of) => peer.rendezvousAddressesOf(of)],
          ['advertised', (of) => routes.addressesOf(of)],
        ],
        sharedGroups: (of) =>
          groups
            .list()
            .filter(({ group }) => [of, routes.hostOf(of)].some((id) => id !== undefined && isMember(group, id)))
            .map(({ group, name }) => ({ id: group, name })),
        ownRelays: (group) => peer.group(group)?.relays().leases ?? [],
        ...(punch && { punch }),
      }),
    openGroup: (group) =>
      new GroupServices(group, {
        platform,
        identity,
        groups,
        store,
        endpoint,
        pipes,
        resolver,
        discovery,
        parts: running,
        routes: routed,
        hostOf,
        hosts,
        addressesOf: (other) => routes.addressesOf(other),
        facts,
        peerInfo: init.peerInfo ?? {},
        onServing: (changed) => peer.servingChanged(changed),
        onError: (error) => peer.notify({ type: 'error', error }),
      }),
  });
  try {
    await peer.start(init.listen ?? []);
  } catch (error) {
    await peer.close();
    throw error;
  }
  return peer;
}

/** The administrator that admitted this peer; else whoever may administer by its credential, those that are linked first. */
async function openAdministrator(
  { group, administrator, policy }: GroupMembership,
  { pipes, discovery, groups, store }: Pick<OverlayPeerInit, 'pipes' | 'discovery' | 'groups' | 'store'>,
  options: WaitOptions,
): Promise<RequestPipe> {
  const approvers = policy.type === 'quorum' ? policy.approvers : [];
  const administrators = store
    .find({ kind: 'peer', group })
    .filter((advertisement) => may(shownCredential(groups, advertisement), 'administer'))
    .map(({ publisher }) => publisher);
  const linked = new Set(discovery.neighboursOf(group));
  const others = [...approvers, ...administrators].sort((a, b) => Number(linked.has(b)) - Number(linked.has(a)));
  const candidates = new Set([...(administrator === undefined ? [] : [administrator]), ...others, ...linked]);
  let last: PipevineError | undefined;
  for (const peer of [...candidates].slice(0, MAX_ADMINISTRATORS_ASKED)) {
    try {
      return await pipes.requester({ peer, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE, ...options });
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      last ??= error;
    }
  }
  throw last ?? new PipevineError('unreachable', 'No administrator of the group is known or near.');
}

function forwarderOf(parts: readonly RunningPart[]): BindForwarder {
  for (const { forwarder } of parts) if (forwarder !== undefined) return forwarder;
  throw new PipevineError('unreachable', 'This peer relays nothing; ask another.');
}

function handlerError(cause: unknown): PipevineError {
  if (cause instanceof PipevineError) return cause;
  const what = cause instanceof Error ? cause.message : String(cause);
  return new PipevineError('internal', `A handler of this program failed: ${what}`, { cause });
}
