import { type Clock, PipevineError, type Storage, type StorageChange } from '@pipevine/runtime';
import { clientKey, decodeRow, encodeRow, type Qos } from './broker-packet.ts';
import { FilterTree } from './filter-tree.ts';
import { QUEUE_TABLE, type QueueLimits, type QueueTotals, SessionQueue } from './session-queue.ts';

const SUBSCRIPTION_TABLE = 'mqtt-subscription';
const SESSION_TABLE = 'mqtt-session';
const NONE = new Uint8Array(0);
/** A wall clock before this has not been set yet (a board without a battery): its times are not believed. 2025-01-01. */
const PLAUSIBLE_WALL_MS = 1_735_689_600_000;

export interface StoredSubscription {
  readonly topic: string;
  readonly qos: Qos;
  readonly rh?: number;
  readonly rap?: boolean;
  readonly nl?: boolean;
}

export interface Session {
  readonly clientId: string;
  readonly subscriptions: Map<string, StoredSubscription>;
  readonly queue: SessionQueue;
  /** Wall time at which the client left; undefined while it is here. */
  leftWallMs: number | undefined;
}

export interface SessionLimits extends QueueLimits {
  readonly maxSessions: number;
  readonly maxQueuedBytesTotal: number;
  readonly sessionLifetimeMs: number;
}

/** Sessions that outlive their connection (MQTT 3.1.1, section 4.1): subscriptions and waiting messages, also in storage. */
export class Sessions {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #limits: SessionLimits;
  readonly #sessions = new Map<string, Session>();
  /** Subscriptions of QoS 1 and 2: those whose messages wait. */
  readonly #filters = new FilterTree<StoredSubscription & { readonly clientId: string }>();
  readonly totals: QueueTotals;
  #lastSequence = 0;
  #expired = 0;
  #leftAtRestart: Session[] = [];

  constructor(init: { storage: Storage; clock: Clock; limits: SessionLimits }) {
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#limits = init.limits;
    this.totals = { bytes: 0, messages: 0, dropped: 0, maxBytes: init.limits.maxQueuedBytesTotal };
    this.#restore();
  }

