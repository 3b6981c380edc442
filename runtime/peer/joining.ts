import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupMembership } from '../group/groups.ts';
import { type GroupId, WORLD_GROUP } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { findGroups } from '../membership/group-finder.ts';
import type { FoundGroup, JoinOutcome } from '../membership/join-client.ts';
import { resignAt } from '../membership/join-client.ts';
import { MEMBERSHIP_SERVICE, NONCE_BYTES } from '../membership/membership-defaults.ts';
import type { ToldRelays } from '../membership/membership-search.ts';
import { type PendingApplication, PendingApplications } from '../membership/pending-applications.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { RelaySource } from '../pipe/pipe-paths.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../platform/storage.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { type JoinSearchInit, joinGroup } from './join-search.ts';
import type { JoinOptions } from './peer.ts';

/** An administrator is told of a resignation if it answers within this time, ms. */
const RESIGN_TIMEOUT_MS = 2_000;

export interface JoiningInit extends Omit<JoinSearchInit, 'by' | 'addresses' | 'relays' | keyof WaitOptions> {
  readonly endpoint: JoinSearchInit['endpoint'] & Pick<Endpoint, 'linkTo'>;
  /** Default: administrators are reached without relays only, unless they have told theirs. */
  readonly relays?: (ToldRelays & Pick<RelaySource, 'relaysOf'>) | undefined;
  readonly storage: Storage;
  readonly random: Random;
  /** Where to look besides the addresses that a call gives. */
  readonly seeds: readonly EndpointAddress[];
  /** An application was refused or ran out. */
  readonly onEnd: (application: PendingApplication, error: PipevineError) => void;
  /** This peer has become a member, by that administrator. */
  readonly onJoined: (membership: GroupMembership, administrator: PeerId) => Promise<void>;
}

/** Becoming a member of groups, and ceasing to be one. */
export class Joining {
  readonly #init: JoiningInit;
  readonly #pending: PendingApplications;

  constructor(init: JoiningInit) {
    this.#init = init;
    const { storage, clock, random, groups, onEnd } = init;
    const ask = (application: PendingApplication, wait: WaitOptions) => this.#apply(application, wait);
    this.#pending = new PendingApplications({ storage, clock, random, groups, ask, onEnd });
  }

  get applications(): readonly PendingApplication[] {
    return this.#pending.list();
  }

  async byCode(code: string, options: JoinOptions): Promise<JoinOutcome> {
    return this.#join({ code }, options);
  }

  async toGroup(group: GroupId, options: JoinOptions & { readonly password?: string }): Promise<JoinOutcome> {
    const { password, addresses = [], ...wait } = options;
    const before = this.#pending.get(group);
    if (before !== undefined) return this.#apply({ ...before, addresses }, wait);
    const application = { nonce: this.#init.random.bytes(NONCE_BYTES), askedAtMs: undefined as number | undefined };
    const outcome = await this.#join({ group, password, application }, { addresses, ...wait });
    if (outcome.state === 'pending') {
      const askedAtMs = application.askedAtMs ?? this.#init.clock.wallMs();
      await this.#pending.add({ group, name: outcome.name, nonce: application.nonce, askedAtMs, addresses });
    }
    return outcome;
  }

  find(options: JoinOptions & { readonly name?: string }): AsyncIterable<FoundGroup> {
    const { addresses = [], ...rest } = options;
    const { endpoint, pipes, local, clock, crypto, seeds } = this.#init;
    return findGroups({ ...rest, endpoint, pipes, local, clock, crypto, addresses: [...addresses, ...seeds] });
  }

  withdraw(group: GroupId): Promise<void> {
    return this.#pending.withdraw(group);
  }

  /** Tells an administrator that this peer leaves; a goodbye that nobody hears changes nothing. */
  async sayGoodbye({ group, credential, administrator }: GroupMembership): Promise<void> {
    if (administrator === undefined || !this.#isNear(administrator)) return;
    const wait = { timeoutMs: RESIGN_TIMEOUT_MS };
    try {
      const to = { peer: administrator, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE };
      const pipe = await this.#init.pipes.requester({ ...to, ...wait });
      try {
        await resignAt({ pipe, group, credential: credential.encoded, ...wait });
      } finally {
        await pipe.close(wait);
      }
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
    }
  }

  /** Whether an answer can come soon: over a link, or a relay of either. */
  #isNear(administrator: PeerId): boolean {
    const { endpoint, relays, localPeer } = this.#init;
    if (endpoint.linkTo(administrator) !== undefined) return true;
    const all = [administrator, localPeer].flatMap((peer) => relays?.relaysOf(peer, WORLD_GROUP) ?? []);
    return all.some((relay) => endpoint.linkTo(relay) !== undefined);
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, PendingApplications['status']>> {
    return { 'own applications': this.#pending.status };
  }

  /** Idempotent. */
  close(): void {
    this.#pending.close();
  }

  #apply({ group, nonce, askedAtMs, addresses }: PendingApplication, wait: WaitOptions): Promise<JoinOutcome> {
    return this.#join({ group, application: { nonce, askedAtMs } }, { addresses, ...wait });
  }

  async #join(by: JoinSearchInit['by'], { addresses = [], ...wait }: JoinOptions): Promise<JoinOutcome> {
    const { seeds, onJoined, ...search } = this.#init;
    const outcome = await joinGroup({ ...search, by, addresses: [...addresses, ...seeds], ...wait });
    if (outcome.state === 'joined') await onJoined(outcome.membership, outcome.administrator);
    return outcome;
  }
}
