import type {
  Advertisement,
  AdvertisementInit,
  AdvertisementKind,
  AdvertisementQuery,
} from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { StoreChange } from '../advertisement/advertisement-watchers.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { SearchScope, SearchTarget } from '../rendezvous/search-scope.ts';
import type { GroupNeighbour, GroupResolver } from '../resolver/resolver.ts';
import type { AdvertisementChange, Discovery } from './discovery.ts';
import {
  DISCOVERY_HANDLER,
  FIND_TIMEOUT_MS,
  MAX_CLIENT_WATCHES,
  MAX_RESULTS,
  MAX_WATCHES,
} from './discovery-defaults.ts';
import { DiscoveryServer } from './discovery-server.ts';
import { type AnswerCounters, NeighbourAnswers, nameOf } from './neighbour-answers.ts';
import type { PublisherGate, PublisherSource } from './publisher-check.ts';
import { queryName } from './query-name.ts';
import { RemoteWatches } from './remote-watches.ts';
import { RepeatPause } from './repeat-pause.ts';
import { Wakeup } from './wakeup.ts';

export interface DiscoveryServiceInit {
  readonly identity: Identity;
  readonly store: AdvertisementStore;
  readonly clock: Clock;
  readonly random: Random;
  /** The peer that speaks for another, when a valid delegation says so. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
}

/** What discovery needs in one group. */
export interface DiscoveryGroupInit {
  readonly resolver: GroupResolver;
  /** Decides whose advertisements count. */
  readonly publishers: PublisherGate;
  /** Default: all neighbours are asked, and none of them to walk. */
  readonly scope?: SearchScope;
}

/** What became of advertisements that a neighbour pushed. */
export interface PushReceipt {
  /** Held now, held before, or withdrawn. */
  readonly taken: number;
  readonly unproven: number;
  readonly replayed: number;
}

interface OpenGroup {
  readonly resolver: GroupResolver;
  readonly scope: SearchScope;
  readonly server: DiscoveryServer;
  readonly answers: NeighbourAnswers;
  readonly watches: RemoteWatches;
  /** On behalf of those that lease here. */
  readonly clientWatches: RemoteWatches;
  readonly pause: RepeatPause;
  /** Wakes each running `watch`. */
  readonly watchers: Set<() => void>;
  close(): void;
}

/** Publishing and finding in the groups that were opened: asks others, answers them. */
export class DiscoveryService implements Discovery {
  readonly #init: DiscoveryServiceInit;
  readonly #groups = new Map<GroupId, OpenGroup>();
  readonly #counters: AnswerCounters = { forged: 0, replayed: 0, surplus: 0, unproven: 0 };

  constructor(init: DiscoveryServiceInit) {
    this.#init = init;
  }

