import { DeadlineQueue, type Scheduled } from '../advertisement/deadline-queue.ts';
import { base32Encode } from '../id/base32.ts';
import type { PeerId } from '../id/peer-id.ts';
import { MAILBOX_REFUSALS, type MailboxRefusal } from './mailbox-codec.ts';
import { HELD_OVERHEAD_BYTES, type MailboxBound, type MailboxBounds } from './mailbox-defaults.ts';

/** One message that a relay holds. Its sealed bytes are in the storage alone. */
export interface HeldMessage extends Scheduled {
  /** Grows with every message; never used twice. */
  readonly position: number;
  readonly recipient: PeerId;
  readonly sender: PeerId;
  readonly id: Uint8Array;
  readonly sealedBytes: number;
  /** By the age clock. */
  readonly expiresAtMs: number;
  readonly wantsReceipt: boolean;
  /** `storing`: not yet durable. `leaving`: its deletion is not yet durable. Neither is given to the recipient. */
  state: 'storing' | 'waiting' | 'leaving';
}

export type NewMessage = Omit<HeldMessage, 'position' | 'state' | 'wakeAtMs'> & { readonly lifetimeMs: number };

export type Admission =
  | { readonly type: 'admitted' | 'held'; readonly held: HeldMessage }
  | { readonly type: 'refused'; readonly reason: MailboxRefusal; readonly limit: number };

interface Usage {
  bytes: number;
  messages: number;
}

/** The index of a relay's mailboxes in one group, and their bounds. No storage, no clock. */
export class MailboxTable {
  readonly bounds: MailboxBounds;
  /** Messages refused, by bound. */
  readonly refused: Readonly<Record<MailboxRefusal, number>>;
  readonly #refused: Record<MailboxRefusal, number>;
  readonly #mailboxes = new Map<PeerId, Map<string, HeldMessage>>();
  readonly #usage = new Map<string, Usage>();
  readonly #total: Usage = { bytes: 0, messages: 0 };
  readonly #expiry = new DeadlineQueue<HeldMessage>();
  #nextPosition: number;

  constructor(bounds: MailboxBounds, nextPosition: number) {
    this.bounds = bounds;
    this.#nextPosition = nextPosition;
    // Each of the closed set, once.
    this.#refused = Object.fromEntries(MAILBOX_REFUSALS.map((one) => [one, 0])) as Record<MailboxRefusal, number>;
    this.refused = this.#refused;
  }

  get total(): Readonly<Usage> {
    return this.#total;
  }

  get nextPosition(): number {
    return this.#nextPosition;
  }

