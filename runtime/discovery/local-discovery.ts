import { TokenBucket } from '../bound/token-bucket.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { LocalNetwork, LocalNetworkSession, LocalPacket } from '../platform/local-network.ts';
import type { Random } from '../platform/random.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { groupTag } from './group-tag.ts';
import {
  MAX_HEARD_PEERS,
  MAX_LOCAL_NEIGHBOURS,
  OPEN_RETRY_MS,
  PACKET_BURST,
  PACKETS_PER_SECOND,
} from './local-discovery-defaults.ts';
import {
  addressesHeard,
  type LocalDiscoveryInput,
  type LocalDiscoveryState,
  nextLocalDiscoveryDeadline,
  startLocalDiscovery,
  stepLocalDiscovery,
} from './local-discovery-state.ts';
import {
  announcedAddresses,
  decodeLocalMessage,
  dialledAddresses,
  encodeLocalMessage,
  type LocalMessage,
} from './local-packet-codec.ts';

export interface LocalDiscoveryInit {
  readonly localNetwork: LocalNetwork;
  readonly endpoint: Pick<Endpoint, 'localPeer' | 'addresses' | 'connect' | 'subscribe'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  /** Groups that this peer is a member of now; the world group is none. */
  readonly groups: () => readonly GroupId[];
  readonly isGateway: boolean;
  /** Whether this peer admits members to a group now. */
  readonly admits: () => boolean;
  /** Interfaces came, went or changed their addresses. */
  readonly onInterfaces?: () => void;
  /** The local network could not be opened; another attempt follows by itself. */
  readonly onUnavailable?: (error: PipevineError) => void;
}

/** Finds the peers of the local network that share a group with this one, and links to them. All heard is but a hint. */
export class LocalDiscovery {
  readonly #init: LocalDiscoveryInit;
  readonly #packets: TokenBucket;
  readonly #seekers = new Set<() => void>();
  #state: LocalDiscoveryState;
  #session: LocalNetworkSession | undefined;
  #subscription: { unsubscribe(): void } | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #dropped = 0;
  #malformed = 0;
  #closed = false;

  constructor(init: LocalDiscoveryInit) {
    this.#init = init;
    const nowMs = init.clock.monotonicMs();
    this.#packets = new TokenBucket(PACKET_BURST, PACKETS_PER_SECOND, nowMs);
    const { localPeer, addresses } = init.endpoint;
    this.#state = startLocalDiscovery(
      { self: localPeer, listens: addresses.length > 0, admits: init.admits(), searching: this.#searching() },
      nowMs,
      init.random.fraction(),
    );
  }

