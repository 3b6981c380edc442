import { type Clock, PipevineError, type Storage, type Timer } from '@pipevine/runtime';
import { decodeMessage, encodeMessage, type StagedChanges, type StoredMessage } from './broker-packet.ts';
import { TopicTree } from './topic-tree.ts';

const TABLE = 'mqtt-retained';
/** A topic that was not retained before is written soon: it may be a device's description, published once. */
const NEW_TOPIC_DELAY_MS = 50;
/** Values that change all the time share a write, to spare an SD card. */
const CHANGED_VALUE_DELAY_MS = 2_000;
const RETRY_DELAY_MS = 10_000;
/** Topic, map entries, tree nodes. */
const OVERHEAD_BYTES = 200;

export interface RetainedLimits {
  readonly maxRetainedMessages: number;
  readonly maxRetainedBytes: number;
}

/**
 * The retained messages, in memory and in storage. A message that is acknowledged (QoS 1 and 2) is staged by its
 * publisher and acknowledged after the commit. One that is not (QoS 0) is kept in memory at once and written behind,
 * the newest value of a topic alone.
 */
export class RetainedMessages {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #limits: RetainedLimits;
  readonly #tree = new TopicTree<StoredMessage>();
  readonly #dirty = new Set<string>();
  #bytes = 0;
  #refused = 0;
  #writeFailures = 0;
  #timer: { timer: Timer; atMs: number } | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(init: { storage: Storage; clock: Clock; limits: RetainedLimits }) {
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#limits = init.limits;
    for (const [topic, row] of init.storage.scan(TABLE)) {
      const decoded = decodeMessage(row);
      if (decoded !== undefined) this.#put(topic, decoded.message);
    }
  }

  status() {
    return {
      messages: this.#tree.size,
      bytes: this.#bytes,
      refused: this.#refused,
      unwritten: this.#dirty.size,
      writeFailures: this.#writeFailures,
    };
  }

  match(filter: string): Generator<StoredMessage | undefined, void, void> {
    return this.#tree.match(filter);
  }

  /** Keeps a message that nobody waits for. An empty payload removes. A message over the limits is counted, not kept. */
  keep(message: StoredMessage): void {
    const old = this.#tree.get(message.topic);
    if (old === undefined && message.payload.length === 0) return;
    if (old !== undefined && old.qos === message.qos && sameBytes(old.payload, message.payload)) return;
    if (!this.#fits(message)) {
      this.#refused++;
      return;
    }
    this.#put(message.topic, message);
    this.#dirty.add(message.topic);
    this.#schedule(old === undefined || message.payload.length === 0 ? NEW_TOPIC_DELAY_MS : CHANGED_VALUE_DELAY_MS);
  }

  /** Keeps a message and adds its row to the commit that its publisher waits for. Throws `overloaded` over the limits. */
  stage(message: StoredMessage, staged: StagedChanges): void {
    const { topic } = message;
    if (!this.#fits(message)) {
      this.#refused++;
      throw new PipevineError(
        'overloaded',
        `MQTT: at most ${this.#limits.maxRetainedMessages} retained messages and ${this.#limits.maxRetainedBytes} bytes ` +
          `are kept, so the one for ${JSON.stringify(topic)} was refused: remove some by empty retained messages`,
      );
    }
    const wasDirty = this.#dirty.delete(topic);
    this.#put(topic, message);
    const value = message.payload.length === 0 ? undefined : encodeMessage(message);
    staged.changes.push({ table: TABLE, key: topic, value });
    staged.undo.push(() => {
      // A newer value has taken its place, or will be written behind: then there is nothing to take back.
      const current = this.#tree.get(topic);
      if (current !== message && !(current === undefined && message.payload.length === 0)) return;
      if (this.#dirty.has(topic)) return;
      if (wasDirty) {
        this.#dirty.add(topic);
        this.#schedule(CHANGED_VALUE_DELAY_MS);
        return;
      }
      const row = this.#storage.get(TABLE, topic);
      const decoded = row === undefined ? undefined : decodeMessage(row);
      if (decoded === undefined) this.#remove(topic);
      else this.#put(topic, decoded.message);
    });
  }

  /** Writes what has not been written yet. Rejects as the storage does. */
  flush(): Promise<void> {
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.flush().catch(() => {});
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  async #write(): Promise<void> {
    if (this.#dirty.size === 0) return;
    const topics = [...this.#dirty];
    this.#dirty.clear();
    const changes = topics.map((topic) => {
      const message = this.#tree.get(topic);
      return { table: TABLE, key: topic, value: message === undefined ? undefined : encodeMessage(message) };
    });
    try {
      await this.#storage.commit(changes);
    } catch (error) {
      this.#writeFailures++;
      for (const topic of topics) this.#dirty.add(topic);
      this.#schedule(RETRY_DELAY_MS);
      throw error;
    }
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    const atMs = this.#clock.monotonicMs() + delayMs;
    if (this.#timer !== undefined) {
      if (this.#timer.atMs <= atMs) return;
      this.#timer.timer.cancel();
    }
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.flush().catch(() => {}); // counted, and tried again
    });
    this.#timer = { timer, atMs };
  }

  #fits(message: StoredMessage): boolean {
    const old = this.#tree.get(message.topic);
    if (message.payload.length === 0) return true;
    if (old === undefined && this.#tree.size >= this.#limits.maxRetainedMessages) return false;
    return this.#bytes - (old === undefined ? 0 : cost(old)) + cost(message) <= this.#limits.maxRetainedBytes;
  }

  #put(topic: string, message: StoredMessage): void {
    this.#remove(topic);
    if (message.payload.length === 0) return;
    this.#tree.set(topic, message);
    this.#bytes += cost(message);
  }

  #remove(topic: string): void {
    const old = this.#tree.get(topic);
    if (old === undefined) return;
    this.#bytes -= cost(old);
    this.#tree.delete(topic);
  }
}

function cost(message: StoredMessage): number {
  return message.payload.length + 2 * message.topic.length + OVERHEAD_BYTES;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
