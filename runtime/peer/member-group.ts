import type { Advertisement, AdvertisementInit, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementChange, Discovery } from '../discovery/discovery.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type {
  ConnectInit,
  ListenInit,
  Pipe,
  PipeListener,
  PipeService,
  RequestHandler,
  RequestPipe,
  WaitOptions,
} from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { GroupThings } from '../thing/group-things.ts';
import type { ConsumedThing, ExposedThing, Reading, ThingFilter, ThingHandlers, ThingSummary } from '../thing/thing.ts';
import type { JsonValue, ThingInit } from '../thing/thing-description.ts';
import type { ThingProvider } from '../thing/thing-server.ts';
import type { PeerGroup, ThingChange } from './peer.ts';

export interface MemberGroupInit {
  readonly id: GroupId;
  /** Read anew each time: a membership is renewed. */
  readonly membership: () => { readonly name: string; readonly credential: Credential | undefined };
  readonly pipes: PipeService;
  readonly discovery: Discovery;
  readonly things: GroupThings;
  readonly clock: Clock;
}

/** Services on the group's own pipes would not be found by others under these names. */
const RESERVED = ['discovery', 'thing'];

/** One group as a program sees it: every call goes to the service that does it, with the group filled in. */
export class MemberGroup implements PeerGroup {
  readonly id: GroupId;
  readonly #init: MemberGroupInit;
  readonly #listeners = new Set<PipeListener>();
  #closed = false;

  constructor(init: MemberGroupInit) {
    this.id = init.id;
    this.#init = init;
  }

  get name(): string {
    return this.#init.membership().name;
  }

  get credential(): Credential | undefined {
    return this.#init.membership().credential;
  }

  publish(init: Omit<AdvertisementInit, 'group'>): Promise<Advertisement> {
    return this.#open().discovery.publish({ ...init, group: this.id });
  }

  publishAs(identity: Identity, init: Omit<AdvertisementInit, 'group'>): Promise<Advertisement> {
    return this.#open().discovery.publish({ ...init, group: this.id }, identity);
  }

  withdraw(name: Pick<AdvertisementInit, 'kind' | 'key'>): Promise<void> {
    return this.#open().discovery.withdraw({ ...name, group: this.id });
  }

  withdrawAs(identity: Identity, name: Pick<AdvertisementInit, 'kind' | 'key'>): Promise<void> {
    return this.#open().discovery.withdraw({ ...name, group: this.id }, identity);
  }

  discover(query: Omit<AdvertisementQuery, 'group'>, options?: WaitOptions): AsyncIterable<Advertisement> {
    return this.#open().discovery.find({ ...query, group: this.id }, options);
  }

  watch(
    query: Omit<AdvertisementQuery, 'group'>,
    options?: { signal?: AbortSignal },
  ): AsyncIterable<AdvertisementChange> {
    return this.#open().discovery.watch({ ...query, group: this.id }, options);
  }

  listen(init: Omit<ListenInit, 'group'>, onPipe: (pipe: Pipe) => void): PipeListener {
    return this.#held(this.#open().pipes.listen({ ...this.#named(init), group: this.id }, onPipe));
  }

  connect(init: Omit<ConnectInit, 'group'>): Promise<Pipe> {
    return this.#open().pipes.connect({ ...init, group: this.id });
  }

  serve(init: Omit<ListenInit, 'group'>, handler: RequestHandler): PipeListener {
    return this.#held(this.#open().pipes.serve({ ...this.#named(init), group: this.id }, handler));
  }

  requester(init: Omit<ConnectInit, 'group' | 'kind'>): Promise<RequestPipe> {
    return this.#open().pipes.requester({ ...init, group: this.id });
  }

  expose(thing: ThingInit, handlers: ThingHandlers): Promise<ExposedThing> {
    return this.#open().things.expose(thing, handlers);
  }

  things(filter?: ThingFilter, options?: WaitOptions): AsyncIterable<ThingSummary> {
    return this.#open().things.list(filter, options);
  }

  watchThings(options?: { readonly signal?: AbortSignal }): AsyncIterable<ThingChange> {
    return this.#thingChanges(this.watch({ kind: 'thing' }, options));
  }

  consume(thing: ThingSummary | string): Promise<ConsumedThing> {
    return this.#open().things.consume(thing);
  }

  members(options?: WaitOptions): AsyncIterable<Advertisement> {
    return this.discover({ kind: 'peer', limit: 10_000 }, options);
  }

  addThings(provider: ThingProvider): { remove(): void } {
    return this.#open().things.server.addProvider(provider);
  }

  emitPropertyChange(peer: PeerId, key: string, name: string, reading: Reading): void {
    this.#init.things.server.emitPropertyChange(peer, key, name, reading);
  }

  emitEvent(peer: PeerId, key: string, name: string, data: JsonValue | undefined): void {
    this.#init.things.server.emitEvent(peer, key, name, data, this.#init.clock.wallMs());
  }

  thingGone(peer: PeerId, key: string): void {
    this.#init.things.server.thingGone(peer, key);
  }

  /** The peer leaves the group or closes. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
  }

  async *#thingChanges(changes: AsyncIterable<AdvertisementChange>): AsyncGenerator<ThingChange> {
    for await (const { change, advertisement } of changes) {
      const thing = this.#init.things.summaryOf(advertisement);
      if (thing !== undefined) yield { change, thing };
    }
  }

  #named<T extends { readonly name: string }>(init: T): T {
    if (RESERVED.includes(init.name)) {
      throw new PipevineError('busy', `"${init.name}" is a service of the group itself; choose another name.`);
    }
    return init;
  }

  #held(listener: PipeListener): PipeListener {
    this.#listeners.add(listener);
    return {
      close: () => {
        this.#listeners.delete(listener);
        listener.close();
      },
    };
  }

  #open(): MemberGroupInit {
    if (this.#closed) throw new PipevineError('closed', 'The peer has left the group or is closed.');
    return this.#init;
  }
}
