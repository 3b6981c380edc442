import { ADVERTISEMENT_KINDS, type Advertisement, type AdvertisementKind } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { decodeDelegationBody } from '../advertisement/delegation-body.ts';
import { Glob } from '../advertisement/glob.ts';
import { decodePeerBody } from '../advertisement/peer-body.ts';
import { LruCache } from '../bound/lru-cache.ts';
import { wellFormed } from '../error/well-formed.ts';
import { may, NAME_CLAIM } from '../group/capability.ts';
import type { Credential, GroupAccess } from '../group/group-access.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import { MAX_READY_CREDENTIALS, RECHECK_INTERVAL_MS, RECHECKED_PER_TURN } from './discovery-defaults.ts';

/** Whoever brings advertisements, and the credential that it has shown. */
export type PublisherSource = Pick<GroupNeighbour, 'peer' | 'credential'>;

/** Decides whether what a neighbour gave may be kept, by who published it. */
export interface PublisherGate {
  /** Asked before the signature is looked at: must remember nothing of an advertisement. */
  accept(advertisement: Advertisement, from: PublisherSource): boolean;
}

export interface PublisherCheckInit {
  readonly group: GroupId;
  readonly localPeer: PeerId;
  readonly access: Pick<GroupAccess, 'verify'>;
  readonly store: Pick<AdvertisementStore, 'get' | 'search' | 'publishersOf' | 'release' | 'subscribe'>;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  readonly clock: Clock;
}

/** A peer's credential; null when it has shown one that is void; undefined when nobody here knows. */
type Standing = Credential | null | undefined;

/**
 * Who may publish in a group. A neighbour has shown its credential; those of others are in their peer advertisements. For
 * a hosted peer its host's counts, by the delegation. Kind `peer` takes a valid credential, `name` a claim to that name or
 * the capability `administer`, all else `publish`, or `host` of the host. The group's authority may publish whatever it likes.
 */
export class PublisherCheck implements PublisherGate {
  readonly #init: PublisherCheckInit;
  readonly #authority: PeerId;
  /** Credentials as they stand in peer advertisements; empty: it has none. */
  readonly #shown = new LruCache<Uint8Array>(MAX_READY_CREDENTIALS);
  readonly #unsubscribe: () => void;
  #timer: Timer | undefined;
  #run: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(init: PublisherCheckInit) {
    this.#init = init;
    this.#authority = peerIdFromBytes(groupIdToBytes(init.group));
    this.#unsubscribe = init.store.subscribe({ kind: 'peer', group: init.group }, ({ advertisement }) =>
      this.#shown.delete(advertisement.publisher),
    );
    this.#arm();
  }

  accept(advertisement: Advertisement, from: PublisherSource): boolean {
    return this.#judge(advertisement, (peer) => (peer === from.peer ? from.credential : undefined)) === true;
  }

  /**
   * Memberships may have ended: holds nothing more of those whose credential is known and does not do. In turns of the
   * loop; resolves when through. A version that went so is taken again when a new credential proves it.
   */
  recheck(): Promise<void> {
    this.#again = true;
    this.#run ??= this.#recheck().finally(() => {
      this.#run = undefined;
    });
    return this.#run;
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#unsubscribe();
  }

  #judge(
    advertisement: Pick<Advertisement, 'kind' | 'publisher' | 'name' | 'body'>,
    known: (peer: PeerId) => Standing,
  ): boolean | undefined {
    const { kind, publisher, name, body } = advertisement;
    if (publisher === this.#authority) return true;
    const delegated = kind === 'delegation' ? wellFormed(() => decodeDelegationBody(body).delegate) : undefined;
    const host = delegated ?? this.#init.hostOf(publisher);
    if (publisher === this.#init.localPeer || host === this.#init.localPeer) return true;
    const own =
      known(publisher) ?? (kind === 'peer' ? this.#verified(publisher, shownIn(body)) : this.#known(publisher));
    if (own && mayPublish(kind, name, own)) return true;
    const hosts = host === undefined || host === publisher ? undefined : (known(host) ?? this.#known(host));
    if (hosts && may(hosts, 'host') && (kind !== 'name' || mayPublish(kind, name, hosts))) return true;
    return own === undefined && hosts === undefined ? undefined : false;
  }

  #known(peer: PeerId): Standing {
    let shown = this.#shown.get(peer);
    if (shown === undefined) {
      const { group, store } = this.#init;
      shown = shownIn(store.get({ group, kind: 'peer', publisher: peer, key: '' })?.body);
      this.#shown.set(peer, shown, 1);
    }
    return this.#verified(peer, shown);
  }

  #verified(peer: PeerId, shown: Uint8Array): Standing {
    if (shown.length === 0) return undefined;
    return wellFormed(() => this.#init.access.verify(peer, shown)) ?? null;
  }

  async #recheck(): Promise<void> {
    const { group, store } = this.#init;
    while (this.#again && !this.#closed) {
      this.#again = false;
      // Last the peer advertisements, because the others are judged by them, and before them the delegations.
      const kinds = ADVERTISEMENT_KINDS.filter((kind) => kind !== 'peer' && kind !== 'delegation');
      for (const kind of [...kinds, 'delegation', 'peer'] as const) {
        let left = RECHECKED_PER_TURN;
        for (const publisher of store.publishersOf(group, kind)) {
          if (--left < 0) {
            left = RECHECKED_PER_TURN;
            await new Promise<void>((resolve) => this.#init.clock.endOfTurn(resolve));
            if (this.#closed) return;
          }
          this.#releaseVoid(kind, publisher);
        }
      }
    }
  }

  #releaseVoid(kind: AdvertisementKind, publisher: PeerId): void {
    const { group, store } = this.#init;
    const nobody = () => undefined;
    // Only names and delegations are judged by what they say, so that of the others none is read.
    const isAlike = kind !== 'name' && kind !== 'delegation' && kind !== 'peer';
    if (isAlike && this.#judge({ kind, publisher, name: '', body: EMPTY }, nobody) !== false) return;
    for (const held of store.search({ group, kind, publisher, limit: 100_000 })) {
      const advertisement = isAlike ? undefined : held.read();
      if (isAlike || (advertisement && this.#judge(advertisement, nobody) === false)) {
        store.release({ group, kind, publisher, key: held.key, sequence: held.sequence });
      }
    }
  }

  #arm(): void {
    this.#timer = this.#init.clock.setTimer(RECHECK_INTERVAL_MS, () => {
      void this.recheck();
      this.#arm();
    });
  }
}

const EMPTY = new Uint8Array(0);

function mayPublish(kind: AdvertisementKind, name: string, credential: Credential): boolean {
  if (kind === 'peer') return true;
  if (kind !== 'name') return may(credential, 'publish');
  return (
    may(credential, 'administer') ||
    credential.capabilities.some(
      (one) => one.startsWith(NAME_CLAIM) && new Glob(one.slice(NAME_CLAIM.length)).matches(name),
    )
  );
}

function shownIn(body: Uint8Array | undefined): Uint8Array {
  return (body && wellFormed(() => decodePeerBody(body).credential)) ?? EMPTY;
}
