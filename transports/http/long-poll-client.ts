import { type Clock, type EndpointAddress, PipevineError, type Random } from '@pipevine/runtime';
import { LongPollConnection } from './long-poll-connection.ts';
import type { LongPollExchange } from './long-poll-exchange.ts';
import { type LongPollAnswer, MAX_BODY_BYTES, type Verb } from './long-poll-wire.ts';

/** Between two attempts, doubled from the first to the last; of each a random part is waited, at least half. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;
/** When nothing but failures came for so long the connection is over. Less than the server's patience: this side knows first. */
const GIVE_UP_MS = 30_000;
/** A client that has no room for more says so often that it is still there. */
const ALIVE_MS = 20_000;
/** The last word of a session has so long to be heard. */
const FAREWELL_MS = 5000;

export interface LongPollClientInit {
  readonly exchange: Pick<LongPollExchange, 'ask' | 'close'>;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly highWaterBytes: number;
  readonly maxWaitingBytes: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** The client's side of one long-poll connection: one request up and one down at a time. */
export class LongPollClient {
  readonly connection: LongPollConnection;
  readonly #init: LongPollClientInit;
  readonly #over = new AbortController();
  /** Bytes down that have arrived, in all. */
  #received = 0;
  #isSending = false;
  /** Since the first failure after the last answer. */
  #failingSinceMs: number | undefined;
  #wakeReader: () => void = () => undefined;

  /** Takes a session that the server has opened. */
  constructor(init: LongPollClientInit) {
    this.#init = init;
    this.connection = new LongPollConnection({
      ...init,
      carrier: {
        onOutgoing: () => this.#wakeSender(),
        onRoom: () => this.#wakeReader(),
        onAbort: () => this.#sayFarewell('reset', 0),
      },
    });
    void this.#read();
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  async #read(): Promise<void> {
    let fruitless = 0;
    while (!this.#isOver) {
      if (!this.connection.hasRoom) {
        await this.#waitForRoom();
        continue;
      }
      const answer = await this.#ask('down', () => [this.#received, undefined]);
      if (answer === undefined || this.#isOver) return;
      const isOurs = answer.offset === this.#received;
      if (isOurs && answer.bytes.length > 0) {
        this.#received += answer.bytes.length;
        this.connection.receive(answer.bytes);
      }
      if (isOurs && answer.end) {
        this.#sayFarewell('end', 0);
        this.connection.finish();
        return;
      }
      // An answer that holds nothing comes late, unless something on the way plays the server.
      fruitless = answer.bytes.length > 0 && isOurs ? 0 : fruitless + 1;
      if (fruitless > 1) await this.#pauseBeforeRetry(fruitless - 2);
    }
  }

  #wakeSender(): void {
    if (this.#isSending || this.#isOver) return;
    this.#isSending = true;
    // What is written in this turn goes into one request.
    this.#init.clock.endOfTurn(() => void this.#send());
  }

  async #send(): Promise<void> {
    const { outgoing } = this.connection;
    let fruitless = 0;
    while (!this.#isOver && outgoing.length > 0) {
      const from = outgoing.start;
      const answer = await this.#ask('up', () => [outgoing.start, outgoing.read(MAX_BODY_BYTES)]);
      if (answer === undefined || this.#isOver) return;
      if (answer.end) {
        // The server is done with the session; what it had for us is on the way down, or has come.
        this.#fail(new PipevineError('closed', `${this.#init.remoteAddress} closed the connection.`));
        return;
      }
      // An answer to an earlier attempt may name less than what is known already; more than was sent it cannot.
      this.connection.acknowledge(answer.offset);
      fruitless = outgoing.start > from ? 0 : fruitless + 1;
      if (fruitless > 0) await this.#pauseBeforeRetry(fruitless - 1);
    }
    this.#isSending = false;
    if (!this.#isOver && this.connection.isClosing) {
      this.#sayFarewell('end', outgoing.end);
      this.connection.finish();
    }
  }

  /** Asks until there is an answer. Undefined when the session is over, which the owner has been told then. */
  async #ask(
    verb: Verb,
    content: () => [offset: number, body: Uint8Array | undefined],
  ): Promise<LongPollAnswer | undefined> {
    const { exchange, clock, remoteAddress } = this.#init;
    for (let attempt = 0; !this.#isOver; attempt++) {
      const [offset, body] = content();
      try {
        const { answer } = await exchange.ask(verb, offset, body, this.#over.signal);
        if (this.#isOver) return undefined;
        this.#failingSinceMs = undefined;
        if (answer.unknown || answer.reset) {
          this.#fail(
            new PipevineError(
              'closed',
              answer.reset
                ? `${remoteAddress} reset the connection. Dial again.`
                : `${remoteAddress} does not know the connection any more. Dial again.`,
            ),
          );
          return undefined;
        }
        if (!answer.busy) return answer;
      } catch (error) {
        if (this.#isOver) return undefined;
        this.#failingSinceMs ??= clock.monotonicMs();
        if (clock.monotonicMs() - this.#failingSinceMs >= GIVE_UP_MS) {
          this.#fail(
            new PipevineError('unreachable', `${remoteAddress} has not answered for ${GIVE_UP_MS} ms. Dial again.`, {
              cause: error,
            }),
          );
          return undefined;
        }
      }
      await this.#pauseBeforeRetry(attempt);
    }
    return undefined;
  }

  #pauseBeforeRetry(attempt: number): Promise<void> {
    const { clock, random } = this.#init;
    const longestMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 10));
    return this.#wait((wake) => clock.setTimer(longestMs * (0.5 + random.fraction() / 2), wake));
  }

  /** Until the owner has read; meanwhile the server learns that this side is still there. */
  async #waitForRoom(): Promise<void> {
    let isTimeUp = false;
    await this.#wait((wake) => {
      this.#wakeReader = wake;
      return this.#init.clock.setTimer(ALIVE_MS, () => {
        isTimeUp = true;
        wake();
      });
    });
    if (isTimeUp && !this.#isOver) await this.#ask('up', () => [this.connection.outgoing.start, new Uint8Array(0)]);
  }

  /** Ends early when the session is over. */
  #wait(arm: (wake: () => void) => { cancel(): void }): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#over;
      const wake = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = arm(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #fail(error: PipevineError): void {
    if (this.#isOver) return;
    this.#over.abort();
    this.#init.exchange.close();
    this.connection.finish(this.connection.isClosing && error.code === 'closed' ? undefined : error);
  }

  /** The session is over for this side; the server is told, once more if the first time was lost, and no longer waited for. */
  #sayFarewell(verb: 'end' | 'reset', offset: number): void {
    if (this.#isOver) return;
    this.#over.abort();
    const { exchange, clock } = this.#init;
    const patience = new AbortController();
    const timer = clock.setTimer(FAREWELL_MS, () => patience.abort());
    const ask = (): Promise<unknown> => exchange.ask(verb, offset, undefined, patience.signal);
    void ask()
      .catch(ask)
      .catch(() => undefined)
      .finally(() => {
        timer.cancel();
        exchange.close();
      });
  }
}
