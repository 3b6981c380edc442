import { type Clock, PipevineError } from '@pipevine/runtime';
import type { MqttClient } from 'mqtt';
import type { SubscriptionBatch, SubscriptionTable } from './subscription-table.ts';

export interface SubscriptionFlowInit {
  readonly clock: Clock;
  readonly client: MqttClient;
  readonly table: SubscriptionTable;
  readonly answerTimeoutMs: number;
  readonly onRefused: (filters: readonly string[]) => void;
  /** Ends the connection: without an answer nothing is known of its subscriptions, and a new one makes them anew. */
  readonly abort: (reason: PipevineError) => void;
}

/** Brings what a SubscriptionTable wants to the broker of one connection, one batch after the other. */
export class SubscriptionFlow {
  readonly #init: SubscriptionFlowInit;
  #isRunning = false;
  #hasEnded = false;
  #waiters: (() => void)[] = [];

  constructor(init: SubscriptionFlowInit) {
    this.#init = init;
  }

  /** Sends the next batch when none is on its way; what is added in one turn goes together. */
  flush(): void {
    if (this.#hasEnded || this.#isRunning || this.#init.table.pending === 0) return;
    this.#isRunning = true;
    queueMicrotask(() => this.#next());
  }

  /** Resolves when the broker has answered for every filter, or when the connection has ended. */
  settled(): Promise<void> {
    if (this.#hasEnded || (!this.#isRunning && this.#init.table.pending === 0)) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Resolves when the broker has answered `question`, a subscription that changes nothing, or has had its time. */
  barrier(filter: string): Promise<void> {
    if (this.#hasEnded) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        resolve();
      };
      const timer = this.#init.clock.setTimer(this.#init.answerTimeoutMs, done);
      this.#init.client.unsubscribe([filter], done);
    });
  }

  /** The connection has ended. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #next(): void {
    if (this.#hasEnded) return;
    const { clock, table, answerTimeoutMs, abort, onRefused } = this.#init;
    const batch = table.nextBatch();
    if (batch === undefined) {
      this.#isRunning = false;
      this.#wake();
      return;
    }
    const deadline = clock.setTimer(answerTimeoutMs, () => {
      abort(new PipevineError('timeout', 'the broker did not answer a subscription'));
    });
    this.#ask(batch, (granted) => {
      deadline.cancel();
      if (this.#hasEnded) return;
      if (granted === undefined) {
        abort(new PipevineError('protocol', 'the broker did not answer a subscription as MQTT asks'));
        return;
      }
      const refused = table.answered(batch, granted);
      if (refused.length > 0) onRefused(refused);
      this.#next();
    });
  }

  /** Undefined: there was no answer. */
  #ask(batch: SubscriptionBatch, answered: (granted: ((index: number) => boolean) | undefined) => void): void {
    const { client } = this.#init;
    const filters = [...batch.filters];
    const all = () => true;
    if (batch.kind === 'unsubscribe') {
      client.unsubscribe(filters, (error) => answered(error === undefined || error === null ? all : undefined));
      return;
    }
    client.subscribe(filters, { qos: 0 }, (error, _grants, packet) => {
      // A refusal comes as an error together with the SUBACK.
      const codes = packet?.granted;
      if (codes !== undefined) answered((index) => Number(codes[index] ?? 0x80) < 0x80);
      else answered(error === null || error === undefined ? all : undefined);
    });
  }
}