  /** Takes a message in if every bound allows it; it is `storing` until `settle`. */
  admit(message: NewMessage): Admission {
    const held = this.find(message.recipient, message.sender, message.id);
    if (held !== undefined) return { type: 'held', held };
    const refusal = this.#refusal(message);
    if (refusal !== undefined) {
      this.#refused[refusal.reason]++;
      return { type: 'refused', ...refusal };
    }
    const { lifetimeMs: _, ...fields } = message;
    const admitted: HeldMessage = { ...fields, position: this.#nextPosition++, state: 'storing', wakeAtMs: undefined };
    this.#add(admitted);
    return { type: 'admitted', held: admitted };
  }

  /** Puts back one that was stored in an earlier life, whatever the bounds say today. In the order of their positions. */
  restore(message: Omit<HeldMessage, 'state' | 'wakeAtMs'>): void {
    this.#nextPosition = Math.max(this.#nextPosition, message.position + 1);
    const held: HeldMessage = { ...message, state: 'waiting', wakeAtMs: undefined };
    this.#add(held);
    this.#expiry.schedule(held, held.expiresAtMs);
  }

  /** It is durable, or its deletion failed: it waits for its recipient. */
  settle(held: HeldMessage): void {
    held.state = 'waiting';
    this.#expiry.schedule(held, held.expiresAtMs);
  }

  remove(held: HeldMessage): void {
    const mailbox = this.#mailboxes.get(held.recipient);
    if (mailbox?.delete(nameOf(held.sender, held.id)) !== true) return;
    if (mailbox.size === 0) this.#mailboxes.delete(held.recipient);
    this.#expiry.cancel(held);
    this.#count(held, -1);
  }

  find(recipient: PeerId, sender: PeerId, id: Uint8Array): HeldMessage | undefined {
    return this.#mailboxes.get(recipient)?.get(nameOf(sender, id));
  }

  /** How many a recipient has, in whatever state. */
  countFor(recipient: PeerId): number {
    return this.#mailboxes.get(recipient)?.size ?? 0;
  }

  /**
   * What waits for a recipient behind a position, oldest first. Ends before one that is not yet durable: what comes
   * behind it must not be given first. May be iterated while messages come and go.
   */
  *waiting(recipient: PeerId, after: number): Generator<HeldMessage> {
    for (const held of this.#mailboxes.get(recipient)?.values() ?? []) {
      if (held.position <= after) continue;
      if (held.state === 'storing') return;
      if (held.state === 'waiting') yield held;
    }
  }

  /** When the next message expires, by the age clock. */
  nextExpiryMs(): number | undefined {
    return this.#expiry.nextDeadline();
  }

  /** Up to `max` messages whose time is over. Those that are leaving anyway are passed over. */
  takeExpired(nowMs: number, max: number): HeldMessage[] {
    const expired: HeldMessage[] = [];
    while (expired.length < max) {
      const held = this.#expiry.takeDue(nowMs);
      if (held === undefined) break;
      if (held.state === 'waiting') expired.push(held);
    }
    return expired;
  }

  #refusal(message: NewMessage): { readonly reason: MailboxRefusal; readonly limit: number } | undefined {
    const { bounds } = this;
    if (message.lifetimeMs > bounds.lifetimeMs) return { reason: 'lifetime', limit: bounds.lifetimeMs };
    const size = message.sealedBytes + HELD_OVERHEAD_BYTES;
    for (const [scope, usage] of this.#usages(message)) {
      const bound: MailboxBound = bounds[scope];
      if (usage.messages + 1 > bound.messages) return { reason: `${scope}-messages`, limit: bound.messages };
      if (usage.bytes + size > bound.bytes) return { reason: `${scope}-bytes`, limit: bound.bytes };
    }
    return undefined;
  }

  /** The narrowest first: it says most to the sender. */
  #usages(message: Pick<HeldMessage, 'sender' | 'recipient'>) {
    const none: Usage = { bytes: 0, messages: 0 };
    const [pair, sender, recipient] = keysOf(message).map((key) => this.#usage.get(key) ?? none);
    return [
      ['pair', pair ?? none],
      ['sender', sender ?? none],
      ['recipient', recipient ?? none],
      ['total', this.#total],
    ] as const;
  }

  #add(held: HeldMessage): void {
    let mailbox = this.#mailboxes.get(held.recipient);
    if (mailbox === undefined) {
      mailbox = new Map();
      this.#mailboxes.set(held.recipient, mailbox);
    }
    mailbox.set(nameOf(held.sender, held.id), held);
    this.#count(held, 1);
  }

  #count(held: HeldMessage, sign: 1 | -1): void {
    const size = sign * (held.sealedBytes + HELD_OVERHEAD_BYTES);
    this.#total.bytes += size;
    this.#total.messages += sign;
    for (const key of keysOf(held)) {
      const usage = this.#usage.get(key) ?? { bytes: 0, messages: 0 };
      usage.bytes += size;
      usage.messages += sign;
      if (usage.messages === 0) this.#usage.delete(key);
      else this.#usage.set(key, usage);
    }
  }
}

const nameOf = (sender: PeerId, id: Uint8Array): string => `${base32Encode(id)} ${sender}`;
const keysOf = ({ sender, recipient }: Pick<HeldMessage, 'sender' | 'recipient'>): readonly string[] => [
  `${sender} ${recipient}`,
  `from ${sender}`,
  `to ${recipient}`,
];
