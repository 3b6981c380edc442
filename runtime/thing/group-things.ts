import type { Advertisement, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeListener, PipeService, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { completeDescription } from './complete-description.ts';
import { consumeThing } from './consumed-thing.ts';
import type { ConsumedThing, ExposedThing, ThingFilter, ThingHandlers, ThingSummary } from './thing.ts';
import { thingAdvertisementInit, thingSummaryOf } from './thing-advertisement.ts';
import { ThingConnections } from './thing-connections.ts';
import { MAX_CONSUMED_THINGS, MAX_EXPOSED_THINGS, MAX_LISTED_THINGS } from './thing-defaults.ts';
import type { ThingInit } from './thing-description.ts';
import { parseThingId, thingKeyOfTitle } from './thing-id.ts';
import { type OfferedThing, ThingServer } from './thing-server.ts';

export interface GroupThingsInit {
  readonly group: GroupId;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly pipes: Pick<PipeService, 'serve' | 'requester'>;
  readonly discovery: Discovery;
  /** The peer that speaks for another, when a valid delegation says so. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
}

/** The things of one group: those that this peer exposes, and those of others. */
export class GroupThings {
  /** For whoever offers things of hosted peers. */
  readonly server: ThingServer;
  readonly #init: GroupThingsInit;
  readonly #connections: ThingConnections;
  readonly #exposed = new Map<string, OfferedThing>();
  readonly #consumed = new Set<ConsumedThing>();
  readonly #listener: PipeListener;
  #damaged = 0;
  #consumedRefused = 0;
  #closed = false;

  constructor(init: GroupThingsInit) {
    this.#init = init;
    this.server = new ThingServer(init);
    this.#connections = new ThingConnections({ ...init, locate: (peer) => this.#locate(peer) });
    this.server.addProvider({
      find: (peer, key) => (peer === init.identity.id ? this.#exposed.get(key) : undefined),
    });
    this.#listener = this.server.serve(init.pipes);
  }

  /** Offers a thing of this peer's own. Rejects with `busy` when its title, or one like it, is taken. */
  async expose(init: ThingInit, handlers: ThingHandlers): Promise<ExposedThing> {
    this.#checkOpen();
    const { group, identity, clock, discovery } = this.#init;
    const key = thingKeyOfTitle(init.title);
    if (this.#exposed.has(key)) {
      throw new PipevineError(
        'busy',
        `A thing "${key}" is exposed already: destroy it first, or choose another title.`,
      );
    }
    if (this.#exposed.size >= MAX_EXPOSED_THINGS) {
      throw new PipevineError('overloaded', `This peer exposes ${MAX_EXPOSED_THINGS} things, which is the limit.`);
    }
    const description = completeDescription(init, { peer: identity.id, key });
    const offered: OfferedThing = { description, handlers, ownSchemas: true };
    const advertisement = thingAdvertisementInit({ group, key, description, availability: 'up', connector: '' });
    this.#exposed.set(key, offered);
    try {
      await discovery.publish(advertisement);
    } catch (error) {
      this.#exposed.delete(key);
      throw error;
    }
    return {
      description,
      emitPropertyChange: (name, reading) => this.server.emitPropertyChange(identity.id, key, name, reading),
      emitEvent: (name, data) => this.server.emitEvent(identity.id, key, name, data, clock.wallMs()),
      destroy: async () => {
        if (this.#exposed.get(key) !== offered) return;
        this.#exposed.delete(key);
        this.server.thingGone(identity.id, key);
        await discovery.withdraw({ kind: 'thing', group, key });
      },
    };
  }

  /** The things of the group, each once. Advertisements with a damaged description are counted and left out. */
  async *list(filter: ThingFilter = {}, options?: WaitOptions): AsyncGenerator<ThingSummary> {
    this.#checkOpen();
    const query: AdvertisementQuery = {
      kind: 'thing',
      group: this.#init.group,
      limit: MAX_LISTED_THINGS,
      ...(filter.title !== undefined && { name: filter.title }),
      ...(filter.connector !== undefined && { attributes: { connector: filter.connector } }),
    };
    for await (const advertisement of this.#init.discovery.find(query, options)) {
      const summary = this.summaryOf(advertisement);
      if (summary !== undefined) yield summary;
    }
  }

  /** What a `thing` advertisement of this group says; undefined, and counted, when its body is damaged. */
  summaryOf(advertisement: Advertisement): ThingSummary | undefined {
    try {
      return thingSummaryOf(advertisement, this.#init.hostOf);
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#damaged++;
      return undefined;
    }
  }

  /**
   * Takes a thing into use: by its summary, its id, or its title when only one has it. Connects when it is first asked.
   * Rejects with `not-found` or `ambiguous`.
   */
  async consume(thing: ThingSummary | string): Promise<ConsumedThing> {
    this.#checkOpen();
    if (this.#consumed.size >= MAX_CONSUMED_THINGS) {
      this.#consumedRefused++;
      throw new PipevineError(
        'overloaded',
        `${MAX_CONSUMED_THINGS} things are in use, which is the limit; close some.`,
      );
    }
    const summary = typeof thing === 'string' ? await this.#find(thing) : thing;
    const { clock, random } = this.#init;
    const { peer } = summary;
    const consumed = consumeThing({
      summary,
      clock,
      random,
      connection: this.#connections.use(peer),
      findAgain: async () => {
        await this.#locate(peer);
      },
      onClosed: () => this.#consumed.delete(consumed),
    });
    this.#consumed.add(consumed);
    return consumed;
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      ...this.server.status(),
      ...this.#connections.status(),
      'things exposed': { used: this.#exposed.size, limit: MAX_EXPOSED_THINGS, dropped: 0 },
      'things consumed': { used: this.#consumed.size, limit: MAX_CONSUMED_THINGS, dropped: this.#consumedRefused },
      'things damaged': { used: 0, limit: 0, dropped: this.#damaged },
    };
  }

  /** Ends observations in good order and closes connections; advertisements stay. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.server.close();
    for (const consumed of this.#consumed) await consumed.close();
    await this.#connections.close();
  }

  async #locate(peer: PeerId): Promise<boolean> {
    const { discovery, group, hostOf } = this.#init;
    const before = hostOf(peer);
    for await (const _ of discovery.find({ kind: 'delegation', group, publisher: peer, limit: 1 })) break;
    return hostOf(peer) !== before;
  }

  async #find(text: string): Promise<ThingSummary> {
    const { group, discovery } = this.#init;
    if (text.startsWith('urn:')) {
      const { peer, key } = parseThingId(text);
      const query: AdvertisementQuery = { kind: 'thing', group, publisher: peer, key, limit: 1 };
      for await (const advertisement of discovery.find(query)) {
        const summary = this.summaryOf(advertisement);
        if (summary !== undefined) return summary;
      }
      throw new PipevineError('not-found', `No thing ${text} was found in the group; is its gateway on and linked?`);
    }
    const found: ThingSummary[] = [];
    for await (const summary of this.list({ title: text.replaceAll('*', '') })) found.push(summary);
    const [summary, another] = found;
    if (summary === undefined) {
      throw new PipevineError('not-found', `No thing with the title "${text.slice(0, 80)}" was found in the group.`);
    }
    if (another !== undefined) {
      const ids = found.slice(0, 4).map(({ id }) => id);
      throw new PipevineError('ambiguous', `${found.length} things have this title; give an id: ${ids.join(', ')}`);
    }
    return summary;
  }

  #checkOpen(): void {
    if (this.#closed) throw new PipevineError('closed', 'The peer has left the group or is closed.');
  }
}
