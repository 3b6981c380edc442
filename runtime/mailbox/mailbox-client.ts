import { AgeClock } from '../advertisement/age-clock.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { abortable } from '../endpoint/abortable.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import type { GroupAccess } from '../group/group-access.ts';
import { base32Decode } from '../id/base32.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import type { GroupResolver, ResolverContext } from '../resolver/resolver.ts';
import type { MailboxEvents, MailboxHandler, MailboxSendOptions, MailboxSendResult } from './mailbox.ts';
import { type DeliverStatus, decodeDeliverRequest, encodeDeliverAnswer } from './mailbox-codec.ts';
import { type CourierOutcome, MailboxCourier } from './mailbox-courier.ts';
import {
  DELIVER_HANDLER,
  DELIVERIES_PER_SECOND,
  DELIVERY_BURST,
  LIFETIME_MS,
  MAILBOX_CLOCK_TABLE,
  MARK_INTERVAL_MS,
  MAX_AWAITED_RECEIPTS,
  MAX_DELIVERERS,
  MAX_LIFETIME_MS,
  MAX_MESSAGE_BODY_BYTES,
  MAX_RELAYS_READ,
  type MailboxBound,
  MESSAGE_ID_BYTES,
  OUTBOX_BOUND,
  OUTBOX_TABLE,
  SEND_TIMEOUT_MS,
  TAKEN_TABLE,
} from './mailbox-defaults.ts';
import { type OpenedEnvelope, openEnvelope, sealEnvelope } from './mailbox-envelope.ts';
import { MailboxReader } from './mailbox-reader.ts';
import { MailboxReceiver } from './mailbox-receiver.ts';
import type { MailboxServer } from './mailbox-server.ts';
import { decodeOutboxRow, encodeOutboxRow, type OutboxMessage, OutboxTable, outboxKey } from './outbox-table.ts';
import { RelayConnections } from './relay-connections.ts';
import { TakenIds } from './taken-ids.ts';

export interface MailboxClientInit {
  readonly resolver: Pick<
    GroupResolver,
    'group' | 'localPeer' | 'handle' | 'neighbour' | 'neighbours' | 'connect' | 'subscribe'
  >;
  readonly identity: Identity;
  readonly access: GroupAccess;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  /** The static key in the recipient's peer advertisement. Rejects with `not-found` ... */
  readonly staticKeyOf: (peer: PeerId, options: WaitOptions) => Promise<Uint8Array>;
  /** The relays that a peer's route advertisement names, best first; none where it is not known. */
  readonly relaysOf: (peer: PeerId) => Promise<readonly PeerId[]>;
  /** The relays and rendezvous of this peer, best first; call `relaysChanged` when they change. */
  readonly ownRelays: () => readonly PeerId[];
  /** Where this peer is a relay itself. */
  readonly local?: Pick<MailboxServer, 'answer'>;
  /** What waits here at most; default OUTBOX_BOUND. */
  readonly outbox?: MailboxBound;
}

/**
 * A member's half of a group's mailbox. Sends messages of which none is lost once `send` has resolved, and receives what others
 * sent while this peer was away. Throws what reading the storage throws.
 */
export class MailboxClient {
  readonly #init: MailboxClientInit;
  readonly #age: AgeClock;
  readonly #table: OutboxTable;
  readonly #taken: TakenIds;
  readonly #relays: RelayConnections;
  readonly #courier: MailboxCourier;
  readonly #receiver: MailboxReceiver;
  readonly #readers = new Map<PeerId, MailboxReader>();
  readonly #outcomes = new Map<OutboxMessage, (outcome: CourierOutcome | undefined) => void>();
  readonly #listeners = new Set<MailboxEvents>();
  readonly #neighbours: { unsubscribe(): void };
  #handler: MailboxHandler | undefined;
  #deliveries: { close(): void } | undefined;
  #timer: Timer | undefined;
  readonly #deliverers = new Map<PeerId, TokenBucket>();
  #unwritten = 0;
  /** Deliveries beyond a member's rate. */
  #limited = 0;
  #closed = false;