  /** Begins to serve and to ask in a group that this peer is a member of. Idempotent. */
  openGroup(group: GroupId, { resolver, publishers, scope = neighboursOnly(resolver) }: DiscoveryGroupInit): void {
    if (this.#groups.has(group)) return;
    const { store, hostOf, clock, random } = this.#init;
    const counters = this.#counters;
    const answers = new NeighbourAnswers({ group, resolver, store, clock, publishers, hostOf, counters });
    const watches = new RemoteWatches({ clock, random, answers, limit: MAX_WATCHES });
    const clientWatches = new RemoteWatches({ clock, random, answers, limit: MAX_CLIENT_WATCHES });
    const watchOthers = (query: AdvertisementQuery) => useScope(clientWatches, scope, query);
    const server = new DiscoveryServer({ group, store, clock, hostOf, scope, answers, watchOthers });
    const pause = new RepeatPause({ clock, random });
    const update = () => {
      pause.surroundingsChanged();
      watches.update();
      clientWatches.update();
    };
    const onOpen = (neighbour: GroupNeighbour) => {
      watches.opened(neighbour);
      update();
    };
    const onClosed = (neighbour: GroupNeighbour) => {
      watches.closed(neighbour);
      update();
    };
    const subscriptions = [resolver.subscribe({ onOpen, onClosed }), scope.subscribe(update)];
    const handler = resolver.handle(DISCOVERY_HANDLER, (body, context) => server.handle(body, context));
    const watchers = new Set<() => void>();
    const close = () => {
      handler.close();
      for (const subscription of subscriptions) subscription.unsubscribe();
      watches.close();
      clientWatches.close();
      for (const wake of watchers) wake();
    };
    this.#groups.set(group, { resolver, scope, server, answers, watches, clientWatches, pause, watchers, close });
  }

  /** Idempotent. Leaves the resolver open. */
  closeGroup(group: GroupId): void {
    const open = this.#groups.get(group);
    this.#groups.delete(group);
    open?.close();
  }

  publish(init: AdvertisementInit, identity = this.#init.identity): Promise<Advertisement> {
    return this.#init.store.publish(identity, init);
  }

  async withdraw(
    name: Pick<AdvertisementInit, 'kind' | 'group' | 'key'>,
    identity = this.#init.identity,
  ): Promise<void> {
    await this.#init.store.withdraw(identity, name);
  }

  local(query: AdvertisementQuery): Advertisement[] {
    return this.#init.store.find(query);
  }

  async *find(query: AdvertisementQuery, options: WaitOptions = {}): AsyncGenerator<Advertisement> {
    const { answers, scope, pause } = this.#group(query.group);
    const { store, identity, hostOf } = this.#init;
    const { signal, timeoutMs = FIND_TIMEOUT_MS } = options;
    const limit = query.limit ?? 1_000;
    const given = new Set<string>();
    const isNew = (one: Pick<Advertisement, 'publisher' | 'key'>) => {
      const { size } = given;
      return size < limit && given.add(nameOf(one)).size > size;
    };
    let known = false;
    for (const held of store.search({ ...query, limit: MAX_RESULTS })) {
      if (given.size >= limit) return;
      known = true;
      const { publisher } = held;
      // What this process publishes itself is always new; the rest may be put right by whoever knows better.
      if (publisher !== identity.id && hostOf(publisher) !== identity.id) continue;
      const advertisement = held.read();
      if (advertisement !== undefined && isNew(advertisement)) yield advertisement;
    }
    const name = queryName(query);
    if (known || !pause.isPaused(name)) {
      const plan = () => scope.plan(query, 'own');
      const wait = { signal, timeoutMs, ready: scope.settled(), isVain: () => given.size === 0 };
      for await (const batch of answers.search(query, plan, wait)) {
        for (const advertisement of batch) if (isNew(advertisement)) yield advertisement;
        if (given.size >= limit) break;
      }
      if (signal?.aborted !== true) pause.answered(name, known || given.size > 0);
    }
    for (const held of given.size < limit ? store.search({ ...query, limit: MAX_RESULTS }) : []) {
      if (given.size >= limit) break;
      const advertisement = given.has(nameOf(held)) ? undefined : held.read();
      if (advertisement !== undefined && isNew(advertisement)) yield advertisement;
    }
    if (signal?.aborted) throw new PipevineError('aborted', 'The caller gave up the search.');
  }

  async *watch(
    query: AdvertisementQuery,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<AdvertisementChange> {
    const open = this.#group(query.group);
    const { signal } = options;
    const pending = new Map<string, AdvertisementChange>();
    const wakeup = new Wakeup();
    const unsubscribe = this.#init.store.subscribe(query, (change) => {
      put(pending, change);
      wakeup.wake();
    });
    signal?.addEventListener('abort', wakeup.wake);
    open.watchers.add(wakeup.wake);
    let release: (() => void) | undefined;
    try {
      for (const advertisement of this.#init.store.find({ ...query, limit: MAX_RESULTS })) {
        pending.set(nameOf(advertisement), { change: 'added', advertisement });
      }
      release = useScope(open.watches, open.scope, query);
      while (signal?.aborted !== true && this.#groups.get(query.group) === open) {
        const [next] = pending;
        if (next === undefined) await wakeup.wait();
        else {
          pending.delete(next[0]);
          yield next[1];
        }
      }
    } finally {
      release?.();
      unsubscribe();
      open.watchers.delete(wakeup.wake);
      signal?.removeEventListener('abort', wakeup.wake);
    }
  }

  /** Keeps the store informed of what each neighbour publishes itself of a kind, until the returned function is called. */
  followNeighbours(kind: AdvertisementKind, group: GroupId): () => void {
    const { watches, resolver } = this.#group(group);
    const queryFor = (publisher: PeerId) => ({ kind, group, publisher, limit: 100 });
    return watches.use(`own ${kind}`, { targets: () => withoutWalk(resolver), queryFor, everyNeighbour: true });
  }

