import { jitteredBackoffMs } from '../endpoint/backoff.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { decodeTakeItem, encodeMailboxRequest, type TakeItem, type TakenMessage } from './mailbox-codec.ts';
import { MAX_BATCH_MESSAGES, MAX_RETRY_MS, RETRY_MS } from './mailbox-defaults.ts';
import type { OpenedEnvelope } from './mailbox-envelope.ts';
import type { MailboxReceiver } from './mailbox-receiver.ts';
import type { RelayConnection, RelayConnections } from './relay-connections.ts';

export interface MailboxReaderInit {
  readonly relay: PeerId;
  readonly relays: RelayConnections;
  readonly receiver: MailboxReceiver;
  /** Seals a receipt for the sender of a message that was taken; undefined when that cannot be. */
  readonly receiptFor: (envelope: OpenedEnvelope) => Uint8Array | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

type Message = Extract<TakeItem, { readonly type: 'message' }>;

/**
 * Reads this peer's mailbox at one relay for as long as it is not closed: takes what waits and what comes, and says `done` for
 * what was taken. After a failure it begins anew, so what was not done is seen again.
 */
export class MailboxReader {
  readonly #init: MailboxReaderInit;
  readonly #closing = new AbortController();
  readonly #finished: Promise<void>;
  #failures = 0;
  /** Readings in a row that left a message where it was. */
  #keptReadings = 0;
  /** Ends the pause after a failure. */
  #wake = (): void => undefined;
  #reading = false;

  constructor(init: MailboxReaderInit) {
    this.#init = init;
    this.#finished = this.#run();
  }

  /** Whether the relay answers. */
  get reading(): boolean {
    return this.#reading;
  }

  /** There may be a way to the relay again. */
  kick(): void {
    this.#wake();
  }

  /** Idempotent; waits for the handler. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#init;
    while (!this.#closing.signal.aborted) {
      try {
        await this.#read();
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
      }
      this.#reading = false;
      if (this.#closing.signal.aborted) return;
      this.#failures++;
      const pauseMs = jitteredBackoffMs(this.#failures, RETRY_MS, MAX_RETRY_MS, random.fraction());
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(pauseMs, resolve);
        this.#wake = () => {
          timer.cancel();
          resolve();
        };
      });
    }
  }

  /** Message after message, until the way to the relay breaks or something must be offered again. */
  async #read(): Promise<void> {
    const { relays, relay } = this.#init;
    const stop = new AbortController();
    const onClose = () => stop.abort();
    this.#closing.signal.addEventListener('abort', onClose);
    let again: Timer | undefined;
    let done: DoneQueue | undefined;
    try {
      const connection = await relays.open(relay, { signal: stop.signal });
      const queue = new DoneQueue(connection, () => stop.abort());
      done = queue;
      for (let after: number | undefined; !stop.signal.aborted; ) {
        const messages = await this.#batch(connection, after, stop.signal);
        // It was asked to wait for some: without a pause this would go round and round.
        if (messages.length === 0)
          throw new PipevineError('protocol', 'A relay ended the wait for messages without any.');
        for (const message of messages) {
          if (!(await this.#take(message, queue))) again ??= this.#later(() => stop.abort());
          await queue.room();
          if (stop.signal.aborted) return;
          after = message.position;
        }
      }
    } finally {
      this.#closing.signal.removeEventListener('abort', onClose);
      again?.cancel();
      this.#keptReadings = again === undefined ? 0 : this.#keptReadings + 1;
      stop.abort();
      await done?.idle();
    }
  }

  /**
   * Waits for the next messages. They are all read before the first is taken: what is not read holds back every other
   * answer of this neighbour.
   */
  async #batch(connection: RelayConnection, after: number | undefined, signal: AbortSignal): Promise<Message[]> {
    const messages: Message[] = [];
    const body = encodeMailboxRequest({ type: 'take', after, watch: true });
    for await (const bytes of connection.stream(body, { signal })) {
      this.#reading = true;
      this.#failures = 0;
      const item = decodeTakeItem(bytes);
      if (item?.type !== 'message') continue;
      messages.push(item);
      if (messages.length > MAX_BATCH_MESSAGES) {
        throw new PipevineError('protocol', `A relay gave more than ${MAX_BATCH_MESSAGES} messages in one answer.`);
      }
    }
    return messages;
  }

  #later(callback: () => void): Timer {
    const { clock, random } = this.#init;
    return clock.setTimer(
      jitteredBackoffMs(this.#keptReadings + 1, RETRY_MS, MAX_RETRY_MS, random.fraction()),
      callback,
    );
  }

  /** False when the message stays where it is. */
  async #take({ sender, id, sealed, wantsReceipt }: Message, done: DoneQueue): Promise<boolean> {
    const { receiver, receiptFor } = this.#init;
    const reception = await receiver.receive(sealed, { sender, id });
    if (reception.type === 'kept') return false;
    // What will never be taken is deleted, too.
    const receipt = reception.type === 'taken' && wantsReceipt ? receiptFor(reception.envelope) : undefined;
    done.add({ sender, id, receipt });
    return true;
  }
}

/** Says `done`, one request at a time: what is taken meanwhile goes into the next one. */
class DoneQueue {
  readonly #connection: RelayConnection;
  readonly #onFailure: () => void;
  #taken: TakenMessage[] = [];
  #running: Promise<void> | undefined;

  constructor(connection: RelayConnection, onFailure: () => void) {
    this.#connection = connection;
    this.#onFailure = onFailure;
  }

  add(taken: TakenMessage): void {
    this.#taken.push(taken);
    this.#running ??= this.#run();
  }

  /** Resolves when no more than one request's worth waits. */
  async room(): Promise<void> {
    if (this.#taken.length >= MAX_BATCH_MESSAGES) await this.#running;
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      // What one turn of the loop takes goes together.
      await undefined;
      while (this.#taken.length > 0) {
        const taken = this.#taken.splice(0, MAX_BATCH_MESSAGES);
        await this.#connection.request(encodeMailboxRequest({ type: 'done', taken }));
      }
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      // They are given again by the next take, and known then.
      this.#taken = [];
      this.#onFailure();
    } finally {
      this.#running = undefined;
    }
  }
}
