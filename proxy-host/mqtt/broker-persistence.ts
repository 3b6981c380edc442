import { Readable } from 'node:stream';
import { type Clock, PipevineError, type Storage, type StorageChange } from '@pipevine/runtime';
import type { BrokerLimits } from './broker-limits.ts';
import {
  type BrokerPacket,
  clientKey,
  decodeMessage,
  encodeMessage,
  payloadBytes,
  type Qos,
  type StagedChanges,
  type StoredMessage,
  storedMessage,
} from './broker-packet.ts';
import { RetainedMessages } from './retained-messages.ts';
import { encodeEntry, QUEUE_TABLE, type QueuedMessage } from './session-queue.ts';
import { Sessions, type StoredSubscription } from './sessions.ts';

const INCOMING_TABLE = 'mqtt-incoming';
const WILL_TABLE = 'mqtt-will';

interface ClientRef {
  readonly id: string;
  readonly clean?: boolean;
}

interface Will extends BrokerPacket {
  brokerId: string;
  clientId: string;
}

/** Slows a stream of messages down to what its client takes. */
export interface Pace {
  /** Resolves when more may be sent; false when the client is gone. */
  ready(): Promise<boolean>;
  /** Whether the client wants the retained messages of this filter. */
  wantsRetained(filter: string): boolean;
}

/** Calls back at once, as nothing has to be waited for; so the order of messages is the order of their arrival. */
function already<T>(value: T): PromiseLike<T> {
  return {
    // The continuation's types are the caller's business: this only calls it.
    // biome-ignore lint/suspicious/noThenProperty: aedes calls `then`, and a promise would let other messages overtake
    then: (resolve?: ((value: T) => unknown) | null) => resolve?.(value) as never,
  };
}

/**
 * What aedes keeps (the interface of aedes-persistence 11), over a Storage. aedes acknowledges a QoS 1 message before
 * it stores it; therefore `accept` stores first, in one commit, when aedes asks whether the message may be published,
 * and the later calls of aedes for the same message find the work done.
 */
export class BrokerPersistence {
  readonly #storage: Storage;
  readonly #limits: BrokerLimits;
  readonly retained: RetainedMessages;
  readonly sessions: Sessions;
  readonly #incoming = new Map<string, Map<number, Promise<void>>>();
  readonly #wills = new Map<string, Will>();
  /** Messages that `accept` has stored and aedes has not yet published, by counter. */
  readonly #accepted = new Set<number>();
  /** Packets that `accept` has stored as incoming: aedes must not take them for duplicates of themselves. */
  readonly #fresh = new WeakSet<object>();
  readonly #subscribing = new WeakMap<object, { readonly clientId: string; readonly done: Promise<void> }>();
  readonly #refusedFilters = new WeakSet<object>();
  readonly #paceOf: (clientId: string) => Pace | undefined;
  #broker: { readonly id: string } = { id: '' };
  #nextRetainedPace: Pace | undefined;
  #storageFailures = 0;

  constructor(init: {
    storage: Storage;
    clock: Clock;
    limits: BrokerLimits;
    paceOf: (clientId: string) => Pace | undefined;
  }) {
    const { storage, clock, limits } = init;
    this.#storage = storage;
    this.#limits = limits;
    this.#paceOf = init.paceOf;
    this.retained = new RetainedMessages({ storage, clock, limits });
    this.sessions = new Sessions({ storage, clock, limits });
    this.#restore();
  }

