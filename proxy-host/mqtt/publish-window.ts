import { type Clock, PipevineError } from '@pipevine/runtime';
import type { MqttClient } from 'mqtt';

/** So many publishes without an acknowledgement mean that the connection is sick, whatever its keep-alive says. */
const MAX_ABANDONED = 100;

export interface PublishWindowInit {
  readonly clock: Clock;
  readonly client: MqttClient;
  /** For messages. */
  readonly broker: string;
  readonly maxInFlight: number;
  readonly maxInFlightBytes: number;
  /** Bytes that are written and wait for the socket. */
  readonly queuedBytes: () => number;
  /** Ends the connection. */
  readonly abort: () => void;
}

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/** Publishes over one connection, of which only so many may wait for the broker. */
export class PublishWindow {
  readonly #init: PublishWindowInit;
  readonly #waiting = new Set<(error: PipevineError) => void>();
  #waitingBytes = 0;
  /** Publishes that nobody waits for any more, and that the broker has not acknowledged. */
  #abandoned = 0;

  constructor(init: PublishWindowInit) {
    this.#init = init;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Rejects as `MqttConnection.publish` says. */
  async publish(message: OutgoingMessage): Promise<void> {
    const { broker, client, maxInFlight, maxInFlightBytes } = this.#init;
    const { topic, qos, retain } = message;
    const body = Buffer.from(message.payload as Uint8Array); // a string is taken as well, by another overload
    const bytes = body.length + topic.length;
    const before = this.#waitingBytes + this.#init.queuedBytes();
    if (this.#waiting.size >= maxInFlight || (before > 0 && before + bytes > maxInFlightBytes)) {
      throw new PipevineError(
        'overloaded',
        `MQTT: ${this.#waiting.size} messages and ${before} bytes wait for ${broker}, ` +
          `at most ${maxInFlight} and ${maxInFlightBytes} may: publish more slowly`,
      );
    }
    if (qos === 0) client.publish(topic, body, { qos, retain });
    else await this.#acknowledged(message, body, bytes);
  }

  /** Fails all that waits. */
  fail(error: PipevineError): void {
    for (const fail of [...this.#waiting]) fail(error);
  }

  #acknowledged(message: OutgoingMessage, body: Buffer, bytes: number): Promise<void> {
    const { broker, client, clock } = this.#init;
    const { topic, retain, signal, timeoutMs } = message;
    return new Promise((resolve, reject) => {
      const settle = (error?: PipevineError) => {
        if (!this.#waiting.delete(settle)) return;
        this.#waitingBytes -= bytes;
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const abandon = (error: PipevineError) => {
        settle(error);
        if (++this.#abandoned > MAX_ABANDONED) this.#init.abort();
      };
      const onAbort = () => abandon(new PipevineError('aborted', `publishing to ${topic} was aborted`));
      const timer = clock.setTimer(timeoutMs, () => {
        const text = `${broker} did not acknowledge the message to ${topic} within ${timeoutMs} ms`;
        abandon(new PipevineError('timeout', text));
      });
      this.#waiting.add(settle);
      this.#waitingBytes += bytes;
      signal?.addEventListener('abort', onAbort);
      client.publish(topic, body, { qos: 1, retain }, (error) => {
        if (!this.#waiting.has(settle)) this.#abandoned--;
        if (error === undefined || error === null) settle();
        else if ('code' in error && typeof error.code === 'number') {
          const text = `${broker} refused the message to ${topic}: ${error.message}`;
          settle(new PipevineError('refused', text, { cause: error }));
        }
        // Other errors mean that the connection is lost, and then everything fails by `fail`.
      });
    });
  }
}
