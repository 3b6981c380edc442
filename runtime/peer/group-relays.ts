import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { decodePeerBody } from '../advertisement/peer-body.ts';
import { NEIGHBOURS_KEY } from '../advertisement/route-body.ts';
import type { DiscoveryService } from '../discovery/discovery-service.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { wellFormed } from '../error/well-formed.ts';
import { may } from '../group/capability.ts';
import type { GroupAccess } from '../group/group-access.ts';
import type { Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Mailbox } from '../mailbox/mailbox.ts';
import type { MailboxClient } from '../mailbox/mailbox-client.ts';
import type { PipeService, WaitOptions } from '../pipe/pipe.ts';
import type { RelaySource } from '../pipe/pipe-paths.ts';
import type { Platform } from '../platform/platform.ts';
import { KnownRelays, RELAY_ATTRIBUTES } from '../relay/known-relays.ts';
import { RelayClient } from '../relay/relay-client.ts';
import { SEARCHED_RELAYS } from '../relay/relay-defaults.ts';
import type { RelayServerInit } from '../relay/relay-server.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { NeighbourAdvertiser } from '../router/neighbour-advertiser.ts';
import type { Router } from '../router/router.ts';
import { shownCredential } from './member-list.ts';
import type { BoundStatus, RelayStatus } from './peer.ts';
import type { GroupRelay, GroupRelayInit, RunningPart } from './peer-part.ts';
import { RoutePublisher } from './route-publisher.ts';

export interface GroupRelaysInit {
  readonly group: GroupId;
  readonly platform: Pick<Platform, 'clock' | 'random' | 'crypto' | 'storage'>;
  readonly identity: Identity;
  readonly access: GroupAccess;
  readonly groups: Groups;
  readonly pipes: Pick<PipeService, 'serve'>;
  readonly resolver: GroupResolver;
  readonly store: AdvertisementStore;
  readonly endpoint: Pick<Endpoint, 'want'>;
  readonly discovery: Pick<DiscoveryService, 'publish' | 'withdraw' | 'find' | 'local'>;
  readonly router: Router;
  readonly routes: RelaySource;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  readonly parts: readonly RunningPart[];
  readonly onError: (error: PipevineError) => void;
}

/** How long the key or the relays of a recipient are looked for, ms. */
const FIND_TIMEOUT_MS = 2_000;

/** What relays do for one group, seen from a peer: its leases, the mailbox, and its own part where it serves. */
export class GroupRelays {
  readonly mailbox: Mailbox | undefined;
  readonly #init: GroupRelaysInit;
  readonly #known: KnownRelays;
  readonly #client: RelayClient;
  readonly #server: GroupRelay | undefined;
  readonly #mailbox: MailboxClient | undefined;
  readonly #route: RoutePublisher;
  readonly #neighbours: RoutePublisher;
  readonly #advertiser: NeighbourAdvertiser | undefined;
  #closed = false;

