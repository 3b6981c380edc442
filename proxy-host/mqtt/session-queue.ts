import {
  type BrokerPacket,
  clientKey,
  decodeMessage,
  encodeMessage,
  type StagedChanges,
  type StoredMessage,
} from './broker-packet.ts';

export const QUEUE_TABLE = 'mqtt-queue';

/** `released`: the client has acknowledged a QoS 2 message; only its PUBREL and PUBCOMP are left. */
export interface QueuedMessage {
  readonly key: string;
  message: StoredMessage;
  readonly queuedWallMs: number;
  messageId: number | undefined;
  released: boolean;
}

export interface QueueLimits {
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
}

/** What all queues share. */
export interface QueueTotals {
  bytes: number;
  messages: number;
  /** Messages dropped because a queue was full. */
  dropped: number;
  readonly maxBytes: number;
}

const OVERHEAD_BYTES = 200;

/** Messages of QoS 1 and 2 of one session that outlives its connection, oldest first, from publish to acknowledgement. */
export class SessionQueue {
  readonly #clientId: string;
  readonly #limits: QueueLimits;
  readonly #totals: QueueTotals;
  readonly #entries = new Map<string, QueuedMessage>();
  readonly #byCounter = new Map<string, QueuedMessage>();
  readonly #byMessageId = new Map<number, QueuedMessage>();
  #bytes = 0;

  constructor(clientId: string, limits: QueueLimits, totals: QueueTotals) {
    this.#clientId = clientId;
    this.#limits = limits;
    this.#totals = totals;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): IterableIterator<QueuedMessage> {
    return this.#entries.values();
  }

  /** Takes a row of an earlier run; rows come in the order of their keys. */
  restore(key: string, row: Uint8Array): void {
    const decoded = decodeMessage(row);
    if (decoded === undefined) return;
    const { header, message } = decoded;
    const { messageId, released, queuedWallMs } = header;
    this.#add({
      key,
      message,
      queuedWallMs: typeof queuedWallMs === 'number' ? queuedWallMs : 0,
      messageId: typeof messageId === 'number' ? messageId : undefined,
      released: released === true,
    });
  }

  /** Appends a message; where that makes the queue too long the oldest go. */
  stage(message: StoredMessage, sequence: number, queuedWallMs: number, staged: StagedChanges): void {
    // A message that several filters of the session match waits once.
    if (message.brokerCounter !== 0 && this.#byCounter.has(counterKey(message))) return;
    // Fixed width, so that the order of the keys is the order of the messages.
    const key = `${clientKey(this.#clientId)}${sequence.toString(16).padStart(13, '0')}`;
    const entry: QueuedMessage = { key, message, queuedWallMs, messageId: undefined, released: false };
    this.#add(entry);
    staged.changes.push({ table: QUEUE_TABLE, key, value: encodeEntry(entry) });
    staged.undo.push(() => this.remove(entry));
    for (const oldest of this.#entries.values()) {
      if (oldest === entry || !this.#isOver()) break;
      this.remove(oldest);
      this.#totals.dropped++;
      staged.changes.push({ table: QUEUE_TABLE, key: oldest.key, value: undefined });
    }
  }

  findByCounter(packet: BrokerPacket): QueuedMessage | undefined {
    return this.#byCounter.get(counterKey(packet));
  }

  findByMessageId(messageId: number): QueuedMessage | undefined {
    return this.#byMessageId.get(messageId);
  }

  /** Gives the message this packet id, or the next one that is free; returns it. */
  assign(entry: QueuedMessage, wanted: number): number {
    let messageId = wanted;
    for (
      let taken = this.#byMessageId.get(messageId);
      taken !== undefined && taken !== entry;
      taken = this.#byMessageId.get(messageId)
    ) {
      messageId = messageId >= 65_535 ? 1 : messageId + 1;
    }
    if (entry.messageId !== undefined) this.#byMessageId.delete(entry.messageId);
    entry.messageId = messageId;
    this.#byMessageId.set(messageId, entry);
    return messageId;
  }

  /** The client has the message; only the end of the handshake is left, which needs no payload. */
  release(entry: QueuedMessage): void {
    const bytes = entry.message.payload.length;
    this.#bytes -= bytes;
    this.#totals.bytes -= bytes;
    entry.message = { ...entry.message, payload: new Uint8Array(0) };
    entry.released = true;
  }

  remove(entry: QueuedMessage): void {
    if (!this.#entries.delete(entry.key)) return;
    const counter = counterKey(entry.message);
    if (this.#byCounter.get(counter) === entry) this.#byCounter.delete(counter);
    if (entry.messageId !== undefined) this.#byMessageId.delete(entry.messageId);
    const bytes = cost(entry.message);
    this.#bytes -= bytes;
    this.#totals.bytes -= bytes;
    this.#totals.messages--;
  }

  #add(entry: QueuedMessage): void {
    this.#entries.set(entry.key, entry);
    this.#byCounter.set(counterKey(entry.message), entry);
    if (entry.messageId !== undefined) this.#byMessageId.set(entry.messageId, entry);
    const bytes = cost(entry.message);
    this.#bytes += bytes;
    this.#totals.bytes += bytes;
    this.#totals.messages++;
  }

  #isOver(): boolean {
    return (
      this.#entries.size > this.#limits.maxQueuedMessages ||
      this.#bytes > this.#limits.maxQueuedBytes ||
      this.#totals.bytes > this.#totals.maxBytes
    );
  }
}

/** The row of a queued message. */
export function encodeEntry(entry: QueuedMessage): Uint8Array {
  const { messageId, released, queuedWallMs } = entry;
  return encodeMessage(entry.message, { messageId, released, queuedWallMs });
}

function counterKey(of: { brokerId?: string; brokerCounter?: number }): string {
  return `${of.brokerId ?? ''}:${of.brokerCounter ?? 0}`;
}

function cost(message: StoredMessage): number {
  return message.payload.length + 2 * message.topic.length + OVERHEAD_BYTES;
}
