import type { Advertisement } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import type { Credential } from '../group/group-access.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import { groupFingerprint } from '../membership/group-fingerprint.ts';
import { MAX_DIRECTORY_MESSAGE_BYTES, MAX_NAMED_ADMINISTRATORS } from '../membership/membership-defaults.ts';
import { directoryName } from '../membership/who-admits.ts';
import type { PipeListener, PipeService } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import {
  DIRECTORY_BURST,
  DIRECTORY_BURST_PER_PEER,
  DIRECTORY_PER_SECOND,
  DIRECTORY_PER_SECOND_PER_PEER,
  MAX_DIRECTORY_RATES,
} from './relay-defaults.ts';

/** What a relay needs to tell who admits. */
export interface AdmissionSources {
  readonly pipes: Pick<PipeService, 'serve'>;
  readonly crypto: Crypto;
  readonly store: Pick<AdvertisementStore, 'find'>;
  /** The credential that a member's advertisement carries, if its signatures hold. */
  readonly credentialOf: (advertisement: Advertisement) => Credential | undefined;
  /** Who may vote on applications, where the group has a quorum. */
  readonly approvers: () => readonly PeerId[];
}

export interface AdmissionDirectoryInit extends AdmissionSources {
  readonly resolver: Pick<GroupResolver, 'group' | 'localPeer' | 'neighbours' | 'neighbour'>;
  readonly clock: Clock;
  /** Whether this peer relays in the group now. */
  readonly mayServe: () => boolean;
  /** Whether a linked member has a lease here. */
  readonly isClient: (peer: PeerId) => boolean;
  /** At which relays a peer leases, as it has signed. */
  readonly relaysOf: (peer: PeerId) => readonly PeerId[];
}

/** How long administrators behind other relays are not looked for anew, ms: the store may have thousands of members. */
const BEYOND_MS = 10_000;

/** Tells whoever is no member yet who admits to one group: the relay's part of `who-admits.ts`. */
export class AdmissionDirectory {
  readonly #init: AdmissionDirectoryInit;
  readonly #rates = new LruCache<TokenBucket>(MAX_DIRECTORY_RATES);
  readonly #rate: TokenBucket;
  readonly #listener: PipeListener;
  /** Administrators that lease at relays next to this one. */
  #beyond: { readonly peers: readonly PeerId[]; readonly untilMs: number } = { peers: [], untilMs: -Infinity };
  #tooFast = 0;

  /** Answers in the world group until it is closed. */
  constructor(init: AdmissionDirectoryInit) {
    const { crypto, resolver, pipes } = init;
    this.#init = init;
    this.#rate = new TokenBucket(DIRECTORY_BURST, DIRECTORY_PER_SECOND, init.clock.monotonicMs());
    const name = directoryName(groupFingerprint(crypto, resolver.group));
    this.#listener = pipes.serve({ group: WORLD_GROUP, name, kinds: ['request'] }, async (body, { remotePeer }) =>
      this.answer(body, remotePeer),
    );
  }

  /** Idempotent. */
  close(): void {
    this.#listener.close();
  }

  /** Throws `overloaded`, `not-found`, `malformed` or `too-large`. */
  answer(body: Uint8Array, remotePeer: PeerId): Uint8Array {
    this.#checkRate(remotePeer);
    readMap(decodeStrict(body, { maxBytes: MAX_DIRECTORY_MESSAGE_BYTES }), 'A question to a relay who admits');
    if (!this.#init.mayServe())
      throw new PipevineError('not-found', 'This peer is no relay of that group; ask another.');
    const named = this.#administrators().filter((peer) => peer !== remotePeer);
    return encodeCanonical(named.slice(0, MAX_NAMED_ADMINISTRATORS).map(peerIdToBytes));
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return { 'admission questions': { used: this.#rates.size, limit: MAX_DIRECTORY_RATES, dropped: this.#tooFast } };
  }

  #checkRate(peer: PeerId): void {
    const nowMs = this.#init.clock.monotonicMs();
    const own =
      this.#rates.get(peer) ?? new TokenBucket(DIRECTORY_BURST_PER_PEER, DIRECTORY_PER_SECOND_PER_PEER, nowMs);
    this.#rates.set(peer, own, 1);
    if (own.take(nowMs) && this.#rate.take(nowMs)) return;
    this.#tooFast++;
    throw new PipevineError(
      'overloaded',
      'Questions who admits come faster than they are answered; wait some seconds.',
    );
  }

  /** Those that this relay can pass on to: with a lease here, relays among them; else those behind the next relay. */
  #administrators(): readonly PeerId[] {
    const { resolver, approvers, isClient } = this.#init;
    const voters = approvers();
    const here = resolver
      .neighbours()
      .filter(({ peer, credential }) => isClient(peer) && (may(credential, 'administer') || voters.includes(peer)));
    return here.length > 0 ? here.map(({ peer }) => peer) : this.#administratorsBeyond(voters);
  }

  #administratorsBeyond(voters: readonly PeerId[]): readonly PeerId[] {
    const { resolver, store, relaysOf, credentialOf, clock } = this.#init;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#beyond.untilMs) return this.#beyond.peers;
    const isRelay = (peer: PeerId): boolean => may(resolver.neighbour(peer)?.credential, 'relay');
    const peers: PeerId[] = [];
    for (const advertisement of store.find({ kind: 'peer', group: resolver.group })) {
      const { publisher } = advertisement;
      if (publisher === resolver.localPeer || !relaysOf(publisher).some(isRelay)) continue;
      if (!voters.includes(publisher) && !may(credentialOf(advertisement), 'administer')) continue;
      if (peers.push(publisher) === MAX_NAMED_ADMINISTRATORS) break;
    }
    this.#beyond = { peers, untilMs: nowMs + BEYOND_MS };
    return peers;
  }
}
