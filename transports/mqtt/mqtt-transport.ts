import {
  type AgreementKey,
  type Clock,
  type Connection,
  type DialOptions,
  type EndpointAddress,
  PipevineError,
  type Random,
  type Transport,
  type TransportListener,
} from '@pipevine/runtime';
import { watchDial } from '../dial-deadline.ts';
import { nodeClock } from '../node/node-clock.ts';
import { nodeCrypto } from '../node/node-crypto.ts';
import { nodeRandom } from '../node/node-random.ts';
import { BrokerConnection } from './broker-connection.ts';
import { brokerText, type MqttAddress, mqttAddressText, parseBroker, parseMqttAddress } from './mqtt-address.ts';
import { MqttListener } from './mqtt-listener.ts';
import {
  type BrokerLogin,
  MQTT_DEFAULTS,
  type MqttCounters,
  type MqttLimits,
  type MqttTransportInit,
  noMqttCounts,
} from './mqtt-options.ts';
import { FIRST_LIMIT_BYTES } from './send-window.ts';
import { SessionDial } from './session-dial.ts';
import { listenerId } from './session-keys.ts';

export interface MqttTransport extends Transport {
  readonly counters: Readonly<MqttCounters>;
}

/**
 * Connections through a broker that both peers reach: `mqtt://broker:1883/PREFIX` and `mqtts://`. Listening adds `#ID`,
 * which names the listener's key. `docs/protocol/mqtt-transport.md` is the protocol.
 */
export function mqttTransport(init: MqttTransportInit = {}): MqttTransport {
  return new BrokeredTransport(init);
}

class BrokeredTransport implements MqttTransport {
  readonly schemes: readonly string[] = ['mqtt', 'mqtts'];
  readonly counters: MqttCounters = noMqttCounts();
  readonly #limits: MqttLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logins: ReadonlyMap<string, BrokerLogin>;
  readonly #seed: Uint8Array;
  readonly #brokers = new Map<string, BrokerConnection>();
  readonly #listening = new Set<EndpointAddress>();
  readonly #onListenWaits: MqttTransportInit['onListenWaits'];

  constructor(init: MqttTransportInit) {
    this.#limits = checked({ ...MQTT_DEFAULTS, ...init.limits });
    this.#clock = init.clock ?? nodeClock;
    this.#random = init.random ?? nodeRandom;
    this.#logins = new Map([...(init.logins ?? [])].map(([broker, login]) => [parseBroker(broker), login]));
    this.#onListenWaits = init.onListenWaits;
    this.#seed = init.listenerSeed ?? this.#random.bytes(32);
    if (this.#seed.length !== 32) {
      throw new PipevineError('invalid-argument', `listenerSeed has 32 bytes, not ${this.#seed.length}.`);
    }
  }