  /** Takes in what a neighbour pushes. Throws `forged`, `malformed` and the like, and leaves the neighbour alone then. */
  receive(group: GroupId, pushed: readonly Uint8Array[], from: PublisherSource): PushReceipt {
    const receipt = { taken: 0, unproven: 0, replayed: 0 };
    receipt.unproven = this.#group(group).answers.take(pushed, from, ({ outcome }) => {
      receipt[outcome === 'replayed' ? outcome : 'taken']++;
    });
    return receipt;
  }

  /** The peers that a neighbour knows, its own advertisement among them. Rejects as the resolver does. */
  async knownPeers(neighbour: GroupNeighbour, group: GroupId, limit = 100): Promise<Advertisement[]> {
    const peers = new Map<PeerId, Advertisement>();
    const onHeld = (advertisement: Advertisement) => {
      if (advertisement.kind === 'peer') peers.set(advertisement.publisher, advertisement);
    };
    const { signal } = new AbortController();
    const target = { neighbour, walk: false };
    await this.#group(group).answers.follow(target, { kind: 'peer', group, limit }, false, { signal, onHeld });
    return [...peers.values()];
  }

  /** Neighbours that have proven to be members of the group and can be asked. */
  neighboursOf(group: GroupId): PeerId[] {
    return (this.#groups.get(group)?.resolver.neighbours() ?? []).map(({ peer }) => peer);
  }

  /** Whether that peer is one of them. */
  isNeighbour(peer: PeerId, group: GroupId): boolean {
    return this.#groups.get(group)?.resolver.neighbour(peer) !== undefined;
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    const groups = [...this.#groups.values()];
    const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
    const served: Record<string, { used: number; limit: number; dropped: number }> = {};
    for (const { server } of groups) {
      for (const [name, { used, limit, dropped }] of Object.entries(server.status())) {
        const before = served[name] ?? { used: 0, limit: 0, dropped: 0 };
        served[name] = { used: before.used + used, limit, dropped: before.dropped + dropped };
      }
    }
    const watching = (of: (open: OpenGroup) => RemoteWatches, limit: number) => ({
      used: sum(groups.map((open) => of(open).used)),
      limit,
      dropped: sum(groups.map((open) => of(open).refused)),
    });
    const { forged, replayed, surplus, unproven } = this.#counters;
    return {
      ...served,
      'discovery watches': watching(({ watches }) => watches, MAX_WATCHES),
      'discovery watches for others': watching(({ clientWatches }) => clientWatches, MAX_CLIENT_WATCHES),
      'advertisements forged': { used: 0, limit: 0, dropped: forged + surplus },
      'advertisements replayed': { used: 0, limit: 0, dropped: replayed },
      'advertisements unproven': { used: 0, limit: 0, dropped: unproven },
    };
  }

  /** Idempotent. */
  close(): void {
    for (const group of [...this.#groups.keys()]) this.closeGroup(group);
  }

  #group(group: GroupId): OpenGroup {
    const open = this.#groups.get(group);
    if (open === undefined) {
      throw new PipevineError('not-found', `This peer is no member of group ${shortGroupId(group)}; join it first.`);
    }
    return open;
  }
}

/** What a watcher that has not looked yet needs to know of two changes to one advertisement, together. */
function put(pending: Map<string, AdvertisementChange>, { change, advertisement }: StoreChange): void {
  const name = nameOf(advertisement);
  const before = pending.get(name)?.change;
  if (before === 'added' && change === 'removed') pending.delete(name);
  else if (before === 'added') pending.set(name, { change: 'added', advertisement });
  else if (before === 'removed' && change === 'added') pending.set(name, { change: 'updated', advertisement });
  else pending.set(name, { change, advertisement });
}

function withoutWalk(resolver: GroupResolver): SearchTarget[] {
  return resolver.neighbours().map((neighbour) => ({ neighbour, walk: false }));
}

function neighboursOnly(resolver: GroupResolver): SearchScope {
  return {
    plan: () => ({ first: withoutWalk(resolver), second: [] }),
    settled: () => resolver.settled(),
    watched: () => withoutWalk(resolver),
    subscribe: () => ({ unsubscribe: () => undefined }),
  };
}

function useScope(watches: RemoteWatches, scope: SearchScope, query: AdvertisementQuery): () => void {
  return watches.use(queryName(query), { targets: () => scope.watched(), queryFor: () => query });
}
