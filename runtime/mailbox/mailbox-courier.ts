import { DeadlineQueue, type Scheduled } from '../advertisement/deadline-queue.ts';
import { jitteredBackoffMs } from '../endpoint/backoff.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { GroupNeighbour, GroupResolver } from '../resolver/resolver.ts';
import { decodeDeliverAnswer, decodePutAnswer, encodeDeliverRequest, encodeMailboxRequest } from './mailbox-codec.ts';
import {
  CONNECT_TIMEOUT_MS,
  DELIVER_HANDLER,
  DELIVER_TIMEOUT_MS,
  MAX_ATTEMPTS,
  MAX_RETRY_MS,
  RETRY_MS,
} from './mailbox-defaults.ts';
import type { OutboxMessage } from './outbox-table.ts';
import type { RelayConnections } from './relay-connections.ts';
import { RequestPace } from './request-pace.ts';

/** Relays that are tried for one recipient. */
const MAX_RELAYS_TRIED = 4;

export type CourierOutcome =
  | { readonly type: 'delivered' }
  | { readonly type: 'stored'; readonly relay: PeerId }
  | { readonly type: 'failed'; readonly error: PipevineError };

/** What the courier carries; the outbox. */
export interface CourierOutbox {
  /** The oldest messages for this recipient that fit into one request. */
  batchFor(recipient: PeerId): readonly OutboxMessage[];
  /** Undefined when its time is over or its bytes are gone. */
  contentOf(message: OutboxMessage): { readonly sealed: Uint8Array; readonly lifetimeMs: number } | undefined;
  /** Somebody else has the message, or nobody ever will; it must not be in a later batch. */
  settle(message: OutboxMessage, outcome: CourierOutcome): void;
}

export interface MailboxCourierInit {
  readonly outbox: CourierOutbox;
  readonly resolver: Pick<GroupResolver, 'localPeer' | 'neighbour' | 'connect'>;
  readonly relays: RelayConnections;
  /** Best first: of the recipient, or where none is known, whoever keeps messages for us. */
  readonly relaysFor: (recipient: PeerId) => Promise<readonly PeerId[]>;
  readonly clock: Clock;
  readonly random: Random;
}

interface Round extends Scheduled {
  readonly recipient: PeerId;
  failures: number;
  running: boolean;
  /** Why the last try did not do. */
  reason: PipevineError | undefined;
}

interface Parcel {
  readonly message: OutboxMessage;
  readonly sealed: Uint8Array;
  readonly lifetimeMs: number;
}

