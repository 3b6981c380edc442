import type {
  Advertisement,
  AdvertisementInit,
  AdvertisementKind,
  AdvertisementQuery,
} from '../advertisement/advertisement.ts';
import { QueryConditions } from '../advertisement/advertisement-index.ts';
import type { AdvertisementStore, StoreChange } from '../advertisement/advertisement-store.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeListener, PipeService, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { AdvertisementChange, Discovery } from './discovery.ts';
import {
  FIND_TIMEOUT_MS,
  MAX_ASKED_NEIGHBOURS,
  MAX_FIND_EXTENSION,
  MAX_RESULTS,
  MAX_WATCHES,
} from './discovery-defaults.ts';
import { DiscoveryServer } from './discovery-server.ts';
import { GroupNeighbours } from './group-neighbours.ts';
import { type AnswerCounters, NeighbourAnswers, nameOf } from './neighbour-answers.ts';
import { RemoteWatches } from './remote-watches.ts';
import { Wakeup } from './wakeup.ts';

export interface DiscoveryServiceInit {
  readonly identity: Identity;
  readonly store: AdvertisementStore;
  readonly endpoint: Pick<Endpoint, 'links' | 'linkTo' | 'subscribe'>;
  readonly pipes: Pick<PipeService, 'serve' | 'requester'>;
  readonly clock: Clock;
  readonly random: Random;
  /** The peer that speaks for another, when a valid delegation says so. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /** A neighbour has proven to be a member of a group. */
  readonly onMember?: (group: GroupId, peer: PeerId) => void;
}

interface OpenGroup {
  readonly server: DiscoveryServer;
  readonly listener: PipeListener;
  readonly neighbours: GroupNeighbours;
  readonly answers: NeighbourAnswers;
  readonly watches: RemoteWatches;
  /** Wakes each running `watch`. */
  readonly watchers: Set<() => void>;
}

/** Publishing and finding in the groups that were opened: asks neighbours, answers them. */
export class DiscoveryService implements Discovery {
  readonly #init: DiscoveryServiceInit;
  readonly #groups = new Map<GroupId, OpenGroup>();
  readonly #counters: AnswerCounters = { forged: 0, replayed: 0, surplus: 0 };

  constructor(init: DiscoveryServiceInit) {
    this.#init = init;
  }

