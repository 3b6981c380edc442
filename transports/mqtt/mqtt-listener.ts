import {
  type AgreementKey,
  type Clock,
  type Connection,
  type PipevineError,
  type Timer,
  TokenBucket,
} from '@pipevine/runtime';
import type { BrokerConnection, Subscriber } from './broker-connection.ts';
import { type MqttAddress, mqttAddressText } from './mqtt-address.ts';
import type { MqttCounters, MqttLimits } from './mqtt-options.ts';
import { MqttSession } from './mqtt-session.ts';
import { decodeFrame, decodeHello, encodeWelcome, type Hello } from './session-frame.ts';
import { type SessionKeys, sessionKeys } from './session-keys.ts';
import { greetingTopic, sessionText, sessionTopics } from './session-topics.ts';

export interface MqttListenerInit {
  readonly address: MqttAddress & { readonly id: string };
  readonly key: AgreementKey;
  readonly broker: BrokerConnection;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly counters: MqttCounters;
  /** Whether one more session may be open; counts it when so. */
  readonly admit: () => boolean;
  readonly onEnded: () => void;
  readonly onConnection: (connection: Connection) => void;
}

/** Answers greetings. A session exists when the dialler has proven, by its first frame, that it holds the greeting's key. */
export class MqttListener implements Subscriber {
  readonly #init: MqttListenerInit;
  readonly #topic: string;
  readonly #bucket: TokenBucket;
  /** Greetings and sessions by session id; greetings alone, oldest first. */
  readonly #known = new Map<string, Acceptance>();
  readonly #pending = new Set<Acceptance>();
  #closed = false;

  constructor(init: MqttListenerInit) {
    this.#init = init;
    this.#topic = greetingTopic(init.address.prefix, init.address.id);
    const { greetingBurst, greetingsPerSecond } = init.limits;
    this.#bucket = new TokenBucket(greetingBurst, greetingsPerSecond, init.clock.monotonicMs());
  }

  begin(): Promise<void> {
    return this.#init.broker.subscribe(this.#topic, this);
  }

  /** Begins when the broker can be reached; `onFailed` hears why the first attempt failed. */
  beginInTime(onFailed: (error: PipevineError) => void): void {
    this.#init.broker.subscribeInTime(this.#topic, this).catch((error: PipevineError) => {
      if (!this.#closed) onFailed(error);
    });
  }

  /** Accepts no more; sessions go on. */
  close(): void {
    this.#closed = true;
    this.#init.broker.unsubscribe(this.#topic, this);
    for (const acceptance of [...this.#pending]) acceptance.drop();
  }

  onReady(): void {}

  /** A listener waits for its broker as long as it takes. */
  onLost(): void {}

  onMessage(payload: Buffer): void {
    const { counters, clock, limits } = this.#init;
    const hello = decodeHello(payload);
    if (hello === undefined) {
      counters.forged++;
      return;
    }
    const id = sessionText(hello.sessionId);
    const known = this.#known.get(id);
    if (known !== undefined) {
      known.greetedAgain(hello);
      return;
    }
    if (this.#closed || !this.#bucket.take(clock.monotonicMs()) || counters.open >= limits.maxSessions) {
      counters.greetingsRefused++;
      return;
    }
    const shared = this.#init.key.agree(hello.publicKey);
    if (shared === undefined) {
      counters.forged++;
      return;
    }
    const [oldest] = this.#pending;
    if (this.#pending.size >= limits.maxPending) oldest?.drop();
    const keys = sessionKeys(shared, hello.sessionId, hello.publicKey, this.#init.key.publicKey);
    const acceptance = new Acceptance(this.#init, hello, keys, {
      onSettled: () => this.#pending.delete(acceptance),
      onForgotten: () => this.#known.delete(id),
    });
    this.#known.set(id, acceptance);
    this.#pending.add(acceptance);
    acceptance.begin();
  }
}

interface AcceptanceEvents {
  /** It is pending no more. */
  onSettled(): void;
  /** Its session id may be used again. */
  onForgotten(): void;
}

/** One greeting that was answered, and the session that may come of it. */
class Acceptance implements Subscriber {
  readonly #init: MqttListenerInit;
  readonly #hello: Hello;
  readonly #keys: SessionKeys;
  readonly #topics: { readonly dialler: string; readonly listener: string };
  readonly #events: AcceptanceEvents;
  #session: MqttSession | undefined;
  #over = false;
  #patience: Timer | undefined;

  constructor(init: MqttListenerInit, hello: Hello, keys: SessionKeys, events: AcceptanceEvents) {
    this.#init = init;
    this.#hello = hello;
    this.#keys = keys;
    this.#topics = sessionTopics(init.address.prefix, hello.sessionId);
    this.#events = events;
  }

  begin(): void {
    const { broker, clock, limits } = this.#init;
    this.#patience = clock.setTimer(limits.pendingMs, () => this.drop());
    broker.subscribe(this.#topics.listener, this).catch(() => this.drop());
  }

  /** Forgets a greeting that was not confirmed. */
  drop(): void {
    if (this.#over || this.#session !== undefined) return;
    this.#over = true;
    this.#init.counters.pendingDropped++;
    this.#patience?.cancel();
    this.#events.onSettled();
    this.#forget();
  }

  /** The dialler did not hear the answer, or somebody repeats the greeting: an answer costs no more than it did. */
  greetedAgain(hello: Hello): void {
    if (Buffer.compare(hello.publicKey, this.#hello.publicKey) !== 0) this.#init.counters.forged++;
    else if (this.#session === undefined) this.onReady(false);
    else this.#init.counters.duplicates++;
  }

  onReady(resubscribed: boolean): void {
    if (this.#session !== undefined) this.#session.onReady(resubscribed);
    else if (!this.#over) {
      const { broker, key } = this.#init;
      broker.publish(this.#topics.dialler, encodeWelcome(key.publicKey, this.#keys.fromListener));
    }
  }

  onLost(error: PipevineError): void {
    if (this.#session === undefined) this.drop();
    else this.#session.onLost(error);
  }

  onMessage(payload: Buffer): void {
    if (this.#session !== undefined) this.#session.onMessage(payload);
    else if (!this.#over) this.#confirm(payload);
  }

  #confirm(payload: Buffer): void {
    const { broker, address, limits, clock, counters, admit, onEnded, onConnection } = this.#init;
    if (decodeFrame(payload, this.#keys.fromDialler) === undefined) {
      counters.forged++;
      return;
    }
    if (!admit()) {
      counters.greetingsRefused++;
      this.drop();
      return;
    }
    this.#patience?.cancel();
    this.#events.onSettled();
    counters.accepted++;
    const session = new MqttSession({
      broker,
      localAddress: mqttAddressText(address),
      remoteAddress: mqttAddressText({ ...address, id: sessionText(this.#hello.sessionId) }),
      sendTopic: this.#topics.dialler,
      sendTagger: this.#keys.fromListener,
      receiveTagger: this.#keys.fromDialler,
      limits,
      clock,
      counters,
      confirms: false,
      onEnded,
      release: () => this.#forget(),
    });
    this.#session = session;
    onConnection(session);
    session.onMessage(payload);
  }

  #forget(): void {
    this.#init.broker.unsubscribe(this.#topics.listener, this);
    this.#events.onForgotten();
  }
}
