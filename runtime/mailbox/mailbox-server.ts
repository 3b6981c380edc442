import { AgeClock } from '../advertisement/age-clock.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import type { GroupResolver, ResolverContext } from '../resolver/resolver.ts';
import {
  decodeMailboxRequest,
  encodePutAnswer,
  encodeTakeItem,
  type PutMessage,
  type PutStatus,
  type TakenMessage,
} from './mailbox-codec.ts';
import {
  EXPIRY_BATCH,
  EXPIRY_RETRY_MS,
  HELD_TABLE,
  MAILBOX_BOUNDS,
  MAILBOX_CLOCK_TABLE,
  MAILBOX_HANDLER,
  MARK_INTERVAL_MS,
  MAX_BATCH_BYTES,
  MAX_BATCH_MESSAGES,
  MAX_TAKERS,
  type MailboxBounds,
  RECEIPT_LIFETIME_MS,
  SEALED_TABLE,
} from './mailbox-defaults.ts';
import { decodeHeld, decodeMark, encodeHeld, encodeMark, positionKey } from './mailbox-record.ts';
import { type HeldMessage, MailboxTable } from './mailbox-table.ts';

export interface MailboxServerInit {
  readonly resolver: Pick<GroupResolver, 'group' | 'handle'>;
  readonly storage: Storage;
  readonly clock: Clock;
  /** Default: MAILBOX_BOUNDS. */
  readonly bounds?: Partial<MailboxBounds>;
}

interface Taker {
  wake(): void;
  /** Another take of the same recipient has come: this one ends. */
  replaced: boolean;
}

const NOTHING = new Uint8Array(0);

/**
 * The relay's half of a group's mailbox: keeps sealed messages for members that are away. What it answers is durable: a put
 * is answered once the message would survive a power cut, a done once its deletion would. Throws what reading the storage
 * throws.
 */
