import { Wakeup } from '../discovery/wakeup.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PipeListener, PipeService, RequestContext } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import { EventQueue, LatestValue } from './observation-buffer.ts';
import type { InteractionContext, Reading, ThingHandlers } from './thing.ts';
import {
  decodeThingRequest,
  encodeEmptyAnswer,
  encodeEventItem,
  encodeOutput,
  encodeReading,
  type ThingRequest,
} from './thing-codec.ts';
import {
  MAX_OBSERVATIONS,
  MAX_OBSERVATIONS_PER_PEER,
  MAX_QUEUED_EVENTS,
  MAX_REQUESTS,
  MAX_REQUESTS_PER_PEER,
  THING_REQUEST_TIMEOUT_MS,
  THING_SERVICE,
} from './thing-defaults.ts';
import type { JsonValue, ThingDescription } from './thing-description.ts';
import { checkValue } from './value-check.ts';

/** A thing as the server needs it for one request; a provider may make it anew each time. */
export interface OfferedThing {
  readonly description: ThingDescription;
  readonly handlers: ThingHandlers;
  /** Whether this process wrote the data schemas itself, so that their patterns can be tried. */
  readonly ownSchemas: boolean;
}

/** Finds what is offered, so that thousands of things need no object each while nobody asks for them. */
export interface ThingProvider {
  /** Undefined when this provider has no such thing. Must not wait. */
  find(peer: PeerId, key: string): OfferedThing | undefined;
}

export interface ThingServerInit {
  readonly group: GroupId;
  readonly clock: Clock;
  readonly maxObservations?: number;
  readonly maxObservationsPerPeer?: number;
}

interface Observer {
  readonly buffer: LatestValue | EventQueue;
  readonly wakeup: Wakeup;
  ended: PipevineError | 'done' | undefined;
}

/** Answers requests to the things of a group that this process offers. Observers are kept only while they observe. */
export class ThingServer {
  readonly #group: GroupId;
  readonly #clock: Clock;
  readonly #maxObservations: number;
  readonly #maxObservationsPerPeer: number;
  readonly #providers = new Set<ThingProvider>();
  /** By thing, then by affordance. */
  readonly #observers = new Map<string, Map<string, Set<Observer>>>();
  readonly #observationsOf = new Map<PeerId, number>();
  readonly #requestsOf = new Map<PeerId, number>();
  #observations = 0;
  #requests = 0;
  #observationsRefused = 0;
  #requestsRefused = 0;
  #eventsLost = 0;

  constructor(init: ThingServerInit) {
    this.#group = init.group;
    this.#clock = init.clock;
    this.#maxObservations = init.maxObservations ?? MAX_OBSERVATIONS;
    this.#maxObservationsPerPeer = init.maxObservationsPerPeer ?? MAX_OBSERVATIONS_PER_PEER;
  }