  constructor(init: MailboxClientInit) {
    this.#init = init;
    const { resolver, storage, clock, random, access } = init;
    this.#age = new AgeClock(clock, storage.get(MAILBOX_CLOCK_TABLE, this.#clockKey));
    const takenTable = `${TAKEN_TABLE}/${resolver.group}`;
    this.#taken = new TakenIds(takenTable, storage.scan(takenTable));
    this.#table = new OutboxTable(init.outbox ?? OUTBOX_BOUND);
    this.#table.restore([...this.#rows()]);
    this.#relays = new RelayConnections({ resolver, access, clock, ...(init.local && { local: init.local }) });
    this.#receiver = new MailboxReceiver({
      storage,
      taken: this.#taken,
      open: (sealed) => openEnvelope(init, sealed),
      onReceipt: (recipient, id) => this.#onReceipt(recipient, id),
      handler: () => this.#handler,
    });
    this.#courier = new MailboxCourier({
      outbox: {
        batchFor: (recipient) => this.#table.batchFor(recipient),
        contentOf: (message) => this.#contentOf(message),
        settle: (message, outcome) => this.#settle(message, outcome),
      },
      resolver,
      relays: this.#relays,
      relaysFor: async (recipient) => {
        const named = await init.relaysOf(recipient);
        return named.length > 0 ? named : this.#ownRelays();
      },
      clock,
      random,
    });
    this.#neighbours = resolver.subscribe({
      onOpen: ({ peer, credential }) => this.#onNeighbour(peer, may(credential, 'relay')),
      onClosed: () => this.relaysChanged(),
    });
    for (const recipient of this.#table.recipients()) this.#courier.kick(recipient);
    this.relaysChanged();
    this.#schedule();
  }

  /**
   * Sends one message of at most 48 KiB. It is in this peer's storage before anybody is asked. Rejects, and nothing is sent, with
   * `invalid-argument`, `too-large`, `overloaded` (the outbox is full), what `staticKeyOf` rejects with, what keeps this peer
   * from sending in the group, `storage-full` ...; and with `refused` when the recipient will not have it.
   */
  async send(recipient: PeerId, body: Uint8Array, options: MailboxSendOptions = {}): Promise<MailboxSendResult> {
    const { clock, storage, random, resolver, staticKeyOf } = this.#init;
    const { receipt = false, signal, timeoutMs = SEND_TIMEOUT_MS } = options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    const lifetimeMs = this.#checked(recipient, body, options.lifetimeMs ?? LIFETIME_MS);
    const wait = { ...(signal && { signal }), timeoutMs };
    const staticKey = await abortable(staticKeyOf(recipient, wait), clock, wait, 'the key of the recipient');
    this.#mustBeOpen();
    const id = random.bytes(MESSAGE_ID_BYTES);
    const envelope = { id, sentAtMs: clock.wallMs(), content: { type: 'message' as const, body } };
    const sealed = sealEnvelope(this.#init, { peer: recipient, staticKey }, envelope);
    const expiresAtMs = this.#age.nowMs() + lifetimeMs;
    const message = this.#table.admit({
      id,
      recipient,
      sealedBytes: sealed.length,
      expiresAtMs,
      wantsReceipt: receipt,
    });
    let settled: (outcome: CourierOutcome | undefined) => void = () => undefined;
    const outcome = new Promise<CourierOutcome | undefined>((resolve) => {
      settled = resolve;
    });
    try {
      await storage.commit([this.#row(message, sealed), this.#mark()]);
    } catch (error) {
      this.#table.remove(message);
      throw error;
    }
    this.#outcomes.set(message, settled);
    this.#schedule();
    this.#courier.kick(recipient);
    const leftMs = Math.max(0, untilMs - clock.monotonicMs());
    const first = await abortable(outcome, clock, { ...wait, timeoutMs: leftMs }, 'a relay').catch(() => undefined);
    this.#outcomes.delete(message);
    switch (first?.type) {
      case undefined:
        return { state: 'waiting', id, reason: this.#courier.reasonFor(recipient) };
      case 'delivered':
        return { state: 'delivered', id };
      case 'stored':
        return { state: 'stored', id, relay: first.relay };
      case 'failed':
        throw first.error;
    }
    throw new PipevineError(
      'internal',
      `Peer ${shortPeerId(resolver.localPeer)} does not know what became of a message.`,
    );
  }

  /** Begins to receive; a peer has one receiver a group. Throws `busy` while there is another. */
  receive(handler: MailboxHandler): { close(): void } {
    this.#mustBeOpen();
    if (this.#handler !== undefined) throw new PipevineError('busy', 'Messages are received here already.');
    this.#deliveries = this.#init.resolver.handle(DELIVER_HANDLER, (body, context) => this.#onDeliver(body, context));
    this.#handler = handler;
    this.relaysChanged();
    return {
      close: () => {
        if (this.#handler !== handler) return;
        this.#handler = undefined;
        this.#deliveries?.close();
        this.relaysChanged();
      },
    };
  }

  subscribe(events: MailboxEvents): { unsubscribe(): void } {
    this.#listeners.add(events);
    return { unsubscribe: () => this.#listeners.delete(events) };
  }

  /** This peer has other relays or rendezvous than before, or may have. */
  relaysChanged(): void {
    if (this.#closed) return;
    const wanted = this.#wantedRelays();
    for (const [relay, reader] of this.#readers) {
      if (wanted.has(relay)) continue;
      this.#readers.delete(relay);
      void reader.close();
    }
    const { clock, random } = this.#init;
    for (const relay of wanted) {
      if (this.#readers.has(relay)) continue;
      const receiptFor = (envelope: OpenedEnvelope) => this.#receiptFor(envelope);
      const shared = { relays: this.#relays, receiver: this.#receiver, receiptFor, clock, random };
      this.#readers.set(relay, new MailboxReader({ relay, ...shared }));
    }
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    const { waiting, bytes, awaited, refused, forgotten } = this.#table.counts;
    const { taken, duplicates, refused: unverified, kept, receipts } = this.#receiver.counters;
    const count = (used: number, dropped = 0, limit = 0) => ({ used, limit, dropped });
    return {
      'mailbox outbox messages': count(waiting, refused, this.#table.bound.messages),
      'mailbox outbox bytes': count(bytes, 0, this.#table.bound.bytes),
      'mailbox outbox rows unwritten': count(0, this.#unwritten),
      'mailbox receipts awaited': count(awaited, forgotten, MAX_AWAITED_RECEIPTS),
      'mailbox receipts received': count(receipts),
      'mailboxes read': count(this.#readers.size, 0, MAX_RELAYS_READ),
      'mailbox messages taken': count(taken, duplicates),
      'mailbox deliverers': count(this.#deliverers.size, this.#limited, MAX_DELIVERERS),
      'mailbox messages kept back': count(kept),
      'mailbox messages refused': count(0, unverified),
      'mailbox ids remembered': count(this.#taken.size, this.#taken.evicted, this.#taken.limit),
    };
  }

  /** Ends all; what waits is there again in the next life. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler = undefined;
    this.#deliveries?.close();
    this.#neighbours.unsubscribe();
    this.#timer?.cancel();
    for (const settle of this.#outcomes.values()) settle(undefined);
    await Promise.all([this.#courier.close(), ...[...this.#readers.values()].map((reader) => reader.close())]);
    this.#readers.clear();
  }

  get #clockKey(): string {
    return `client ${this.#init.resolver.group}`;
  }

  get #outbox(): string {
    return `${OUTBOX_TABLE}/${this.#init.resolver.group}`;
  }

  *#rows(): Generator<OutboxMessage> {
    for (const [key, row] of this.#init.storage.scan(this.#outbox)) {
      yield decodeOutboxRow(base32Decode(key) ?? new Uint8Array(0), row).message;
    }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new PipevineError('closed', 'The mailbox of this group is closed.');
  }

  /** The lifetime that the message may have: no longer than the own credential has, without which it would be refused. */
  #checked(recipient: PeerId, body: Uint8Array, lifetimeMs: number): number {
    const { resolver, access, clock } = this.#init;
    this.#mustBeOpen();
    if (recipient === resolver.localPeer)
      throw new PipevineError('invalid-argument', 'A peer does not write to itself.');
    if (body.length > MAX_MESSAGE_BODY_BYTES) {
      const what = `A message may have ${MAX_MESSAGE_BODY_BYTES} bytes, not ${body.length}; share it as content and send its id.`;
      throw new PipevineError('too-large', what);
    }
    if (!Number.isSafeInteger(lifetimeMs) || lifetimeMs < 1 || lifetimeMs > MAX_LIFETIME_MS) {
      const what = `A message lives from 1 to ${MAX_LIFETIME_MS} ms (90 days), not ${lifetimeMs}.`;
      throw new PipevineError('invalid-argument', what);
    }
    const own = access.verify(resolver.localPeer, access.credentialOf(resolver.localPeer));
    return Math.max(1, Math.min(lifetimeMs, (own?.notAfterMs ?? Infinity) - clock.wallMs()));
  }

  #contentOf(message: OutboxMessage): { sealed: Uint8Array; lifetimeMs: number } | undefined {
    const lifetimeMs = message.expiresAtMs - this.#age.nowMs();
    const row = this.#init.storage.get(this.#outbox, outboxKey(message.id));
    if (lifetimeMs < 1 || row === undefined) return undefined;
    return { sealed: decodeOutboxRow(message.id, row).sealed, lifetimeMs };
  }

  #settle(message: OutboxMessage, outcome: CourierOutcome): void {
    // A receipt may have come before the answer of the relay.
    if (this.#table.find(message.id) !== message) return;
    const { id, recipient } = message;
    const changes: StorageChange[] = [];
    if (outcome.type === 'stored' && message.wantsReceipt) {
      for (const forgotten of this.#table.await(message, outcome.relay)) changes.push(this.#row(forgotten));
      changes.push(this.#row(message, new Uint8Array(0)));
      this.relaysChanged();
    } else {
      this.#table.remove(message);
      changes.push(this.#row(message));
    }
    // A row that stays is sent again in the next life, and known to the recipient.
    this.#init.storage.commit([...changes, this.#mark()]).catch(() => {
      this.#unwritten++;
    });
    this.#outcomes.get(message)?.(outcome);
    for (const listener of [...this.#listeners]) {
      if (outcome.type === 'delivered') listener.onDelivered?.({ id, recipient });
      else if (outcome.type === 'stored') listener.onStored?.({ id, recipient, relay: outcome.relay });
      else listener.onFailed?.({ id, recipient, error: outcome.error });
    }
  }

  #row(message: OutboxMessage, sealed?: Uint8Array): StorageChange {
    const stays = sealed !== undefined;
    const value = stays ? encodeOutboxRow(message, message.relay === undefined ? sealed : undefined) : undefined;
    return { table: this.#outbox, key: outboxKey(message.id), value };
  }

  #mark(): StorageChange {
    return { table: MAILBOX_CLOCK_TABLE, key: this.#clockKey, value: this.#age.mark() };
  }

  #onReceipt(recipient: PeerId, id: Uint8Array): void {
    const message = this.#table.find(id);
    if (message === undefined || message.recipient !== recipient) return;
    this.#settle(message, { type: 'delivered' });
    this.relaysChanged();
  }

  #receiptFor({ sender, id, senderStaticKey }: OpenedEnvelope): Uint8Array | undefined {
    const { clock, random } = this.#init;
    const content = { type: 'receipt' as const, taken: id };
    try {
      const envelope = { id: random.bytes(MESSAGE_ID_BYTES), sentAtMs: clock.wallMs(), content };
      return sealEnvelope(this.#init, { peer: sender, staticKey: senderStaticKey }, envelope);
    } catch (error) {
      // No longer a member: nobody would believe it.
      if (error instanceof PipevineError) return undefined;
      throw error;
    }
  }

  async #onDeliver(body: Uint8Array, { remotePeer, propagated }: ResolverContext): Promise<Uint8Array> {
    if (propagated) throw new PipevineError('refused', 'Messages are delivered by their sender itself.');
    const statuses: DeliverStatus[] = [];
    const rate = this.#rateOf(remotePeer);
    for (const { id, sealed } of decodeDeliverRequest(body)) {
      if (!rate.take(this.#init.clock.monotonicMs())) {
        this.#limited++;
        statuses.push({ type: 'kept', code: 'overloaded', message: 'More messages than this peer opens; store them.' });
        continue;
      }
      const reception = await this.#receiver.receive(sealed, { sender: remotePeer, id });
      const { code = '', message = '' } = reception.type === 'taken' ? {} : reception.error;
      statuses.push({ type: reception.type, code, message });
    }
    return encodeDeliverAnswer(statuses);
  }

  #rateOf(peer: PeerId): TokenBucket {
    let rate = this.#deliverers.get(peer);
    if (rate !== undefined) return rate;
    for (const oldest of this.#deliverers.keys()) {
      if (this.#deliverers.size < MAX_DELIVERERS) break;
      this.#deliverers.delete(oldest);
    }
    rate = new TokenBucket(DELIVERY_BURST, DELIVERIES_PER_SECOND, this.#init.clock.monotonicMs());
    this.#deliverers.set(peer, rate);
    return rate;
  }

  #onNeighbour(peer: PeerId, isRelay: boolean): void {
    this.relaysChanged();
    this.#readers.get(peer)?.kick();
    const waiting = this.#table.recipients();
    for (const recipient of waiting) if (isRelay || recipient === peer) this.#courier.kick(recipient);
  }

  #ownRelays(): readonly PeerId[] {
    const { local, resolver, ownRelays } = this.#init;
    return local === undefined ? ownRelays() : [resolver.localPeer, ...ownRelays()];
  }

  /** Where messages or receipts for this peer may be. */
  #wantedRelays(): ReadonlySet<PeerId> {
    const wanted = new Set<PeerId>(this.#table.awaitedAt());
    if (this.#handler !== undefined) {
      for (const relay of this.#ownRelays()) wanted.add(relay);
      // Who knows no relay of ours has given its messages to one of its own, which may be our neighbour.
      for (const { peer, credential } of this.#init.resolver.neighbours())
        if (may(credential, 'relay')) wanted.add(peer);
    }
    return new Set([...wanted].slice(0, MAX_RELAYS_READ));
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    const nextMs = (this.#table.nextExpiryMs() ?? Infinity) - this.#age.nowMs();
    this.#timer = this.#init.clock.setTimer(Math.min(MARK_INTERVAL_MS, Math.max(0, nextMs)), () => {
      for (;;) {
        const message = this.#table.takeExpired(this.#age.nowMs());
        if (message === undefined) break;
        const where = message.relay === undefined ? 'it was never stored at a relay' : 'no receipt came';
        const error = new PipevineError('expired', `The time of the message is over: ${where}.`);
        this.#settle(message, { type: 'failed', error });
      }
      this.#init.storage.commit([this.#mark()]).catch(() => {
        this.#unwritten++;
      });
      this.#schedule();
    });
  }
}
