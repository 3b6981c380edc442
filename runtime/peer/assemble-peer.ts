import { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { AdvertisedRoutes } from '../discovery/advertised-routes.ts';
import { DiscoveryService } from '../discovery/discovery-service.ts';
import { LocalDiscovery } from '../discovery/local-discovery.ts';
import { ServiceAnnouncer } from '../discovery/service-announcement.ts';
import { EndpointService } from '../endpoint/endpoint-service.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupMembership, Groups } from '../group/groups.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { MEMBERSHIP_SERVICE } from '../membership/membership-defaults.ts';
import { MembershipRenewal } from '../membership/membership-renewal.ts';
import type { RequestPipe, WaitOptions } from '../pipe/pipe.ts';
import { Pipes } from '../pipe/pipes.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { HostedPeerSources } from './hosted-peers.ts';
import { OverlayPeer } from './overlay-peer.ts';
import type { Peer } from './peer.ts';
import { checkPeerInit, type PeerInit } from './peer-init.ts';
import type { PeerPart } from './peer-part.ts';
import { RememberedNeighbours } from './remembered-neighbours.ts';

/** Advertisements of others that a peer holds: a thing and a delegation for each of 20,000 devices, and room besides. */
const MAX_FOREIGN = 50_000;

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
  const otherAddresses = (peer: PeerId): readonly EndpointAddress[] => [
    ...(local?.addressesOf(peer) ?? []),
    ...neighbours.addressesOf(peer),
  ];
  const ids = () => groups.list().map(({ group }) => group);
  const routes = new AdvertisedRoutes({ store, clock, groups: ids, otherAddresses });
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
    groups,
    identity,
    hosted,
    clock,
    random,
    crypto,
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
  const discovery = new DiscoveryService({
    identity,
    store,
    endpoint,
    pipes,
    clock,
    random,
    hostOf,
    onMember: (group, member) => peer.metMember(group, member),
  });
  const running = parts.map((part) => part({ platform, groups, store, pipes }));
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
    open: (membership, options) => openAdministrator(membership, pipes, discovery, options),
    onFailure: (group, error) => peer.notify({ type: 'renewal-failed', group, error }),
  });
  const peer: OverlayPeer = new OverlayPeer({
    platform,
    identity,
    name,
    roles,
    seeds: init.seeds ?? [],
    groups,
    store,
    endpoint,
    pipes,
    discovery,
    neighbours,
    renewal,
    hosted,
    local,
    announcer,
    parts: running,
    hostOf,
  });
  try {
    await peer.start(init.listen ?? []);
  } catch (error) {
    await peer.close();
    throw error;
  }
  return peer;
}

/** The administrator that admitted this peer, or else any member near by that admits. */
async function openAdministrator(
  { group, administrator }: GroupMembership,
  pipes: Pipes,
  discovery: DiscoveryService,
  options: WaitOptions,
): Promise<RequestPipe> {
  const candidates = new Set([
    ...(administrator === undefined ? [] : [administrator]),
    ...discovery.neighboursOf(group),
  ]);
  let last: PipevineError | undefined;
  for (const peer of candidates) {
    try {
      return await pipes.requester({ peer, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE, ...options });
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      last ??= error;
    }
  }
  throw last ?? new PipevineError('unreachable', 'No administrator of the group is known or near.');
}

function handlerError(cause: unknown): PipevineError {
  if (cause instanceof PipevineError) return cause;
  const what = cause instanceof Error ? cause.message : String(cause);
  return new PipevineError('internal', `A handler of this program failed: ${what}`, { cause });
}