  /** Serves this peer's things, and those of the peers that it hosts, until the listener is closed. */
  serve(pipes: Pick<PipeService, 'serve'>): PipeListener {
    const listeners = (['own', 'hosted'] as const).map((scope) =>
      pipes.serve({ group: this.#group, name: THING_SERVICE, scope, kinds: ['request'] }, (body, context) =>
        this.handle(body, context),
      ),
    );
    return {
      close: () => {
        for (const listener of listeners) listener.close();
      },
    };
  }

  addProvider(provider: ThingProvider): { remove(): void } {
    this.#providers.add(provider);
    return { remove: () => this.#providers.delete(provider) };
  }

  /** Tells the observers of a property. Costs a lookup when there are none. */
  emitPropertyChange(peer: PeerId, key: string, name: string, reading: Reading): void {
    for (const observer of this.#observers.get(nameOf(peer, key))?.get(`observe ${name}`) ?? []) {
      if (observer.buffer instanceof LatestValue) observer.buffer.put(reading);
      observer.wakeup.wake();
    }
  }

  emitEvent(peer: PeerId, key: string, name: string, data: JsonValue | undefined, timestampMs: number): void {
    for (const observer of this.#observers.get(nameOf(peer, key))?.get(`subscribe ${name}`) ?? []) {
      if (observer.buffer instanceof EventQueue && observer.buffer.put(data, timestampMs)) this.#eventsLost++;
      observer.wakeup.wake();
    }
  }

  /** Whether anybody observes or subscribes to the thing now. */
  isObserved(peer: PeerId, key: string): boolean {
    return this.#observers.has(nameOf(peer, key));
  }

  /** Ends all observations of a thing that is gone: they get `not-found`. */
  thingGone(peer: PeerId, key: string): void {
    const error = new PipevineError('not-found', 'The thing was removed.');
    for (const observers of this.#observers.get(nameOf(peer, key))?.values() ?? []) {
      for (const observer of observers) end(observer, error);
    }
  }

  /** Ends all observations in good order: observers try again, here or wherever the thing then is. */
  close(): void {
    for (const affordances of this.#observers.values()) {
      for (const observers of affordances.values()) for (const observer of observers) end(observer, 'done');
    }
    this.#providers.clear();
  }

  /** Answers one request of an authenticated member of the group. */
  handle(body: Uint8Array, context: RequestContext): Promise<Uint8Array> | AsyncIterable<Uint8Array> {
    const request = decodeThingRequest(body);
    checkAccess(`thing.${request.operation}`, context.remotePeer, context.credential);
    if (request.operation === 'observe') return this.#observe(request, context);
    if (request.operation === 'subscribe') return this.#subscribe(request, context);
    return this.#answer(request, context);
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      'thing observations': {
        used: this.#observations,
        limit: this.#maxObservations,
        dropped: this.#observationsRefused,
      },
      'thing requests': { used: this.#requests, limit: MAX_REQUESTS, dropped: this.#requestsRefused },
      'thing events': { used: 0, limit: MAX_QUEUED_EVENTS, dropped: this.#eventsLost },
    };
  }

  async #answer(request: ThingRequest, context: RequestContext): Promise<Uint8Array> {
    const { remotePeer } = context;
    const underWay = this.#requestsOf.get(remotePeer) ?? 0;
    if (underWay >= MAX_REQUESTS_PER_PEER || this.#requests >= MAX_REQUESTS) {
      this.#requestsRefused++;
      const whose = underWay >= MAX_REQUESTS_PER_PEER ? `${underWay} requests of yours` : `${this.#requests} requests`;
      throw new PipevineError('overloaded', `${whose} are under way, which is the limit; wait for some of them.`);
    }
    this.#requestsOf.set(remotePeer, underWay + 1);
    this.#requests++;
    const deadline = new AbortController();
    const abort = () => deadline.abort();
    const timer = this.#clock.setTimer(THING_REQUEST_TIMEOUT_MS, abort);
    context.signal.addEventListener('abort', abort);
    try {
      const asking = { ...interactionOf(context), signal: deadline.signal };
      return await this.#carryOut(request, context.localPeer, asking);
    } finally {
      timer.cancel();
      context.signal.removeEventListener('abort', abort);
      this.#requests--;
      const left = (this.#requestsOf.get(remotePeer) ?? 1) - 1;
      if (left > 0) this.#requestsOf.set(remotePeer, left);
      else this.#requestsOf.delete(remotePeer);
    }
  }

  async #carryOut(request: ThingRequest, peer: PeerId, context: InteractionContext): Promise<Uint8Array> {
    const { description, handlers, ownSchemas } = this.#find(peer, request.thing);
    const { name } = request;
    const options = { patterns: ownSchemas };
    if (request.operation === 'read') {
      const property = affordanceOf(description, 'properties', name);
      if (property.writeOnly === true) refuse(`Property "${name}" of "${description.title}" can only be written.`);
      return encodeReading(await handlers.readProperty(name, context));
    }
    if (request.operation === 'write') {
      const property = affordanceOf(description, 'properties', name);
      if (property.readOnly === true) refuse(`Property "${name}" of "${description.title}" is read-only.`);
      if (request.value === undefined) {
        throw new PipevineError('invalid-argument', `A value for property "${name}" is missing.`);
      }
      checkValue(property, request.value, `property "${name}"`, options);
      await handlers.writeProperty(name, request.value, context);
      return encodeEmptyAnswer();
    }
    const action = affordanceOf(description, 'actions', name);
    if (action.input !== undefined) checkValue(action.input, request.value, `the input of action "${name}"`, options);
    return encodeOutput(await handlers.invokeAction(name, request.value, context));
  }

  async *#observe(request: ThingRequest, context: RequestContext): AsyncGenerator<Uint8Array> {
    const { name } = request;
    const { description, handlers } = this.#find(context.localPeer, request.thing);
    const property = affordanceOf(description, 'properties', name);
    if (property.observable !== true) {
      throw new PipevineError('unsupported', `Property "${name}" of "${description.title}" cannot be observed.`);
    }
    const buffer = new LatestValue();
    yield* this.#watch(`observe ${name}`, request.thing, context, buffer, async () => {
      try {
        const present = await handlers.readProperty(name, interactionOf(context));
        // What changed while this was read is newer; it waits in the buffer.
        return encodeReading(buffer.take() ?? present);
      } catch (error) {
        if (!(error instanceof PipevineError) || error.code === 'refused') throw error;
        return encodeEmptyAnswer();
      }
    });
  }

  async *#subscribe(request: ThingRequest, context: RequestContext): AsyncGenerator<Uint8Array> {
    const { description, handlers } = this.#find(context.localPeer, request.thing);
    affordanceOf(description, 'events', request.name);
    await handlers.subscribeEvent?.(request.name, interactionOf(context));
    yield* this.#watch(`subscribe ${request.name}`, request.thing, context, new EventQueue(), async () =>
      encodeEmptyAnswer(),
    );
  }

  async *#watch(
    affordance: string,
    thing: string,
    context: RequestContext,
    buffer: LatestValue | EventQueue,
    first: () => Promise<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    const observer: Observer = { buffer, wakeup: new Wakeup(), ended: undefined };
    const remove = this.#add(nameOf(context.localPeer, thing), affordance, observer, context.remotePeer);
    const onAbort = () => end(observer, 'done');
    context.signal.addEventListener('abort', onAbort);
    try {
      yield await first();
      while (!context.signal.aborted) {
        const item = buffer.take();
        if (item !== undefined) yield 'value' in item ? encodeReading(item) : encodeEventItem(item);
        else if (observer.ended === undefined) await observer.wakeup.wait();
        else if (observer.ended === 'done') return;
        else throw observer.ended;
      }
    } finally {
      context.signal.removeEventListener('abort', onAbort);
      remove();
    }
  }

  #add(thing: string, affordance: string, observer: Observer, remotePeer: PeerId): () => void {
    const ofPeer = this.#observationsOf.get(remotePeer) ?? 0;
    if (this.#observations >= this.#maxObservations || ofPeer >= this.#maxObservationsPerPeer) {
      this.#observationsRefused++;
      const limit = ofPeer >= this.#maxObservationsPerPeer ? `${ofPeer} of yours` : `${this.#observations}`;
      throw new PipevineError('overloaded', `${limit} observations run here, which is the limit; end some of them.`);
    }
    const affordances = this.#observers.get(thing) ?? new Map<string, Set<Observer>>();
    const observers = affordances.get(affordance) ?? new Set<Observer>();
    this.#observers.set(thing, affordances.set(affordance, observers.add(observer)));
    this.#observationsOf.set(remotePeer, ofPeer + 1);
    this.#observations++;
    return () => {
      observers.delete(observer);
      if (observers.size === 0) affordances.delete(affordance);
      if (affordances.size === 0 && this.#observers.get(thing) === affordances) this.#observers.delete(thing);
      this.#observations--;
      const left = (this.#observationsOf.get(remotePeer) ?? 1) - 1;
      if (left > 0) this.#observationsOf.set(remotePeer, left);
      else this.#observationsOf.delete(remotePeer);
    };
  }

  #find(peer: PeerId, key: string): OfferedThing {
    for (const provider of this.#providers) {
      const thing = provider.find(peer, key);
      if (thing !== undefined) return thing;
    }
    throw new PipevineError(
      'not-found',
      `Peer ${shortPeerId(peer)} offers no thing "${key.slice(0, 80)}"; \`pipevine things\` lists those that are there.`,
    );
  }
}