/** Carries messages to their recipients, or else to a relay, and tries again with growing pauses, each recipient by itself. */
export class MailboxCourier {
  readonly #init: MailboxCourierInit;
  readonly #rounds = new Map<PeerId, Round>();
  readonly #due = new DeadlineQueue<Round>();
  readonly #running = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(init: MailboxCourierInit) {
    this.#init = init;
  }

  /** There is something for this recipient, or a new way to it: tries now unless it is trying. */
  kick(recipient: PeerId): void {
    if (this.#closed) return;
    let round = this.#rounds.get(recipient);
    if (round === undefined) {
      round = { recipient, failures: 0, running: false, reason: undefined, wakeAtMs: undefined };
      this.#rounds.set(recipient, round);
    }
    if (!round.running) this.#due.schedule(round, this.#init.clock.monotonicMs());
    this.#pump();
  }

  /** Why what waits for this recipient still does. */
  reasonFor(recipient: PeerId): PipevineError | undefined {
    return this.#rounds.get(recipient)?.reason;
  }

  /** Starts no more. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await Promise.all(this.#running);
  }

  #pump(): void {
    const { clock } = this.#init;
    while (!this.#closed && this.#running.size < MAX_ATTEMPTS) {
      const round = this.#due.takeDue(clock.monotonicMs());
      if (round === undefined) break;
      round.running = true;
      const run = this.#run(round).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
    this.#timer?.cancel();
    const nextMs = this.#due.nextDeadline();
    if (this.#closed || nextMs === undefined || this.#running.size >= MAX_ATTEMPTS) return;
    this.#timer = clock.setTimer(Math.max(0, nextMs - clock.monotonicMs()), () => this.#pump());
  }

  async #run(round: Round): Promise<void> {
    const { outbox, clock, random } = this.#init;
    const pace = new RequestPace(clock);
    let direct = true;
    for (;;) {
      const batch = outbox.batchFor(round.recipient);
      if (batch.length === 0 || this.#closed) break;
      let left = this.#parcels(batch);
      if (direct) {
        await pace.turn();
        left = await this.#deliver(round, left);
        direct = left.length === 0;
      }
      if (left.length > 0) left = await this.#store(round, left);
      // A message that cannot be read or has expired is settled as well: that is progress.
      if (left.length === batch.length) break;
      round.failures = 0;
    }
    round.running = false;
    if (outbox.batchFor(round.recipient).length === 0) {
      this.#rounds.delete(round.recipient);
      return;
    }
    round.failures++;
    const pauseMs = jitteredBackoffMs(round.failures, RETRY_MS, MAX_RETRY_MS, random.fraction());
    this.#due.schedule(round, clock.monotonicMs() + pauseMs);
  }

  #parcels(batch: readonly OutboxMessage[]): Parcel[] {
    return batch.flatMap((message) => {
      const content = this.#init.outbox.contentOf(message);
      if (content !== undefined) return { message, ...content };
      const error = new PipevineError('expired', 'The message was not delivered in its lifetime.');
      this.#init.outbox.settle(message, { type: 'failed', error });
      return [];
    });
  }

  /** Gives them to the recipient itself; returns those that it did not take. */
  async #deliver(round: Round, parcels: readonly Parcel[]): Promise<Parcel[]> {
    const { outbox } = this.#init;
    if (parcels.length === 0) return [];
    try {
      const neighbour = await this.#neighbour(round.recipient);
      const body = encodeDeliverRequest(parcels.map(({ message, sealed }) => ({ id: message.id, sealed })));
      const answer = await neighbour.request(DELIVER_HANDLER, body, { timeoutMs: DELIVER_TIMEOUT_MS });
      const statuses = decodeDeliverAnswer(answer, parcels.length);
      return parcels.filter(({ message }, i) => {
        const status = statuses[i];
        if (status === undefined || status.type === 'kept') return true;
        const what = `The recipient ${shortPeerId(round.recipient)} refused the message (${status.code}): ${status.message}`;
        outbox.settle(
          message,
          status.type === 'taken'
            ? { type: 'delivered' }
            : { type: 'failed', error: new PipevineError('refused', what) },
        );
        return false;
      });
    } catch (error) {
      round.reason = reasonOf(error);
      return [...parcels];
    }
  }

  async #neighbour(recipient: PeerId): Promise<GroupNeighbour> {
    const { resolver } = this.#init;
    return resolver.neighbour(recipient) ?? resolver.connect(recipient, { timeoutMs: CONNECT_TIMEOUT_MS });
  }

  /** Gives them to the first relay that takes them; returns those that none took. */
  async #store(round: Round, parcels: readonly Parcel[]): Promise<Parcel[]> {
    let left = [...parcels];
    try {
      const relays = (await this.#init.relaysFor(round.recipient)).filter((relay) => relay !== round.recipient);
      if (relays.length === 0) {
        const what = `Peer ${shortPeerId(round.recipient)} cannot be reached, and no relay that would keep messages for it is known.`;
        round.reason = new PipevineError('unreachable', what, { cause: round.reason });
      }
      for (const relay of relays.slice(0, MAX_RELAYS_TRIED)) {
        if (left.length > 0) left = await this.#put(round, relay, left);
      }
    } catch (error) {
      round.reason = reasonOf(error);
    }
    return left;
  }

  async #put(round: Round, relay: PeerId, parcels: Parcel[]): Promise<Parcel[]> {
    const { outbox, relays } = this.#init;
    try {
      const connection = await relays.open(relay);
      const messages = parcels.map(({ message, sealed, lifetimeMs }) => {
        const { recipient, id, wantsReceipt } = message;
        return { recipient, id, sealed, lifetimeMs, wantsReceipt };
      });
      const statuses = decodePutAnswer(
        await connection.request(encodeMailboxRequest({ type: 'put', messages })),
        parcels.length,
      );
      return parcels.filter(({ message }, i) => {
        const status = statuses[i];
        if (status === undefined) return true;
        if (status.type === 'refused') {
          const what = `Relay ${shortPeerId(relay)} has no room for the message: its bound ${status.reason} is ${status.limit}.`;
          round.reason = new PipevineError('overloaded', what);
          return true;
        }
        outbox.settle(message, { type: 'stored', relay });
        return false;
      });
    } catch (error) {
      round.reason = reasonOf(error);
      return parcels;
    }
  }
}

function reasonOf(error: unknown): PipevineError {
  if (error instanceof PipevineError) return error;
  throw error;
}