  /** Opens the local network; when that fails, tells so and tries again until closed. */
  async start(): Promise<void> {
    const { localNetwork, endpoint, clock } = this.#init;
    this.#subscription ??= endpoint.subscribe({
      onLinkUp: ({ remotePeer }) => this.#step({ type: 'link-up', peer: remotePeer }),
      onLinkDown: ({ remotePeer }) => this.#step({ type: 'link-down', peer: remotePeer }),
    });
    try {
      const session = await localNetwork.open({
        onPacket: (packet) => this.#onPacket(packet),
        onChange: () => {
          this.#init.onInterfaces?.();
          this.changed();
        },
      });
      if (this.#closed) return void session.close();
      this.#session = session;
      this.changed();
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      if (this.#closed) return;
      this.#init.onUnavailable?.(error);
      this.#timer = clock.setTimer(OPEN_RETRY_MS, () => void this.start());
    }
  }

  /** Own addresses or groups are others than before: tells the local network, and looks for members of new groups. */
  changed(): void {
    const listens = this.#init.endpoint.addresses.length > 0;
    this.#step({ type: 'changed', listens, admits: this.#init.admits(), searching: this.#searching() });
  }

  /** Where a peer was heard, as it can be dialled. */
  addressesOf(peer: PeerId): readonly EndpointAddress[] {
    const heard = this.#state.heard.get(peer);
    return heard === undefined ? [] : addressesHeard(heard);
  }

  /** Peers near by that say that they admit members. */
  admitting(): { readonly peer: PeerId; readonly addresses: readonly EndpointAddress[] }[] {
    return [...this.#state.heard].flatMap(([peer, heard]) =>
      heard.admits ? [{ peer, addresses: addressesHeard(heard) }] : [],
    );
  }

  /** Keeps asking for peers that admit members, and calls back whenever one is heard, until stopped. */
  seekAdmission(onHeard: () => void): { stop(): void } {
    this.#seekers.add(onHeard);
    this.changed();
    return {
      stop: () => {
        if (this.#seekers.delete(onHeard)) this.changed();
      },
    };
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    const { heard, neighbours, forgotten, postponed } = this.#state;
    return {
      'local peers heard': { used: heard.size, limit: MAX_HEARD_PEERS, dropped: forgotten },
      'local neighbours': { used: neighbours.size, limit: MAX_LOCAL_NEIGHBOURS, dropped: postponed },
      'local packets': { used: 0, limit: PACKET_BURST, dropped: this.#dropped + this.#malformed },
    };
  }

  /** Says goodbye. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#subscription?.unsubscribe();
    this.#send('leaving');
    await this.#session?.close();
  }

  #searching(): LocalDiscoveryState['searching'] {
    if (this.#seekers.size > 0) return 'code';
    return this.#init.groups().length > 0 ? 'group' : 'nothing';
  }

  #onPacket({ bytes, host }: LocalPacket): void {
    if (this.#closed) return;
    if (!this.#packets.take(this.#init.clock.monotonicMs())) {
      this.#dropped++;
      return;
    }
    let message: LocalMessage | undefined;
    try {
      message = decodeLocalMessage(bytes);
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#malformed++;
      return;
    }
    if (message === undefined || message.peer === this.#init.endpoint.localPeer) return;
    const { type, peer, gateway, admits } = message;
    const addresses = dialledAddresses(message.addresses, host);
    const shared = this.#sharesGroup(message);
    this.#step({ type: 'heard', message: type, peer, host, addresses, gateway, admits, shared });
    if (admits && type !== 'leaving') for (const seeker of [...this.#seekers]) seeker();
  }

  #sharesGroup({ peer, tags }: LocalMessage): boolean {
    if (tags.length === 0) return false;
    const heard = new Set(tags.map((tag) => String.fromCharCode(...tag)));
    return this.#init
      .groups()
      .some((group) => heard.has(String.fromCharCode(...groupTag(this.#init.crypto, group, peer))));
  }

  #step(input: LocalDiscoveryInput): void {
    if (this.#closed) return;
    const { clock, random } = this.#init;
    const { state, effects } = stepLocalDiscovery(this.#state, input, clock.monotonicMs(), random.fraction());
    if (state === this.#state) return;
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === 'dial') void this.#dial(effect.peer, effect.addresses);
      else this.#send(effect.type);
    }
    if (this.#session !== undefined) this.#arm();
  }

  async #dial(peer: PeerId, addresses: readonly EndpointAddress[]): Promise<void> {
    try {
      await this.#init.endpoint.connect(peer, { addresses });
      // It may have had a link before anything was heard of it.
      this.#step({ type: 'link-up', peer });
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#step({ type: 'dial-failed', peer });
    }
  }

  #send(type: LocalMessage['type']): void {
    const { endpoint, crypto, groups, isGateway, admits } = this.#init;
    const peer = endpoint.localPeer;
    this.#session?.send(
      encodeLocalMessage({
        type,
        peer,
        addresses: announcedAddresses(endpoint.addresses),
        tags: groups().map((group) => groupTag(crypto, group, peer)),
        gateway: isGateway,
        admits: admits(),
      }),
    );
  }

  #arm(): void {
    const deadline = nextLocalDiscoveryDeadline(this.#state);
    if (deadline === this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = deadline;
    if (deadline === Infinity) return;
    const delayMs = Math.max(0, deadline - this.#init.clock.monotonicMs());
    this.#timer = this.#init.clock.setTimer(delayMs, () => {
      this.#timerAtMs = Infinity;
      this.#step({ type: 'tick' });
    });
  }
}
