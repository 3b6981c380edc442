import type { LocalDiscovery } from '../discovery/local-discovery.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeService, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { MembershipPipe } from './join-client.ts';
import { MEMBERSHIP_SERVICE } from './membership-defaults.ts';

/** Pause before an address or a peer that failed is tried again, ms. */
const RETRY_MS = 1_000;
/** Peers and addresses tried. */
const MAX_CANDIDATES = 64;

export interface MembershipSearchInit {
  readonly addresses: readonly EndpointAddress[];
  readonly endpoint: Pick<Endpoint, 'links' | 'connect' | 'dial' | 'subscribe'>;
  readonly pipes: Pick<PipeService, 'requester'>;
  readonly local: Pick<LocalDiscovery, 'admitting' | 'seekAdmission'> | undefined;
  readonly clock: Clock;
  /** Asks one peer. */
  readonly visit: (pipe: MembershipPipe, wait: WaitOptions) => Promise<void>;
  /** A candidate, a peer id or an address, could not be reached or has said no; whether it is tried again. */
  readonly onError: (candidate: string, error: PipevineError) => boolean;
  /** All candidates that are known now have been asked. */
  readonly onIdle?: () => void;
}

/**
 * Asks the `membership` service of the neighbours, at the given addresses and of who admits members in the local network,
 * each peer once, until closed.
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

  /** Tries one candidate, again and again if it has to, until the search is over. */
  #consider(name: string, reach: () => Promise<PeerId>): void {
    if (this.#ending.signal.aborted || this.#tried.has(name) || this.#tried.size >= MAX_CANDIDATES) return;
    this.#tried.add(name);
    this.#underWay++;
    const attempt = () => {
      this.#try(name, reach)
        .then(() => true)
        .catch((error: unknown) => {
          if (!(error instanceof PipevineError)) throw error;
          return this.#ending.signal.aborted || !this.#init.onError(name, error);
        })
        .then((done) => {
          if (!done) return void this.#init.clock.setTimer(RETRY_MS, () => !this.#ending.signal.aborted && attempt());
          if (--this.#underWay === 0 && !this.#ending.signal.aborted) this.#init.onIdle?.();
        });
    };
    attempt();
  }

  async #try(name: string, reach: () => Promise<PeerId>): Promise<void> {
    const peer = await reach();
    // An address may lead to a peer that is tried already.
    if (name !== peer) return this.#consider(peer, async () => peer);
    const wait = this.#wait();
    const pipe = await this.#init.pipes.requester({ peer, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE, ...wait });
    try {
      await this.#init.visit(pipe, wait);
    } finally {
      await pipe.close({ timeoutMs: RETRY_MS });
    }
  }

  #wait(): WaitOptions {
    return { signal: this.#ending.signal };
  }
}