  status() {
    let incoming = 0;
    for (const messages of this.#incoming.values()) incoming += messages.size;
    return { incoming, wills: this.#wills.size, storageFailures: this.#storageFailures };
  }

  /**
   * Stores a message of QoS 1 or 2 with everything that its acknowledgement promises: retained value, a place in the
   * queue of each session that wants it, and for QoS 2 its packet id. Undefined: there was nothing to store. Rejects, and
   * has changed nothing, when the storage does or when a limit is reached.
   */
  accept(client: ClientRef, packet: BrokerPacket): Promise<void> | undefined {
    const messageId = packet.messageId ?? 0;
    const incoming = this.#incoming.get(client.id);
    if (packet.qos === 2) {
      const earlier = incoming?.get(messageId);
      if (earlier !== undefined) return earlier;
      if ((incoming?.size ?? 0) >= this.#limits.maxInflightPerClient) {
        return Promise.reject(
          new PipevineError(
            'overloaded',
            `MQTT: at most ${this.#limits.maxInflightPerClient} messages of QoS 2 of one client may wait for its PUBREL`,
          ),
        );
      }
    }
    const staged: StagedChanges = { changes: [], undo: [] };
    const message = storedMessage(packet);
    try {
      if (packet.retain) this.retained.stage(message, staged);
      this.#stageForSessions(this.sessions.subscribersOf(packet.topic), message, staged);
    } catch (error) {
      for (const undo of staged.undo.reverse()) undo();
      return Promise.reject(error);
    }
    if (packet.brokerCounter !== undefined) this.#accepted.add(packet.brokerCounter);
    if (packet.qos === 2) {
      this.#fresh.add(packet);
      if (client.clean === false) {
        staged.changes.push({
          table: INCOMING_TABLE,
          key: incomingKey(client.id, messageId),
          value: new Uint8Array(0),
        });
      }
    }
    const stored = staged.changes.length === 0 ? undefined : this.#commit(staged, packet);
    if (packet.qos === 2) {
      const settled = stored ?? Promise.resolve();
      const messages = incoming ?? new Map<number, Promise<void>>();
      this.#incoming.set(client.id, messages);
      messages.set(messageId, settled);
      settled.catch(() => {
        if (messages.get(messageId) === settled) messages.delete(messageId);
      });
    }
    return stored;
  }

  /** The client whose SUBSCRIBE asks for retained messages next. */
  expectRetained(clientId: string): void {
    this.#nextRetainedPace = this.#paceOf(clientId);
  }

  /** A filter that was refused: it does not become part of the session. */
  refuseFilter(subscription: object): void {
    this.#refusedFilters.add(subscription);
  }

  /** Takes a message back out of a session's queue: it turned out not to be for it. */
  async discard(clientId: string, packet: BrokerPacket): Promise<void> {
    const queue = this.sessions.get(clientId)?.queue;
    const entry = queue?.findByCounter(packet);
    if (queue === undefined || entry === undefined) return;
    queue.remove(entry);
    await this.#tolerate([{ table: QUEUE_TABLE, key: entry.key, value: undefined }]);
  }

  /** Ends whatever session the client id has. */
  async forget(clientId: string): Promise<void> {
    await this.sessions.remove(clientId);
    await this.cleanIncoming({ id: clientId });
  }

  close(): Promise<void> {
    return this.retained.close();
  }

  // From here on: the interface that aedes calls. `setup` must be an async function for aedes to take it.

  get broker(): { readonly id: string } {
    return this.#broker;
  }

  async setup(broker: { readonly id: string }): Promise<void> {
    this.#broker = broker;
    await this.sessions.expire();
  }

  storeRetained(packet: BrokerPacket): PromiseLike<void> {
    if (packet.brokerCounter !== undefined && this.#accepted.has(packet.brokerCounter)) return already(undefined);
    if (packet.qos === 0) {
      this.retained.keep(storedMessage(packet));
      return already(undefined);
    }
    const staged: StagedChanges = { changes: [], undo: [] };
    try {
      this.retained.stage(storedMessage(packet), staged);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#commit(staged);
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter]);
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    const pace = this.#nextRetainedPace;
    this.#nextRetainedPace = undefined;
    return Readable.from(this.#retained(filters, pace));
  }

  addSubscriptions(client: ClientRef, subscriptions: readonly StoredSubscription[]): Promise<void> {
    // aedes passes the whole SUBSCRIBE once for each of its filters.
    const running = this.#subscribing.get(subscriptions);
    if (running?.clientId === client.id) return running.done;
    // It also calls before it has asked about the later filters, hence the turn of the microtask queue.
    const done = Promise.resolve().then(() =>
      this.sessions.subscribe(
        client.id,
        subscriptions.filter((subscription) => !this.#refusedFilters.has(subscription)),
      ),
    );
    this.#subscribing.set(subscriptions, { clientId: client.id, done });
    const forget = () => this.#subscribing.delete(subscriptions);
    done.then(forget, forget);
    return done;
  }

  removeSubscriptions(client: ClientRef, filters: readonly string[]): Promise<void> {
    return this.sessions.unsubscribe(client.id, filters);
  }

  async subscriptionsByClient(client: ClientRef): Promise<StoredSubscription[]> {
    return this.sessions.subscriptionsOf(client.id);
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    return { subsCount: this.sessions.filterCount, clientsCount: this.sessions.status().sessions };
  }

  subscriptionsByTopic(topic: string): PromiseLike<(StoredSubscription & { clientId: string })[]> {
    return already(this.sessions.subscribersOf(topic));
  }

  cleanSubscriptions(client: ClientRef): Promise<void> {
    return this.sessions.remove(client.id);
  }

  outgoingEnqueue(subscriber: { clientId: string }, packet: BrokerPacket): PromiseLike<void> {
    return this.outgoingEnqueueCombi([subscriber], packet);
  }

  outgoingEnqueueCombi(subscribers: readonly { clientId: string }[], packet: BrokerPacket): PromiseLike<void> {
    if (packet.brokerCounter !== undefined && this.#accepted.delete(packet.brokerCounter)) return already(undefined);
    if (subscribers.length === 0) return already(undefined);
    const staged: StagedChanges = { changes: [], undo: [] };
    this.#stageForSessions(subscribers, storedMessage(packet), staged);
    return staged.changes.length === 0 ? already(undefined) : this.#commit(staged);
  }

  /** Notes the packet id under which a message goes out, or that a QoS 2 message has reached PUBREL. */
  async outgoingUpdate(client: ClientRef, packet: BrokerPacket): Promise<void> {
    const queue = this.sessions.get(client.id)?.queue;
    if (queue === undefined || packet.messageId === undefined) return;
    if (packet.cmd === 'pubrel') {
      const entry = queue.findByMessageId(packet.messageId);
      if (entry === undefined || entry.released) return;
      queue.release(entry);
      // Before the PUBREL goes out: after a restart the message must not be sent again.
      await this.#storage.commit([{ table: QUEUE_TABLE, key: entry.key, value: encodeEntry(entry) }]);
      return;
    }
    const entry = queue.findByCounter(packet);
    if (entry === undefined || entry.messageId === packet.messageId) return;
    packet.messageId = queue.assign(entry, packet.messageId);
    // QoS 1 may be delivered twice, so its packet id need not outlive the broker.
    if (entry.message.qos < 2) return;
    await this.#storage.commit([{ table: QUEUE_TABLE, key: entry.key, value: encodeEntry(entry) }]);
  }

  async outgoingClearMessageId(client: ClientRef, packet: BrokerPacket): Promise<BrokerPacket | undefined> {
    const queue = this.sessions.get(client.id)?.queue;
    // aedes asks with no packet id for a message that it did not forward, which says nothing about the queue.
    if (queue === undefined || packet.messageId === undefined) return undefined;
    const entry = queue.findByMessageId(packet.messageId);
    if (entry === undefined) return undefined;
    queue.remove(entry);
    await this.#tolerate([{ table: QUEUE_TABLE, key: entry.key, value: undefined }]);
    return { ...asPacket(entry.message), messageId: packet.messageId };
  }

  outgoingStream(client: ClientRef): Readable {
    const queue = this.sessions.get(client.id)?.queue;
    return Readable.from(this.#queued(queue === undefined ? [] : [...queue.entries()], this.#paceOf(client.id)));
  }

  /** QoS 2 messages come in through `accept`; this is for those that aedes publishes otherwise. */
  async incomingStorePacket(client: ClientRef, packet: BrokerPacket): Promise<void> {
    const messages = this.#incoming.get(client.id) ?? new Map<number, Promise<void>>();
    this.#incoming.set(client.id, messages);
    if (packet.messageId !== undefined && !messages.has(packet.messageId)) {
      messages.set(packet.messageId, Promise.resolve());
    }
  }

  async incomingGetPacket(client: ClientRef, packet: BrokerPacket): Promise<BrokerPacket> {
    const known = packet.messageId !== undefined && this.#incoming.get(client.id)?.has(packet.messageId) === true;
    if (!known || this.#fresh.delete(packet)) throw new PipevineError('not-found', 'MQTT: no such packet id');
    return packet;
  }

  async incomingDelPacket(client: ClientRef, packet: BrokerPacket): Promise<void> {
    const messages = this.#incoming.get(client.id);
    const messageId = packet.messageId ?? 0;
    if (messages?.delete(messageId) !== true) throw new PipevineError('not-found', 'MQTT: no such packet id');
    if (messages.size === 0) this.#incoming.delete(client.id);
    if (client.clean !== false) return;
    await this.#tolerate([{ table: INCOMING_TABLE, key: incomingKey(client.id, messageId), value: undefined }]);
  }

  async cleanIncoming(client: ClientRef): Promise<void> {
    this.#incoming.delete(client.id);
    const changes: StorageChange[] = [];
    for (const [key] of this.#storage.scan(INCOMING_TABLE, clientKey(client.id))) {
      changes.push({ table: INCOMING_TABLE, key, value: undefined });
    }
    if (changes.length > 0) await this.#tolerate(changes);
  }

  async putWill(client: ClientRef, packet: BrokerPacket): Promise<void> {
    const payload = Buffer.from(payloadBytes(packet));
    // aedes publishes the very object that it passes here.
    const will: Will = Object.assign(packet, { brokerId: this.#broker.id, clientId: client.id, payload });
    this.#wills.set(client.id, will);
    const row = encodeMessage(storedMessage(will), { clientId: client.id });
    await this.#storage.commit([{ table: WILL_TABLE, key: client.id, value: row }]);
  }

  async getWill(client: ClientRef): Promise<BrokerPacket | undefined> {
    return this.#wills.get(client.id);
  }

  async delWill(client: ClientRef & { readonly brokerId?: string }): Promise<BrokerPacket | undefined> {
    const will = this.#wills.get(client.id);
    if (will === undefined) return undefined;
    // The will of an earlier run has been published: one that came since belongs to a newer connection.
    if (client.brokerId !== undefined && client.brokerId !== will.brokerId) return undefined;
    this.#wills.delete(client.id);
    await this.#tolerate([{ table: WILL_TABLE, key: client.id, value: undefined }]);
    return will;
  }

  streamWill(brokers: Readonly<Record<string, unknown>> = {}): Readable {
    const orphans = [...this.#wills.values()].filter(
      (will) => will.brokerId !== this.#broker.id && !Object.hasOwn(brokers, will.brokerId),
    );
    return Readable.from(orphans);
  }

  getClientList(filter: string): Readable {
    return Readable.from(this.sessions.clientsOf(filter));
  }

  async destroy(): Promise<void> {
    await this.close();
  }

  #stageForSessions(
    subscribers: readonly { clientId: string; qos?: Qos }[],
    message: StoredMessage,
    staged: StagedChanges,
  ): void {
    if (subscribers.length === 0) return;
    const { sessions } = this;
    const wallMs = sessions.wallMs();
    const granted = new Map<string, Qos>();
    for (const { clientId, qos = message.qos } of subscribers) {
      granted.set(clientId, Math.max(granted.get(clientId) ?? 0, qos) as Qos); // the greater of two Qos is a Qos
    }
    for (const [clientId, qos] of granted) {
      // What waits in a queue is no longer "retained": it is a message that was missed (MQTT 3.1.1, 3.3.1.3).
      const queued = { ...message, retain: false, qos: Math.min(qos, message.qos) as Qos }; // and so is the smaller
      sessions.ensure(clientId, staged.changes).queue.stage(queued, sessions.nextSequence(), wallMs, staged);
    }
  }

  async #commit(staged: StagedChanges, packet?: BrokerPacket): Promise<void> {
    try {
      await this.#storage.commit(staged.changes);
    } catch (error) {
      this.#storageFailures++;
      if (packet?.brokerCounter !== undefined) this.#accepted.delete(packet.brokerCounter);
      for (const undo of staged.undo.reverse()) undo();
      throw error;
    }
  }

  /** For changes that may be lost: at worst a message is delivered again. */
  async #tolerate(changes: StorageChange[]): Promise<void> {
    try {
      await this.#storage.commit(changes);
    } catch {
      this.#storageFailures++;
    }
  }

  async *#retained(filters: readonly string[], pace: Pace | undefined): AsyncGenerator<BrokerPacket> {
    for (const filter of filters) {
      if (pace !== undefined && !pace.wantsRetained(filter)) continue;
      for (const message of this.retained.match(filter)) {
        if (message === undefined) {
          await new Promise((resolve) => setImmediate(resolve));
          continue;
        }
        if (pace !== undefined && !(await pace.ready())) return;
        yield asPacket(message);
      }
    }
  }

  async *#queued(
    entries: readonly QueuedMessage[],
    pace: Pace | undefined,
  ): AsyncGenerator<BrokerPacket | { cmd: 'pubrel'; messageId: number }> {
    for (const entry of entries) {
      if (pace !== undefined && !(await pace.ready())) return;
      const { message, messageId, released } = entry;
      if (messageId === undefined) yield asPacket(message);
      else if (released) yield { cmd: 'pubrel', messageId };
      else yield { ...asPacket(message), messageId, dup: true };
    }
  }

  #restore(): void {
    for (const [key] of this.#storage.scan(INCOMING_TABLE)) {
      const slash = key.lastIndexOf('/');
      const clientId = decodeURIComponent(key.slice(0, slash));
      const messages = this.#incoming.get(clientId) ?? new Map<number, Promise<void>>();
      messages.set(Number(key.slice(slash + 1)), Promise.resolve());
      this.#incoming.set(clientId, messages);
    }
    for (const [clientId, row] of this.#storage.scan(WILL_TABLE)) {
      const decoded = decodeMessage(row);
      if (decoded === undefined) continue;
      this.#wills.set(clientId, { ...asPacket(decoded.message), brokerId: decoded.message.brokerId, clientId });
    }
  }
}

function incomingKey(clientId: string, messageId: number): string {
  return clientKey(clientId) + messageId;
}

function asPacket(message: StoredMessage): BrokerPacket {
  const { payload } = message;
  return {
    cmd: 'publish',
    topic: message.topic,
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
    qos: message.qos,
    retain: message.retain,
    dup: false,
    brokerId: message.brokerId,
    brokerCounter: message.brokerCounter,
  };
}