  async dial(text: EndpointAddress, options?: DialOptions): Promise<Connection> {
    const parsed = parseMqttAddress(text);
    const { id } = parsed;
    if (id === undefined) {
      throw new PipevineError(
        'invalid-address',
        `${text} names no listener: dial the address that listening returned.`,
      );
    }
    return new Promise((resolve, reject) => {
      const give = (error: PipevineError): void => {
        watch.settle();
        dial?.cancel();
        reject(error);
      };
      let dial: SessionDial | undefined;
      const watch = watchDial(this.#clock, text, options, give);
      if (!this.#admit()) {
        give(overloaded(`${this.#limits.maxSessions} sessions are open through brokers; close some first.`));
        return;
      }
      let broker: BrokerConnection;
      try {
        broker = this.#broker(parsed);
      } catch (error) {
        this.#release();
        watch.settle();
        throw error;
      }
      dial = new SessionDial({
        address: { ...parsed, id },
        broker,
        sessionId: this.#random.bytes(16),
        key: nodeCrypto.agreementKey(this.#random.bytes(32)),
        limits: this.#limits,
        clock: this.#clock,
        counters: this.counters,
        onSession: (session) => {
          watch.settle();
          resolve(session);
        },
        onFailed: give,
        onEnded: () => this.#release(),
      });
      dial.begin().catch((error: PipevineError) => give(undialled(text, error)));
    });
  }

  async listen(text: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const parsed = parseMqttAddress(text);
    const key = this.#listenerKey(parsed);
    const id = listenerId(key.publicKey);
    if (parsed.id !== undefined && parsed.id !== id) {
      throw new PipevineError(
        'invalid-address',
        `${text} names another listener: its id comes from its key. Listen on ${mqttAddressText({ ...parsed, id: undefined })}.`,
      );
    }
    const address = { ...parsed, id };
    const own = mqttAddressText(address);
    if (this.#listening.has(own)) {
      throw new PipevineError('address-in-use', `${own} is listened on by this peer already.`);
    }
    this.#listening.add(own);
    try {
      const listener = new MqttListener({
        address,
        key,
        broker: this.#broker(parsed),
        limits: this.#limits,
        clock: this.#clock,
        counters: this.counters,
        admit: () => this.#admit(),
        onEnded: () => this.#release(),
        onConnection,
      });
      const onWaits = this.#onListenWaits;
      if (onWaits === undefined) await listener.begin();
      else listener.beginInTime((error) => onWaits(own, error));
      return {
        addresses: [own],
        close: async () => {
          listener.close();
          this.#listening.delete(own);
        },
      };
    } catch (error) {
      this.#listening.delete(own);
      throw error;
    }
  }

  /** One key for each broker and prefix, so that a listener's address says nothing of the peer's other addresses. */
  #listenerKey(place: MqttAddress): AgreementKey {
    const info = Buffer.from(`pipevine/1 mqtt listener ${mqttAddressText({ ...place, id: undefined })}`);
    return nodeCrypto.agreementKey(nodeCrypto.hkdfSha256(this.#seed, new Uint8Array(0), info, 32));
  }

  #broker(address: MqttAddress): BrokerConnection {
    const name = brokerText(address);
    const known = this.#brokers.get(name);
    if (known !== undefined) return known;
    if (this.#brokers.size >= this.#limits.maxBrokers) {
      throw overloaded(`${this.#limits.maxBrokers} brokers are in use; ${name} would be one more.`);
    }
    const broker = new BrokerConnection({
      broker: address,
      login: this.#logins.get(name) ?? {},
      limits: this.#limits,
      clock: this.#clock,
      random: this.#random,
      counters: this.counters,
      onClosed: () => {
        if (this.#brokers.get(name) === broker) this.#brokers.delete(name);
      },
    });
    this.#brokers.set(name, broker);
    return broker;
  }

  #admit(): boolean {
    if (this.counters.open >= this.#limits.maxSessions) return false;
    this.counters.open++;
    return true;
  }

  #release(): void {
    this.counters.open--;
  }
}

function overloaded(what: string): PipevineError {
  return new PipevineError('overloaded', what);
}

/** A dial has one way to say that the broker is the obstacle. */
function undialled(address: EndpointAddress, error: PipevineError): PipevineError {
  return new PipevineError('unreachable', `${address} cannot be reached through its broker: ${error.message}`, {
    cause: error,
  });
}

function checked(limits: MqttLimits): MqttLimits {
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0)) throw new PipevineError('invalid-argument', `limits.${name} is above 0, not ${value}.`);
  }
  if (limits.frameBytes > 65_000) {
    throw new PipevineError('invalid-argument', `limits.frameBytes is at most 65000, not ${limits.frameBytes}.`);
  }
  if (limits.receiveBytes < FIRST_LIMIT_BYTES) {
    throw new PipevineError(
      'invalid-argument',
      `limits.receiveBytes is at least ${FIRST_LIMIT_BYTES}, not ${limits.receiveBytes}.`,
    );
  }
  return limits;
}