  /** Begins to serve and to ask in a group that this peer is a member of. Idempotent. */
  openGroup(group: GroupId): void {
    if (this.#groups.has(group)) return;
    const { store, identity, hostOf, clock, random, endpoint, pipes } = this.#init;
    const server = new DiscoveryServer({ group, store, clock });
    const answers = new NeighbourAnswers({
      group,
      localPeer: identity.id,
      store,
      hostOf,
      counters: this.#counters,
      onForged: (peer) => neighbours.distrust(peer),
    });
    const watches = new RemoteWatches({ clock, random, answers, open: () => neighbours.open() });
    const neighbours: GroupNeighbours = new GroupNeighbours({
      group,
      endpoint,
      pipes,
      clock,
      random,
      onOpen: (neighbour) => {
        watches.neighbourOpen(neighbour);
        this.#init.onMember?.(group, neighbour.peer);
      },
    });
    this.#groups.set(group, {
      server,
      listener: server.serve(pipes),
      neighbours,
      answers,
      watches,
      watchers: new Set(),
    });
    neighbours.start();
  }

  /** Idempotent. */
  async closeGroup(group: GroupId): Promise<void> {
    const open = this.#groups.get(group);
    if (open === undefined) return;
    this.#groups.delete(group);
    open.listener.close();
    open.watches.close();
    for (const wake of open.watchers) wake();
    await open.neighbours.close();
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
    const { neighbours, answers } = this.#group(query.group);
    const { store, identity, hostOf, clock } = this.#init;
    const limit = query.limit ?? 1_000;
    const given = new Set<string>();
    const conditions = new QueryConditions(query);
    for (const held of store.search({ ...query, limit: MAX_RESULTS })) {
      if (given.size >= limit) return;
      const { publisher } = held;
      // What this process publishes itself is always new; the rest may be put right by whoever knows better.
      if (publisher !== identity.id && hostOf(publisher) !== identity.id) continue;
      const advertisement = held.read();
      if (advertisement === undefined) continue;
      given.add(nameOf(advertisement));
      yield advertisement;
    }
    const ending = new AbortController();
    const end = () => ending.abort();
    options.signal?.addEventListener('abort', end);
    if (options.signal?.aborted) end();
    const timeoutMs = options.timeoutMs ?? FIND_TIMEOUT_MS;
    const latestMs = clock.monotonicMs() + MAX_FIND_EXTENSION * timeoutMs;
    let progressed = false;
    let deadline = clock.setTimer(timeoutMs, onDeadline);
    // A long answer is not cut off while it comes; a neighbour that trickles is.
    function onDeadline(): void {
      if (!progressed || clock.monotonicMs() >= latestMs) return end();
      progressed = false;
      deadline = clock.setTimer(timeoutMs, onDeadline);
    }
    const wakeup = new Wakeup();
    const arrived = new Map<string, Advertisement>();
    const onHeld = (advertisement: Advertisement) => {
      // Delegations come along with what was asked for; and a neighbour may send what was not.
      if (!conditions.matches(advertisement)) return;
      progressed = true;
      arrived.set(nameOf(advertisement), advertisement);
      wakeup.wake();
    };
    let asking = true;
    const ask = async () => {
      await untilAborted(neighbours.settled(), ending.signal);
      const wait = { signal: ending.signal, timeoutMs, onHeld };
      // A neighbour that fails to answer leaves the others' answers as they are.
      const ended = await Promise.allSettled(
        neighbours.open().map((neighbour) => answers.follow(neighbour, query, false, wait)),
      );
      for (const one of ended) {
        if (one.status === 'rejected' && !(one.reason instanceof PipevineError)) throw one.reason;
      }
    };
    const asked = ask().finally(() => {
      asking = false;
      wakeup.wake();
    });
    try {
      while (asking && given.size < limit) {
        await wakeup.wait();
        for (const [name, advertisement] of arrived) {
          arrived.delete(name);
          if (given.has(name) || given.size >= limit) continue;
          given.add(name);
          yield advertisement;
        }
      }
      for (const held of given.size < limit ? store.search({ ...query, limit: MAX_RESULTS }) : []) {
        if (given.size >= limit) break;
        const advertisement = given.has(nameOf(held)) ? undefined : held.read();
        if (advertisement === undefined) continue;
        given.add(nameOf(advertisement));
        yield advertisement;
      }
      if (options.signal?.aborted) throw new PipevineError('aborted', 'The caller gave up the search.');
    } finally {
      deadline.cancel();
      options.signal?.removeEventListener('abort', end);
      end();
      await asked;
    }
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
      release = open.watches.use(query);
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

  /** Keeps the store informed of what the neighbours publish of a kind, until the returned function is called. */
  followNeighbours(kind: AdvertisementKind, group: GroupId): () => void {
    return this.#group(group).watches.useOwn({ kind, group, limit: 100 });
  }

  /** Neighbours that have proven to be members of the group and can be asked. */
  neighboursOf(group: GroupId): PeerId[] {
    return (this.#groups.get(group)?.neighbours.open() ?? []).map(({ peer }) => peer);
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
    const { forged, replayed, surplus } = this.#counters;
    return {
      ...served,
      'discovery neighbours': {
        used: sum(groups.map(({ neighbours }) => neighbours.used)),
        limit: MAX_ASKED_NEIGHBOURS,
        dropped: sum(groups.map(({ neighbours }) => neighbours.ignored)),
      },
      'discovery watches': {
        used: sum(groups.map(({ watches }) => watches.used)),
        limit: MAX_WATCHES,
        dropped: sum(groups.map(({ watches }) => watches.refused)),
      },
      'advertisements forged': { used: 0, limit: 0, dropped: forged + surplus },
      'advertisements replayed': { used: 0, limit: 0, dropped: replayed },
    };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#groups.keys()].map((group) => this.closeGroup(group)));
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

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
    promise.then(done, done);
  });
}