/** An affordance by its own name, or `not-found` with the names that there are. */
export function affordanceOf<K extends 'properties' | 'actions' | 'events'>(
  description: ThingDescription,
  kind: K,
  name: string,
): NonNullable<ThingDescription[K]>[string] {
  type Affordance = NonNullable<ThingDescription[K]>[string];
  // The compiler cannot follow K into the record.
  const affordances = (description[kind] ?? {}) as { readonly [name: string]: Affordance };
  // A name like `constructor` must not find what every object inherits.
  const affordance = Object.hasOwn(affordances, name) ? affordances[name] : undefined;
  if (affordance === undefined) {
    const singular = { properties: 'property', actions: 'action', events: 'event' }[kind];
    const names = Object.keys(affordances);
    const there = names.length === 0 ? `it has no ${kind}` : `there are ${names.slice(0, 20).join(', ')}`;
    throw new PipevineError(
      'not-found',
      `"${description.title}" has no ${singular} "${name.slice(0, 80)}"; ${there}${names.length > 20 ? ', ...' : ''}.`,
    );
  }
  return affordance;
}

function interactionOf(context: RequestContext): InteractionContext {
  return { remotePeer: context.remotePeer, roles: context.credential?.roles ?? [], signal: context.signal };
}

function end(observer: Observer, how: PipevineError | 'done'): void {
  observer.ended ??= how;
  observer.wakeup.wake();
}

function nameOf(peer: PeerId, key: string): string {
  return `${peer} ${key}`;
}

function refuse(message: string): never {
  throw new PipevineError('refused', message);
}
