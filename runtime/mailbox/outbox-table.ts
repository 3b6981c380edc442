import { DeadlineQueue, type Scheduled } from '../advertisement/deadline-queue.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBoolean, readBytes, readInteger } from '../wire/shape.ts';
import {
  MAX_AWAITED_RECEIPTS,
  MAX_BATCH_BYTES,
  MAX_BATCH_MESSAGES,
  MAX_SEALED_BYTES,
  type MailboxBound,
  MESSAGE_ID_BYTES,
} from './mailbox-defaults.ts';

const WHAT = 'A stored message of the outbox';

/** A message that this peer has sent and that is not over yet. Its sealed bytes are in the storage alone. */
export interface OutboxMessage extends Scheduled {
  readonly id: Uint8Array;
  readonly recipient: PeerId;
  readonly sealedBytes: number;
  /** By the age clock. */
  readonly expiresAtMs: number;
  readonly wantsReceipt: boolean;
  /** Grows with every message. */
  readonly order: number;
  /** The relay that holds it, while its receipt is awaited; undefined while it is with us. */
  relay: PeerId | undefined;
}

export const outboxKey = (id: Uint8Array): string => base32Encode(id);

/** The messages of an outbox by recipient, and its bounds. No storage, no clock. */
export class OutboxTable {
  readonly #messages = new Map<string, OutboxMessage>();
  readonly #waiting = new Map<PeerId, Set<OutboxMessage>>();
  readonly #awaited = new Set<OutboxMessage>();
  readonly #expiry = new DeadlineQueue<OutboxMessage>();
  readonly bound: MailboxBound;
  #bytes = 0;
  #nextOrder = 0;
  #refused = 0;
  #forgotten = 0;

  constructor(bound: MailboxBound) {
    this.bound = bound;
  }

  get counts() {
    const { size } = this.#awaited;
    return {
      waiting: this.#messages.size - size,
      bytes: this.#bytes,
      awaited: size,
      refused: this.#refused,
      forgotten: this.#forgotten,
    };
  }

  /** Throws `overloaded` when the outbox is full. */
  admit(message: Omit<OutboxMessage, 'order' | 'relay' | 'wakeAtMs'>): OutboxMessage {
    const { waiting, bytes } = this.counts;
    if (waiting >= this.bound.messages || bytes + message.sealedBytes > this.bound.bytes) {
      this.#refused++;
      throw new PipevineError(
        'overloaded',
        `The outbox is full: ${waiting} messages of ${bytes} bytes wait to be stored; at most ${this.bound.messages} of ${this.bound.bytes} may. Send again when some are gone.`,
      );
    }
    const admitted: OutboxMessage = { ...message, order: this.#nextOrder++, relay: undefined, wakeAtMs: undefined };
    this.#add(admitted);
    return admitted;
  }

  /** Puts back what an earlier life left. */
  restore(messages: readonly OutboxMessage[]): void {
    for (const message of [...messages].sort((a, b) => a.order - b.order)) {
      this.#nextOrder = message.order + 1;
      this.#add(message);
    }
  }

  find(id: Uint8Array): OutboxMessage | undefined {
    return this.#messages.get(outboxKey(id));
  }

  remove(message: OutboxMessage): void {
    if (!this.#messages.delete(outboxKey(message.id))) return;
    this.#expiry.cancel(message);
    this.#leave(message);
    this.#awaited.delete(message);
  }

  /** A relay holds it now, and its receipt is awaited. Returns what is awaited no more because of it. */
  await(message: OutboxMessage, relay: PeerId): OutboxMessage[] {
    this.#leave(message);
    message.relay = relay;
    this.#awaited.add(message);
    const forgotten: OutboxMessage[] = [];
    for (const oldest of this.#awaited) {
      if (this.#awaited.size <= MAX_AWAITED_RECEIPTS) break;
      this.remove(oldest);
      this.#forgotten++;
      forgotten.push(oldest);
    }
    return forgotten;
  }

  /** The oldest messages for a recipient that fit into one request. */
  batchFor(recipient: PeerId): OutboxMessage[] {
    const batch: OutboxMessage[] = [];
    let bytes = 0;
    for (const message of this.#waiting.get(recipient) ?? []) {
      bytes += message.sealedBytes;
      if (batch.length === MAX_BATCH_MESSAGES || bytes > MAX_BATCH_BYTES) break;
      batch.push(message);
    }
    return batch;
  }

  recipients(): readonly PeerId[] {
    return [...this.#waiting.keys()];
  }

  /** Relays that may have a receipt for us. */
  awaitedAt(): ReadonlySet<PeerId> {
    return new Set([...this.#awaited].flatMap(({ relay }) => relay ?? []));
  }

  nextExpiryMs(): number | undefined {
    return this.#expiry.nextDeadline();
  }

  takeExpired(nowMs: number): OutboxMessage | undefined {
    return this.#expiry.takeDue(nowMs);
  }

  #add(message: OutboxMessage): void {
    this.#messages.set(outboxKey(message.id), message);
    this.#expiry.schedule(message, message.expiresAtMs);
    if (message.relay !== undefined) {
      this.#awaited.add(message);
      return;
    }
    this.#bytes += message.sealedBytes;
    let waiting = this.#waiting.get(message.recipient);
    if (waiting === undefined) {
      waiting = new Set();
      this.#waiting.set(message.recipient, waiting);
    }
    waiting.add(message);
  }

  #leave(message: OutboxMessage): void {
    const waiting = this.#waiting.get(message.recipient);
    if (waiting?.delete(message) !== true) return;
    this.#bytes -= message.sealedBytes;
    if (waiting.size === 0) this.#waiting.delete(message.recipient);
  }
}

/** `[order, recipient, expires at, receipt wanted, relay or null, sealed or null]`: the one with its relay, the other without. */
export function encodeOutboxRow(message: OutboxMessage, sealed: Uint8Array | undefined): Uint8Array {
  return encodeCanonical([
    message.order,
    peerIdToBytes(message.recipient),
    message.expiresAtMs,
    message.wantsReceipt,
    message.relay === undefined ? null : peerIdToBytes(message.relay),
    sealed ?? null,
  ]);
}

/** Throws `malformed`. */
export function decodeOutboxRow(id: Uint8Array, row: Uint8Array): { message: OutboxMessage; sealed: Uint8Array } {
  const members = readArray(decodeStrict(row, { maxBytes: MAX_SEALED_BYTES + 1_024 }), WHAT, { length: 6 });
  const [order, recipient, expiresAtMs, wantsReceipt, relay, bytes] = members;
  const sealed = bytes === null ? new Uint8Array(0) : readBytes(bytes, WHAT);
  const message: OutboxMessage = {
    id: readBytes(id, `${WHAT}: id`, { length: MESSAGE_ID_BYTES }),
    order: readInteger(order, WHAT),
    recipient: peerIdFromBytes(readBytes(recipient, WHAT, { length: 32 })),
    expiresAtMs: readInteger(expiresAtMs, WHAT),
    wantsReceipt: readBoolean(wantsReceipt, WHAT),
    relay: relay === null ? undefined : peerIdFromBytes(readBytes(relay, WHAT, { length: 32 })),
    sealedBytes: sealed.length,
    wakeAtMs: undefined,
  };
  return { message, sealed };
}