export class MailboxServer {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #group: string;
  readonly #table: MailboxTable;
  readonly #age: AgeClock;
  readonly #takers = new Map<PeerId, Taker>();
  /** Commits under way, by the message that they store or delete. */
  readonly #commits = new Map<HeldMessage, Promise<void>>();
  readonly #counters = {
    stored: 0,
    held: 0,
    taken: 0,
    expired: 0,
    receipts: 0,
    receiptsLost: 0,
    damaged: 0,
    takers: 0,
  };
  readonly #handler: { close(): void };
  #timer: Timer | undefined;
  #closed = false;

  constructor(init: MailboxServerInit) {
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#group = init.resolver.group;
    const stored = this.#storage.get(MAILBOX_CLOCK_TABLE, this.#group);
    const { mark, nextPosition } = stored ? decodeMark(stored) : { mark: undefined, nextPosition: 1 };
    this.#age = new AgeClock(init.clock, mark);
    this.#table = new MailboxTable({ ...MAILBOX_BOUNDS, ...init.bounds }, nextPosition);
    for (const [key, value] of this.#storage.scan(this.#held)) this.#restore(key, value);
    this.#handler = init.resolver.handle(MAILBOX_HANDLER, (body, context) => this.answer(body, context));
    this.#schedule();
  }

  /** Answers one request; for the resolver, and for a client in the same peer. */
  answer(
    body: Uint8Array,
    context: Omit<ResolverContext, 'group' | 'localPeer'>,
  ): Promise<Uint8Array> | AsyncIterable<Uint8Array> {
    if (context.propagated) throw new PipevineError('refused', 'A mailbox is asked directly: link to the relay first.');
    if (this.#closed) throw new PipevineError('closed', 'This mailbox is closed.');
    const request = decodeMailboxRequest(body);
    const { remotePeer, credential } = context;
    checkAccess(`mailbox.${request.type}`, remotePeer, credential);
    switch (request.type) {
      case 'put':
        return this.#put(remotePeer, request.messages);
      case 'take':
        return this.#take(remotePeer, request.after ?? 0, request.watch, context);
      case 'done':
        return this.#done(remotePeer, request.taken);
    }
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    const { bounds, total, refused } = this.#table;
    const { stored, held, taken, expired, receipts, receiptsLost, damaged, takers } = this.#counters;
    const count = (used: number, dropped = 0, limit = 0) => ({ used, limit, dropped });
    return {
      'mailbox bytes': count(total.bytes, refused['total-bytes'], bounds.total.bytes),
      'mailbox messages': count(total.messages, refused['total-messages'], bounds.total.messages),
      ...Object.fromEntries(
        (['sender', 'recipient', 'pair'] as const).flatMap((scope) => [
          [`mailbox bytes of one ${scope}`, count(0, refused[`${scope}-bytes`], bounds[scope].bytes)],
          [`mailbox messages of one ${scope}`, count(0, refused[`${scope}-messages`], bounds[scope].messages)],
        ]),
      ),
      'mailbox lifetime': count(0, refused.lifetime, bounds.lifetimeMs),
      'mailbox readers': count(this.#takers.size, takers, MAX_TAKERS),
      'mailbox stored': count(stored),
      'mailbox put again': count(held),
      'mailbox taken': count(taken),
      'mailbox expired': count(0, expired),
      'mailbox receipts': count(receipts, receiptsLost),
      'mailbox rows damaged': count(0, damaged),
    };
  }

  /** Answers no more; what it holds is there again in the next life. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler.close();
    this.#timer?.cancel();
    for (const taker of this.#takers.values()) taker.wake();
    await Promise.allSettled([...this.#commits.values(), this.#storage.commit([this.#mark()])]);
  }

  get #held(): string {
    return `${HELD_TABLE}/${this.#group}`;
  }

  get #sealed(): string {
    return `${SEALED_TABLE}/${this.#group}`;
  }

  #restore(key: string, value: Uint8Array): void {
    try {
      this.#table.restore(decodeHeld(key, value));
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#counters.damaged++;
    }
  }

  async #put(sender: PeerId, messages: readonly PutMessage[]): Promise<Uint8Array> {
    const nowMs = this.#age.nowMs();
    const changes: StorageChange[] = [];
    const admitted: HeldMessage[] = [];
    const before: (Promise<void> | undefined)[] = [];
    const statuses = messages.map((message): PutStatus => {
      const { recipient, id, sealed, lifetimeMs, wantsReceipt } = message;
      const sealedBytes = sealed.length;
      const expiresAtMs = nowMs + lifetimeMs;
      const fields = { recipient, sender, id, sealedBytes, lifetimeMs, expiresAtMs, wantsReceipt };
      const admission = this.#table.admit(fields);
      if (admission.type === 'refused') return admission;
      if (admission.type === 'held') {
        this.#counters.held++;
        before.push(this.#commits.get(admission.held));
        return { type: 'held' };
      }
      admitted.push(admission.held);
      changes.push(...this.#storing(admission.held, sealed));
      return { type: 'stored' };
    });
    // What another request is still storing is not yet held.
    await Promise.all([this.#commit(changes, admitted, []), ...before]);
    this.#counters.stored += admitted.length;
    return encodePutAnswer(statuses);
  }

  async *#take(
    recipient: PeerId,
    after: number,
    watch: boolean,
    source: { readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    const previous = this.#takers.get(recipient);
    if (previous === undefined && this.#takers.size >= MAX_TAKERS) {
      this.#counters.takers++;
      throw new PipevineError('overloaded', `${MAX_TAKERS} members read their mailboxes here; ask again later.`);
    }
    const { signal } = source;
    let wake = (): void => undefined;
    const taker: Taker = { replaced: false, wake: () => wake() };
    if (previous !== undefined) previous.replaced = true;
    this.#takers.set(recipient, taker);
    previous?.wake();
    const onAbort = () => wake();
    signal.addEventListener('abort', onAbort);
    const ended = () => signal.aborted || taker.replaced || this.#closed;
    let position = after;
    try {
      yield encodeTakeItem({ type: 'waiting', messages: this.#table.countFor(recipient) });
      while (!ended()) {
        let messages = 0;
        let bytes = 0;
        for (const held of this.#table.waiting(recipient, position)) {
          bytes += held.sealedBytes;
          if (messages === MAX_BATCH_MESSAGES || (messages > 0 && bytes > MAX_BATCH_BYTES)) break;
          position = held.position;
          const sealed = this.#storage.get(this.#sealed, positionKey(position));
          if (sealed === undefined) {
            this.#discard(held);
            continue;
          }
          messages++;
          yield encodeTakeItem({ type: 'message', ...held, sealed });
          if (ended()) break;
        }
        if (messages > 0) break;
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        if (ended() || !watch) break;
        // Nothing came between the end of the loop above and here: both are in one turn.
        await changed;
      }
      if (taker.replaced) throw new PipevineError('busy', 'This mailbox is read by a newer request of the same peer.');
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (this.#takers.get(recipient) === taker) this.#takers.delete(recipient);
    }
  }

  async #done(recipient: PeerId, taken: readonly TakenMessage[]): Promise<Uint8Array> {
    const changes: StorageChange[] = [];
    const receipts: HeldMessage[] = [];
    const leaving: HeldMessage[] = [];
    const before: (Promise<void> | undefined)[] = [];
    for (const { sender, id, receipt } of taken) {
      const held = this.#table.find(recipient, sender, id);
      if (held === undefined || held.state === 'storing') continue;
      if (held.state === 'leaving') {
        before.push(this.#commits.get(held));
        continue;
      }
      held.state = 'leaving';
      leaving.push(held);
      changes.push(...this.#deleting(held));
      if (receipt === undefined || !held.wantsReceipt) continue;
      const kept = this.#admitReceipt(held, receipt);
      if (kept === undefined) continue;
      receipts.push(kept);
      changes.push(...this.#storing(kept, receipt));
    }
    await Promise.all([this.#commit(changes, receipts, leaving), ...before]);
    this.#counters.taken += leaving.length;
    this.#counters.receipts += receipts.length;
    return NOTHING;
  }

  /** A receipt is a message for the sender, under the id of what was taken. */
  #admitReceipt({ recipient, sender, id }: HeldMessage, receipt: Uint8Array): HeldMessage | undefined {
    const lifetimeMs = Math.min(RECEIPT_LIFETIME_MS, this.#table.bounds.lifetimeMs);
    const admission = this.#table.admit({
      recipient: sender,
      sender: recipient,
      id,
      sealedBytes: receipt.length,
      lifetimeMs,
      expiresAtMs: this.#age.nowMs() + lifetimeMs,
      wantsReceipt: false,
    });
    if (admission.type === 'admitted') return admission.held;
    this.#counters.receiptsLost++;
    return undefined;
  }

  /** Makes changes durable; when that fails, it is as if nobody had asked. */
  async #commit(
    changes: readonly StorageChange[],
    storing: readonly HeldMessage[],
    leaving: readonly HeldMessage[],
  ): Promise<void> {
    if (changes.length === 0) return;
    const committed = this.#storage.commit([...changes, this.#mark()]);
    for (const held of [...storing, ...leaving]) this.#commits.set(held, committed);
    let stored = false;
    try {
      await committed;
      stored = true;
    } finally {
      const touched = [...storing, ...leaving];
      for (const held of touched) this.#commits.delete(held);
      for (const held of stored ? leaving : storing) this.#table.remove(held);
      for (const held of stored ? storing : leaving) this.#table.settle(held);
      // Also where nothing came: what is gone no longer keeps back what is behind it.
      for (const recipient of new Set(touched.map((held) => held.recipient))) this.#takers.get(recipient)?.wake();
      this.#schedule();
    }
  }

  #storing(held: HeldMessage, sealed: Uint8Array): StorageChange[] {
    const key = positionKey(held.position);
    return [
      { table: this.#held, key, value: encodeHeld(held) },
      { table: this.#sealed, key, value: sealed },
    ];
  }

  #deleting({ position }: HeldMessage): StorageChange[] {
    const key = positionKey(position);
    return [this.#held, this.#sealed].map((table) => ({ table, key, value: undefined }));
  }

  #mark(): StorageChange {
    const value = encodeMark(this.#age.mark(), this.#table.nextPosition);
    return { table: MAILBOX_CLOCK_TABLE, key: this.#group, value };
  }

  /** Its bytes are gone from the storage: nobody will ever have them. */
  #discard(held: HeldMessage): void {
    this.#counters.damaged++;
    held.state = 'leaving';
    // A row that stays is found damaged again.
    this.#commit(this.#deleting(held), [], [held]).catch(() => undefined);
  }

  #schedule(delayMs?: number): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    const nextMs = (this.#table.nextExpiryMs() ?? Infinity) - this.#age.nowMs();
    this.#timer = this.#clock.setTimer(delayMs ?? Math.min(MARK_INTERVAL_MS, Math.max(0, nextMs)), () => {
      void this.#expire();
    });
  }

  async #expire(): Promise<void> {
    const expired = this.#table.takeExpired(this.#age.nowMs(), EXPIRY_BATCH);
    for (const held of expired) held.state = 'leaving';
    try {
      if (expired.length === 0) await this.#storage.commit([this.#mark()]);
      else
        await this.#commit(
          expired.flatMap((held) => this.#deleting(held)),
          [],
          expired,
        );
      this.#counters.expired += expired.length;
      this.#schedule();
    } catch {
      // What could not be deleted waits on, and is taken by whoever comes for it.
      this.#schedule(EXPIRY_RETRY_MS);
    }
  }
}
