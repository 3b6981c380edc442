import type { LocalDiscovery } from '../discovery/local-discovery.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import type { Groups } from '../group/groups.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { type JoinResult, joinByCode } from '../membership/join-client.ts';
import { type JoinLink, parseJoinCode } from '../membership/join-code.ts';
import { MEMBERSHIP_SERVICE } from '../membership/membership-defaults.ts';
import type { PipeService, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { EndpointAddress } from '../platform/transport.ts';

/** Deadline of joining, finding included, ms. */
export const JOIN_TIMEOUT_MS = 15_000;
/** Pause before an address or a peer that failed is tried again, ms. */
const RETRY_MS = 1_000;
/** How long others are waited for when one has said no for good, ms: another administrator may know the code. */
const SECOND_OPINION_MS = 1_000;
/** Peers and addresses tried. */
const MAX_CANDIDATES = 64;
/** No from an administrator of the right group: asking it again would change nothing. */
const DECISIVE: readonly ErrorCode[] = ['refused', 'expired', 'revoked', 'invalid-argument'];

export interface JoinSearchInit extends WaitOptions {
  readonly code: string;
  readonly addresses: readonly EndpointAddress[];
  readonly name: string;
  readonly endpoint: Pick<Endpoint, 'links' | 'connect' | 'dial' | 'subscribe'>;
  readonly pipes: Pick<PipeService, 'requester'>;
  readonly local: LocalDiscovery | undefined;
  readonly groups: Groups;
  readonly crypto: Crypto;
  readonly clock: Clock;
}

/**
 * Looks for an administrator of the code's group among the neighbours, at the given addresses and on the local network, and
 * joins at the first that admits. Rejects with what an administrator said (`refused`, `expired`, `revoked`), `not-found` when
 * those who were found do not know the group, `timeout` when nobody was found, or `aborted`.
 */
export async function joinGroup(init: JoinSearchInit): Promise<JoinResult & { readonly administrator: PeerId }> {
  const link = parseJoinCode(init.code);
  return new JoinSearch(init, link).run();
}

class JoinSearch {
  readonly #init: JoinSearchInit;
  readonly #link: JoinLink;
  readonly #tried = new Set<string>();
  readonly #ending = new AbortController();
  /** What went wrong, the last of each candidate. */
  readonly #errors = new Map<string, PipevineError>();
  #decisive: PipevineError | undefined;
  #joined: (JoinResult & { readonly administrator: PeerId }) | undefined;
  #settle: () => void = () => undefined;

  constructor(init: JoinSearchInit, link: JoinLink) {
    this.#init = init;
    this.#link = link;
  }

  async run(): Promise<JoinResult & { readonly administrator: PeerId }> {
    const { clock, local, endpoint, signal } = this.#init;
    const timeoutMs = this.#init.timeoutMs ?? JOIN_TIMEOUT_MS;
    const done = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    const deadline = clock.setTimer(timeoutMs, this.#settle);
    signal?.addEventListener('abort', this.#settle);
    if (signal?.aborted) this.#settle();
    const subscription = endpoint.subscribe({
      onLinkUp: ({ remotePeer }) => this.#consider(remotePeer, async () => remotePeer),
      onLinkDown: () => undefined,
    });
    const seeking = local?.seekAdmission(() => this.#considerHeard());
    try {
      for (const { remotePeer } of endpoint.links()) this.#consider(remotePeer, async () => remotePeer);
      for (const address of new Set([...this.#link.seeds, ...this.#init.addresses])) {
        this.#consider(address, async () => (await endpoint.dial(address, this.#wait())).remotePeer);
      }
      this.#considerHeard();
      await done;
    } finally {
      this.#ending.abort();
      deadline.cancel();
      signal?.removeEventListener('abort', this.#settle);
      subscription.unsubscribe();
      seeking?.stop();
    }
    if (this.#joined !== undefined) return this.#joined;
    if (signal?.aborted) throw new PipevineError('aborted', 'Joining was given up.');
    throw this.#explanation(timeoutMs);
  }

  #considerHeard(): void {
    for (const { peer, addresses } of this.#init.local?.admitting() ?? []) {
      this.#consider(
        peer,
        async () => (await this.#init.endpoint.connect(peer, { ...this.#wait(), addresses })).remotePeer,
      );
    }
  }

  /** Tries one candidate again and again, until the search is over or it has decided. */
  #consider(name: string, reach: () => Promise<PeerId>): void {
    if (this.#ending.signal.aborted || this.#tried.has(name) || this.#tried.size >= MAX_CANDIDATES) return;
    this.#tried.add(name);
    const attempt = () => {
      this.#try(name, reach).catch((error: unknown) => {
        if (!(error instanceof PipevineError)) throw error;
        if (this.#ending.signal.aborted) return;
        this.#errors.set(name, error);
        if (DECISIVE.includes(error.code)) this.#decide(error);
        else this.#init.clock.setTimer(RETRY_MS, () => !this.#ending.signal.aborted && attempt());
      });
    };
    attempt();
  }

  async #try(name: string, reach: () => Promise<PeerId>): Promise<void> {
    const { pipes, groups, crypto, clock } = this.#init;
    const peer = await reach();
    // An address may lead to a peer that is tried already.
    if (name !== peer) {
      this.#errors.delete(name);
      return this.#consider(peer, async () => peer);
    }
    const pipe = await pipes.requester({ peer, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE, ...this.#wait() });
    try {
      const joining = { pipe, code: this.#link, name: this.#init.name, groups, crypto, clock, ...this.#wait() };
      this.#joined ??= { ...(await joinByCode(joining)), administrator: peer };
      this.#settle();
    } finally {
      await pipe.close({ timeoutMs: RETRY_MS });
    }
  }

  #decide(error: PipevineError): void {
    if (this.#decisive === undefined) this.#init.clock.setTimer(SECOND_OPINION_MS, this.#settle);
    this.#decisive ??= error;
  }

  #wait(): WaitOptions {
    return { signal: this.#ending.signal };
  }

  #explanation(timeoutMs: number): PipevineError {
    if (this.#decisive !== undefined) return this.#decisive;
    const seconds = Math.round(timeoutMs / 1000);
    const hint =
      'Check that the gateway runs and that the code is its own; where multicast is blocked, give its address: --seed tcp://host:port.';
    const failures = [...this.#errors];
    const foreign = failures.filter(([, { code }]) => code === 'not-found' || code === 'forged');
    if (foreign.length > 0) {
      const names = foreign.slice(0, 3).map(([name]) => (name.startsWith('urn:') ? shortPeerId(name as PeerId) : name));
      return new PipevineError(
        'not-found',
        `The peers that answered (${names.join(', ')}) do not admit to the group of this code. ${hint}`,
      );
    }
    const [first] = failures;
    const why = first === undefined ? '' : ` The last attempt, at ${first[0]}: ${first[1].message}`;
    return new PipevineError('timeout', `No administrator of the group was found in ${seconds} s. ${hint}${why}`);
  }
}