  status() {
    let away = 0;
    for (const session of this.#sessions.values()) if (session.leftWallMs !== undefined) away++;
    return {
      sessions: this.#sessions.size,
      away,
      subscriptions: this.#filters.size,
      queuedMessages: this.totals.messages,
      queuedBytes: this.totals.bytes,
      queueDropped: this.totals.dropped,
      expired: this.#expired,
    };
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  nextSequence(): number {
    return ++this.#lastSequence;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  /** Whether a client may have a session that outlives its connection. */
  hasRoomFor(clientId: string): boolean {
    return this.#sessions.has(clientId) || this.#sessions.size < this.#limits.maxSessions;
  }

  /** Who waits for messages of this topic. */
  subscribersOf(topic: string): (StoredSubscription & { readonly clientId: string })[] {
    return this.#filters.match(topic);
  }

  get filterCount(): number {
    return this.#filters.size;
  }

  subscriptionsOf(clientId: string): StoredSubscription[] {
    return [...(this.#sessions.get(clientId)?.subscriptions.values() ?? [])];
  }

  clientsOf(filter: string): string[] {
    const found: string[] = [];
    for (const session of this.#sessions.values()) {
      if (session.subscriptions.has(filter)) found.push(session.clientId);
    }
    return found;
  }

  /** Resolves when the subscriptions are durable. Throws `overloaded` when there are too many sessions. */
  async subscribe(clientId: string, subscriptions: readonly StoredSubscription[]): Promise<void> {
    if (!this.hasRoomFor(clientId)) {
      throw new PipevineError(
        'overloaded',
        `MQTT: at most ${this.#limits.maxSessions} sessions outlive their connection: connect with a clean session`,
      );
    }
    const changes: StorageChange[] = [];
    const session = this.ensure(clientId, changes);
    for (const { topic, qos, rh, rap, nl } of subscriptions) {
      const kept: StoredSubscription = {
        topic,
        qos,
        ...(rh === undefined ? {} : { rh }),
        ...(rap === undefined ? {} : { rap }),
        ...(nl === undefined ? {} : { nl }),
      };
      session.subscriptions.set(topic, kept);
      if (qos > 0) this.#filters.set(topic, clientId, { clientId, ...kept });
      else this.#filters.delete(topic, clientId);
      const row = encodeRow({ qos, rh, rap, nl }, NONE);
      changes.push({ table: SUBSCRIPTION_TABLE, key: clientKey(clientId) + topic, value: row });
    }
    await this.#storage.commit(changes);
  }

  async unsubscribe(clientId: string, filters: readonly string[]): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    const changes: StorageChange[] = [];
    for (const filter of filters) {
      if (!session.subscriptions.delete(filter)) continue;
      this.#filters.delete(filter, clientId);
      changes.push({ table: SUBSCRIPTION_TABLE, key: clientKey(clientId) + filter, value: undefined });
    }
    if (session.subscriptions.size === 0 && session.queue.size === 0) {
      this.#sessions.delete(clientId);
      changes.push({ table: SESSION_TABLE, key: clientId, value: undefined });
    }
    if (changes.length > 0) await this.#storage.commit(changes);
  }

  /** Ends a session: subscriptions and waiting messages go. */
  async remove(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    const changes: StorageChange[] = [{ table: SESSION_TABLE, key: clientId, value: undefined }];
    for (const filter of session.subscriptions.keys()) {
      this.#filters.delete(filter, clientId);
      changes.push({ table: SUBSCRIPTION_TABLE, key: clientKey(clientId) + filter, value: undefined });
    }
    for (const entry of [...session.queue.entries()]) {
      session.queue.remove(entry);
      changes.push({ table: QUEUE_TABLE, key: entry.key, value: undefined });
    }
    this.#sessions.delete(clientId);
    await this.#storage.commit(changes);
  }

  /** The client is here: its session does not age. */
  async arrived(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session?.leftWallMs === undefined) return;
    session.leftWallMs = undefined;
    await this.#storage.commit([{ table: SESSION_TABLE, key: clientId, value: encodeRow({}, NONE) }]);
  }

  async left(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    session.leftWallMs = this.#clock.wallMs();
    await this.#storage.commit([this.#leftChange(session)]);
  }

  /** Ends sessions whose client has been away too long, and drops messages that have waited too long. */
  async expire(): Promise<void> {
    const now = this.#clock.wallMs();
    const changes: StorageChange[] = this.#leftAtRestart.map((session) => this.#leftChange(session));
    this.#leftAtRestart = [];
    const ended: string[] = [];
    for (const session of this.#sessions.values()) {
      if (session.leftWallMs !== undefined && session.leftWallMs < PLAUSIBLE_WALL_MS && now >= PLAUSIBLE_WALL_MS) {
        session.leftWallMs = now; // counts from when the time became known
        changes.push(this.#leftChange(session));
      }
      if (session.leftWallMs !== undefined && now - session.leftWallMs > this.#limits.sessionLifetimeMs) {
        ended.push(session.clientId);
        continue;
      }
      for (const entry of [...session.queue.entries()]) {
        const waited = now - entry.queuedWallMs;
        if (entry.queuedWallMs < PLAUSIBLE_WALL_MS || waited <= this.#limits.sessionLifetimeMs) continue;
        session.queue.remove(entry);
        this.totals.dropped++;
        changes.push({ table: QUEUE_TABLE, key: entry.key, value: undefined });
      }
    }
    if (changes.length > 0) await this.#storage.commit(changes);
    for (const clientId of ended) {
      this.#expired++;
      await this.remove(clientId);
    }
  }

  /** The session of a client; a new one adds its row to the changes. */
  ensure(clientId: string, changes: StorageChange[]): Session {
    const existing = this.#sessions.get(clientId);
    if (existing !== undefined) return existing;
    const session: Session = {
      clientId,
      subscriptions: new Map(),
      queue: new SessionQueue(clientId, this.#limits, this.totals),
      leftWallMs: undefined,
    };
    this.#sessions.set(clientId, session);
    changes.push({ table: SESSION_TABLE, key: clientId, value: encodeRow({}, NONE) });
    return session;
  }

  #leftChange(session: Session): StorageChange {
    const value = encodeRow({ leftWallMs: session.leftWallMs }, NONE);
    return { table: SESSION_TABLE, key: session.clientId, value };
  }

  #restore(): void {
    const now = this.#clock.wallMs();
    for (const [clientId, row] of this.#storage.scan(SESSION_TABLE)) {
      const left = decodeRow(row)?.header.leftWallMs;
      // Whoever was here when the broker stopped has been away since.
      const session = this.ensure(clientId, []);
      session.leftWallMs = typeof left === 'number' ? left : now;
      if (typeof left !== 'number') this.#leftAtRestart.push(session);
    }
    for (const session of this.#sessions.values()) {
      const prefix = clientKey(session.clientId);
      for (const [key, row] of this.#storage.scan(SUBSCRIPTION_TABLE, prefix)) {
        const header = decodeRow(row)?.header;
        const qos = header?.qos;
        if (qos !== 0 && qos !== 1 && qos !== 2) continue;
        const topic = key.slice(prefix.length);
        const rap = header?.rap;
        const nl = header?.nl;
        const rh = header?.rh;
        const kept: StoredSubscription = {
          topic,
          qos,
          ...(typeof rh === 'number' ? { rh } : {}),
          ...(typeof rap === 'boolean' ? { rap } : {}),
          ...(typeof nl === 'boolean' ? { nl } : {}),
        };
        session.subscriptions.set(topic, kept);
        if (qos > 0) this.#filters.set(topic, session.clientId, { clientId: session.clientId, ...kept });
      }
      for (const [key, row] of this.#storage.scan(QUEUE_TABLE, prefix)) {
        session.queue.restore(key, row);
        const sequence = Number.parseInt(key.slice(prefix.length), 16);
        if (sequence > this.#lastSequence) this.#lastSequence = sequence;
      }
    }
  }
}