  constructor(init: GroupRelaysInit) {
    this.#init = init;
    const { group, groups, platform, parts, routes, hostOf, store, router, resolver } = init;
    this.#route = new RoutePublisher({ ...init, key: '' });
    this.#neighbours = new RoutePublisher({ ...init, key: NEIGHBOURS_KEY });
    const [serve] = parts.flatMap(({ relay }) => relay ?? []);
    const relayInit: GroupRelayInit & Pick<RelayServerInit, 'admissions'> = {
      resolver,
      router,
      mayServe: () => this.serving,
      hostOf,
      relaysOf: (peer) => routes.relaysOf(peer, group),
      admissions: {
        ...init,
        ...platform,
        credentialOf: (advertisement) => shownCredential(groups, advertisement),
        approvers: () => {
          const policy = groups.membership(group)?.policy;
          return policy?.type === 'quorum' ? policy.approvers : [];
        },
      },
    };
    this.#server = serve?.(relayInit);
    this.#advertiser =
      serve &&
      new NeighbourAdvertiser({
        ...platform,
        resolver,
        mayServe: () => this.serving,
        advertise: (relays) => this.#neighbours.publish(relays),
      });
    this.#client = new RelayClient({
      ...init,
      ...platform,
      knownRelays: () => this.#known.list(),
      find: (signal) => this.#findRelays(signal),
      advertise: (relays) => this.#advertise(relays),
    });
    this.#known = new KnownRelays({ group, store, onRelay: (peer) => this.#client.hint(peer) });
    const [open] = parts.flatMap(({ mailbox }) => mailbox ?? []);
    this.#mailbox = open?.({
      ...init,
      ...platform,
      staticKeyOf: (peer, options) => this.#staticKeyOf(peer, options),
      relaysOf: (peer) => this.#relaysOf(peer),
      ownRelays: () => this.#client.relays(),
      ...(this.#server && { local: this.#server.mailbox }),
    });
    this.mailbox = this.#mailbox;
    this.#client.start();
  }

  /** Whether this peer relays in the group now. */
  get serving(): boolean {
    const { groups, group, parts } = this.#init;
    return parts.some(({ relay }) => relay) && may(groups.membership(group)?.credential, 'relay');
  }

  /** Relays at which this peer leases, best first. */
  relays(): readonly PeerId[] {
    return this.#client.relays();
  }

  status(): RelayStatus {
    return { serving: this.serving, leases: this.#client.relays(), clients: this.#server?.clients ?? 0 };
  }

  /** The own credential is another one: it may allow to relay, or not any more. */
  credentialChanged(): void {
    this.#advertiser?.look();
  }

  bounds(): readonly Readonly<Record<string, BoundStatus>>[] {
    return [this.#server?.status() ?? {}, this.#mailbox?.status() ?? {}];
  }

  /** Gives leases back. Where this peer leased stays advertised: messages for it are left there. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#known.close();
    this.#advertiser?.close();
    this.#client.close();
    await this.#mailbox?.close();
    await this.#server?.close();
    await Promise.all([this.#route.close(), this.#neighbours.close()]);
  }

  /** While there is none, the last ones stay advertised: this peer will be back there, and messages wait for it there. */
  #advertise(relays: readonly PeerId[]): void {
    if (this.#closed) return;
    this.#mailbox?.relaysChanged();
    if (relays.length > 0) this.#route.publish(relays);
  }

  /** What comes reaches the store, where `KnownRelays` sees it. */
  async #findRelays(signal: AbortSignal): Promise<void> {
    const { discovery, group } = this.#init;
    const query = { kind: 'peer', group, attributes: RELAY_ATTRIBUTES, limit: SEARCHED_RELAYS } as const;
    for await (const _ of discovery.find(query, { signal, timeoutMs: FIND_TIMEOUT_MS }));
  }

  async #staticKeyOf(peer: PeerId, options: WaitOptions): Promise<Uint8Array> {
    const { discovery, group } = this.#init;
    const query = { kind: 'peer', group, publisher: peer, limit: 1 } as const;
    const [known] = discovery.local(query);
    const bodies = known === undefined ? discovery.find(query, { timeoutMs: FIND_TIMEOUT_MS, ...options }) : [known];
    for await (const { body } of bodies) {
      const key = wellFormed(() => decodePeerBody(body))?.staticKey;
      if (key !== undefined) return key;
    }
    throw new PipevineError(
      'not-found',
      `Nobody in reach knows the key of peer ${shortPeerId(peer)}, without which no message can be sealed for it; try again when it or a rendezvous is there.`,
    );
  }

  async #relaysOf(peer: PeerId): Promise<readonly PeerId[]> {
    const { routes, discovery, group } = this.#init;
    const known = routes.relaysOf(peer, group);
    if (known.length > 0) return known;
    const query = { kind: 'route', group, publisher: peer, key: '', limit: 1 } as const;
    for await (const _ of discovery.find(query, { timeoutMs: FIND_TIMEOUT_MS })) break;
    return routes.relaysOf(peer, group);
  }
}
