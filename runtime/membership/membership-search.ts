import type { LocalDiscovery } from '../discovery/local-discovery.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeService, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { MembershipPipe } from './join-client.ts';
import { MEMBERSHIP_SERVICE } from './membership-defaults.ts';
import { askAdministrators } from './who-admits.ts';

/** Pause before an address or a peer that failed is tried again, ms. */
const RETRY_MS = 1_000;
/** Peers and addresses tried. */
const MAX_CANDIDATES = 64;

/** What a peer that a relay has named an administrator proves to be none by. */
const FALSELY_NAMED: readonly ErrorCode[] = ['not-found', 'forged', 'malformed', 'protocol', 'wrong-peer'];

/** Takes down over which relay a peer is said to be reached. */
export interface ToldRelays {
  told(peer: PeerId, relay: PeerId): void;
}

export interface MembershipSearchInit {
  readonly addresses: readonly EndpointAddress[];
  readonly endpoint: Pick<Endpoint, 'links' | 'connect' | 'dial' | 'subscribe'>;
  readonly pipes: Pick<PipeService, 'requester'>;
  readonly local: Pick<LocalDiscovery, 'admitting' | 'seekAdmission'> | undefined;
  readonly clock: Clock;
  /** Of the group that is looked for: peers that do not admit to it are asked who does. Default: they are not. */
  readonly fingerprint?: Uint8Array | undefined;
  /** Default: nobody is asked over relays. */
  readonly relays?: ToldRelays | undefined;
  /** Asks one peer. */
  readonly visit: (pipe: MembershipPipe, wait: WaitOptions) => Promise<void>;
  /** A candidate, a peer id or an address, could not be reached or has said no; whether it is tried again. */
  readonly onError: (candidate: string, error: PipevineError) => boolean;
  /** All candidates that are known now have been asked. */
  readonly onIdle?: () => void;
}

/**
 * Asks the `membership` service of the neighbours, at the given addresses and of who admits members in the local network,
 * each peer once, until closed. Those of them that are relays of the group it asks over these, which learn nothing of what is
 * asked.
 */
export class MembershipSearch {
  readonly #init: MembershipSearchInit;
  readonly #tried = new Set<string>();
  readonly #ending = new AbortController();
  readonly #subscription: { unsubscribe(): void };
  readonly #seeking: { stop(): void } | undefined;
  #underWay = 0;

  constructor(init: MembershipSearchInit) {
    this.#init = init;
    const { endpoint, local, addresses } = init;
    this.#subscription = endpoint.subscribe({
      onLinkUp: ({ remotePeer }) => this.#consider(remotePeer, async () => remotePeer),
      onLinkDown: () => undefined,
    });
    this.#seeking = local?.seekAdmission(() => this.#considerHeard());
    for (const { remotePeer } of endpoint.links()) this.#consider(remotePeer, async () => remotePeer);
    for (const address of new Set(addresses)) {
      this.#consider(address, async () => (await endpoint.dial(address, this.#wait())).remotePeer);
    }
    this.#considerHeard();
  }

  /** Whether no candidate is being asked. */
  get idle(): boolean {
    return this.#underWay === 0;
  }

  /** Idempotent. */
  close(): void {
    this.#ending.abort();
    this.#subscription.unsubscribe();
    this.#seeking?.stop();
  }

  #considerHeard(): void {
    const { local, endpoint } = this.#init;
    for (const { peer, addresses } of local?.admitting() ?? []) {
      this.#consider(peer, async () => (await endpoint.connect(peer, { ...this.#wait(), addresses })).remotePeer);
    }
  }

  /** Tries one candidate, again and again if it has to, until the search is over. `named`: by a relay. */
  #consider(name: string, reach: () => Promise<PeerId>, named = false): void {
    if (this.#ending.signal.aborted || this.#tried.has(name) || this.#tried.size >= MAX_CANDIDATES) return;
    this.#tried.add(name);
    this.#underWay++;
    const attempt = () => {
      this.#try(name, reach, named)
        .then(() => true)
        .catch((error: unknown) => {
          if (!(error instanceof PipevineError)) throw error;
          if (this.#ending.signal.aborted) return true;
          const again = this.#init.onError(name, error);
          return !again || (named && FALSELY_NAMED.includes(error.code));
        })
        .then((done) => {
          if (!done) return void this.#init.clock.setTimer(RETRY_MS, () => !this.#ending.signal.aborted && attempt());
          if (--this.#underWay === 0 && !this.#ending.signal.aborted) this.#init.onIdle?.();
        });
    };
    attempt();
  }

  async #try(name: string, reach: () => Promise<PeerId>, named: boolean): Promise<void> {
    const peer = await reach();
    // An address may lead to a peer that is tried already.
    if (name !== peer) return this.#consider(peer, async () => peer);
    try {
      await this.#visit(peer);
    } catch (error) {
      if (!(error instanceof PipevineError) || error.code !== 'not-found' || named) throw error;
      if (!(await this.#considerNamed(peer))) throw error;
    }
  }

  async #visit(peer: PeerId): Promise<void> {
    const wait = this.#wait();
    const pipe = await this.#init.pipes.requester({ peer, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE, ...wait });
    try {
      await this.#init.visit(pipe, wait);
    } finally {
      await pipe.close({ timeoutMs: RETRY_MS });
    }
  }

  /** Those whom a neighbour names that does not admit itself; whether it is a relay that names any. */
  async #considerNamed(relay: PeerId): Promise<boolean> {
    const { pipes, fingerprint, relays } = this.#init;
    if (fingerprint === undefined || relays === undefined) return false;
    try {
      const administrators = await askAdministrators(pipes, relay, fingerprint, this.#wait());
      for (const peer of administrators) {
        relays.told(peer, relay);
        this.#consider(peer, async () => peer, true);
      }
      return administrators.length > 0;
    } catch (error) {
      // It is no relay of the group, or none that can be used.
      if (error instanceof PipevineError) return false;
      throw error;
    }
  }

  #wait(): WaitOptions {
    return { signal: this.#ending.signal };
  }
}
