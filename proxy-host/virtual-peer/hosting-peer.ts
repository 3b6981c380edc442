import type {
  Advertisement,
  AdvertisementInit,
  GroupId,
  Identity,
  JsonValue,
  PeerId,
  Reading,
  ThingDescription,
  ThingHandlers,
} from '@pipevine/runtime';

/** A thing of a virtual peer, made for one request. */
export interface HostedThing {
  readonly description: ThingDescription;
  readonly handlers: ThingHandlers;
  readonly ownSchemas: boolean;
}

/** What a proxy host needs of the group in which its devices become peers. */
export interface HostingGroup {
  readonly id: GroupId;
  /** Signs as `identity`, stores durably, and makes known. */
  publishAs(identity: Identity, init: Omit<AdvertisementInit, 'group'>): Promise<Advertisement>;
  withdrawAs(
    identity: Identity,
    name: { readonly kind: AdvertisementInit['kind']; readonly key?: string },
  ): Promise<void>;
  /** Asks `find` for things of hosted peers, until removed. */
  addThings(provider: { find(peer: PeerId, key: string): HostedThing | undefined }): { remove(): void };
  emitPropertyChange(peer: PeerId, key: string, name: string, reading: Reading): void;
  emitEvent(peer: PeerId, key: string, name: string, data: JsonValue | undefined): void;
  /** Ends the observations of a thing that is gone. */
  thingGone(peer: PeerId, key: string): void;
}

/** What it needs of the peer that it runs on. */
export interface HostingPeer {
  readonly id: PeerId;
  /** Lets this process be reached as the peers that `find` knows, until released. `find` must not wait. */
  host(peers: { find(peer: PeerId): Identity | undefined }): { release(): void };
}
