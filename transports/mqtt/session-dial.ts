import type { AgreementKey, Clock, PipevineError, Timer } from '@pipevine/runtime';
import type { BrokerConnection, Subscriber } from './broker-connection.ts';
import { type MqttAddress, mqttAddressText } from './mqtt-address.ts';
import type { MqttCounters, MqttLimits } from './mqtt-options.ts';
import { MqttSession } from './mqtt-session.ts';
import { encodeHello, isWelcomeOf, welcomeKey } from './session-frame.ts';
import { listenerId, sessionKeys } from './session-keys.ts';
import { greetingTopic, sessionText, sessionTopics } from './session-topics.ts';

/** A greeting is repeated after this long at first, then after twice as long each time. */
const FIRST_REPEAT_MS = 500;

export interface SessionDialInit {
  readonly address: MqttAddress & { readonly id: string };
  readonly broker: BrokerConnection;
  readonly sessionId: Uint8Array;
  /** Fresh for this session. */
  readonly key: AgreementKey;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly counters: MqttCounters;
  readonly onSession: (session: MqttSession) => void;
  readonly onFailed: (error: PipevineError) => void;
  readonly onEnded: () => void;
}

/** Greets a listener until it answers; then what comes on the topic is the session's. */
export class SessionDial implements Subscriber {
  readonly #init: SessionDialInit;
  readonly #topics: { readonly dialler: string; readonly listener: string };
  #state: { kind: 'greeting' } | { kind: 'session'; session: MqttSession } | { kind: 'over' } = { kind: 'greeting' };
  #greeted = false;
  #repeat: Timer | undefined;

  constructor(init: SessionDialInit) {
    this.#init = init;
    this.#topics = sessionTopics(init.address.prefix, init.sessionId);
  }

  /** Rejects with `unreachable` or `permission-denied`; afterwards `onSession` or `onFailed` is called, or neither. */
  begin(): Promise<void> {
    return this.#init.broker.subscribe(this.#topics.dialler, this);
  }

  /** The dial is not wanted any more. A listener that has answered already forgets it, unconfirmed. */
  cancel(): void {
    if (this.#state.kind !== 'greeting') return;
    this.#state = { kind: 'over' };
    this.#repeat?.cancel();
    this.#init.broker.unsubscribe(this.#topics.dialler, this);
    this.#init.onEnded();
  }

  onReady(resubscribed: boolean): void {
    if (this.#state.kind === 'session') this.#state.session.onReady(resubscribed);
    else if (this.#state.kind === 'greeting' && !this.#greeted) this.#greet(FIRST_REPEAT_MS);
  }

  onLost(error: PipevineError): void {
    if (this.#state.kind === 'session') this.#state.session.onLost(error);
    else if (this.#state.kind === 'greeting') {
      this.cancel();
      this.#init.onFailed(error);
    }
  }

  onMessage(payload: Buffer): void {
    if (this.#state.kind === 'session') this.#state.session.onMessage(payload);
    else if (this.#state.kind === 'greeting') this.#welcomed(payload);
  }

  #greet(repeatMs: number): void {
    const { address, broker, sessionId, key, clock } = this.#init;
    this.#greeted = true;
    broker.publish(greetingTopic(address.prefix, address.id), encodeHello({ sessionId, publicKey: key.publicKey }));
    this.#repeat = clock.setTimer(repeatMs, () => this.#greet(repeatMs * 2));
  }

  #welcomed(payload: Buffer): void {
    const { address, broker, sessionId, key, limits, clock, counters, onSession, onEnded } = this.#init;
    const listenerKey = welcomeKey(payload);
    // Only the key that the address was made of will do: nobody else on the broker can answer in the listener's place.
    const shared =
      listenerKey !== undefined && listenerId(listenerKey) === address.id ? key.agree(listenerKey) : undefined;
    if (listenerKey === undefined || shared === undefined) {
      counters.forged++;
      return;
    }
    const keys = sessionKeys(shared, sessionId, key.publicKey, listenerKey);
    if (!isWelcomeOf(payload, keys.fromListener)) {
      counters.forged++;
      return;
    }
    this.#repeat?.cancel();
    counters.dialled++;
    const session = new MqttSession({
      broker,
      localAddress: mqttAddressText({ ...address, id: sessionText(sessionId) }),
      remoteAddress: mqttAddressText(address),
      sendTopic: this.#topics.listener,
      sendTagger: keys.fromDialler,
      receiveTagger: keys.fromListener,
      limits,
      clock,
      counters,
      confirms: true,
      onEnded,
      release: () => broker.unsubscribe(this.#topics.dialler, this),
    });
    this.#state = { kind: 'session', session };
    onSession(session);
  }
}
