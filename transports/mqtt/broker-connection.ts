import { connect as connectTcp, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type Clock, PipevineError, type Random, type Timer } from '@pipevine/runtime';
import type { MqttClient } from 'mqtt';
import { brokerFailure } from './broker-failure.ts';
import { brokerText, type MqttAddress } from './mqtt-address.ts';
import type { BrokerLogin, MqttCounters, MqttLimits } from './mqtt-options.ts';
import { PacketFilter, PacketGuard } from './packet-guard.ts';

/** Topic and fixed parts of a PUBLISH besides a frame. */
const TOPIC_ROOM_BYTES = 1024;
/** Topics in one SUBSCRIBE after a reconnection: a packet of some 12 KiB. */
const TOPICS_A_PACKET = 64;

/** Whoever listens on one topic. */
export interface Subscriber {
  onMessage(payload: Buffer): void;
  /** The broker takes messages. `resubscribed`: and what came on the topic before is lost. */
  onReady(resubscribed: boolean): void;
  /** The broker refuses the topic, or has been away for `brokerAwayMs` (a listener waits on). */
  onLost(error: PipevineError): void;
}

export interface BrokerConnectionInit {
  readonly broker: MqttAddress;
  readonly login: BrokerLogin;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: MqttCounters;
  /** Nobody has used it for `lingerMs`; it is closed. */
  readonly onClosed: () => void;
}

interface Attempt {
  client: MqttClient | undefined;
  stream: Duplex | undefined;
  deadline: Timer | undefined;
}

type State =
  | { readonly kind: 'idle' }
  | { kind: 'connecting' | 'connected'; attempt: Attempt }
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'closed' };

/**
 * One connection to one broker for all listeners and sessions of a transport. It is a clean session each time, comes back
 * by itself while somebody uses it, and subscribes again what was subscribed. Messages go with QoS 0: sessions have their
 * own acknowledgements from end to end, which those of a broker could not replace.
 */
export class BrokerConnection {
  readonly #init: BrokerConnectionInit;
  readonly #name: string;
  readonly #subscribers = new Map<string, Subscriber>();
  #waiters: { resolve: () => void; reject: (error: PipevineError) => void }[] = [];
  #state: State = { kind: 'idle' };
  #failures = 0;
  #holding = false;
  #away: Timer | undefined;
  #linger: Timer | undefined;

  constructor(init: BrokerConnectionInit) {
    this.#init = init;
    this.#name = brokerText(init.broker);
  }

  /** Whether messages go out now. */
  get writable(): boolean {
    return this.#state.kind === 'connected' && !this.#holding;
  }

  /** Resolves when the broker has accepted a connection; rejects with `unreachable` when the attempt under way fails. */
  connected(): Promise<void> {
    if (this.#state.kind === 'connected') return Promise.resolve();
    if (this.#state.kind === 'closed') return Promise.reject(brokerFailure(this.#name, undefined));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#state.kind === 'waiting') this.#state.timer.cancel();
      if (this.#state.kind === 'waiting' || this.#state.kind === 'idle') this.#connect();
    });
  }

  /** Resolves when the broker has confirmed. Rejects with `permission-denied`, or `unreachable` without a connection. */
  async subscribe(topic: string, subscriber: Subscriber): Promise<void> {
    this.#subscribers.set(topic, subscriber);
    this.#linger?.cancel();
    try {
      await this.connected();
      const asked = this.#state;
      await this.#askFor([topic]).catch(async (error: PipevineError) => {
        // A connection that turned out to be dead is replaced, once.
        if (error.code !== 'unreachable' || this.#state === asked) throw error;
        await this.connected();
        await this.#askFor([topic]);
      });
    } catch (error) {
      this.unsubscribe(topic, subscriber);
      throw error;
    }
  }

  /** The same, and a broker that cannot be reached is tried until it can. Settles with the first attempt. */
  async subscribeInTime(topic: string, subscriber: Subscriber): Promise<void> {
    this.#subscribers.set(topic, subscriber);
    this.#linger?.cancel();
    await this.connected();
    await this.#askFor([topic]);
  }

  /** Forgets the topic, if it is still this subscriber's. */
  unsubscribe(topic: string, subscriber: Subscriber): void {
    if (this.#subscribers.get(topic) !== subscriber) return;
    this.#subscribers.delete(topic);
    if (this.#state.kind === 'connected') this.#state.attempt.client?.unsubscribe(topic, () => undefined);
    if (this.#subscribers.size > 0) return;
    this.#linger?.cancel();
    this.#linger = this.#init.clock.setTimer(this.#init.limits.lingerMs, () => this.#close());
  }

  /** Sends one message, or drops it while there is no connection. Never retained. */
  publish(topic: string, payload: Buffer): void {
    if (this.#state.kind !== 'connected') return;
    const { client, stream } = this.#state.attempt;
    client?.publish(topic, payload, { qos: 0, retain: false }, () => undefined);
    this.#holding ||= (stream?.writableLength ?? 0) >= this.#init.limits.brokerQueueBytes;
  }

  #connect(): void {
    const { clock, limits } = this.#init;
    const attempt: Attempt = { client: undefined, stream: undefined, deadline: undefined };
    attempt.deadline = clock.setTimer(limits.connectMs, () =>
      this.#ended(attempt, new PipevineError('timeout', `no answer within ${limits.connectMs} ms`)),
    );
    this.#state = { kind: 'connecting', attempt };
    // mqtt.js is loaded when a broker is first used: it costs an idle peer too much memory.
    import('mqtt').then(
      ({ MqttClient: Client }) => {
        if (this.#isCurrent(attempt)) this.#open(attempt, Client);
      },
      (error: Error) => this.#ended(attempt, error),
    );
  }

  #open(attempt: Attempt, Client: typeof MqttClient): void {
    const { broker, login, limits, random, counters } = this.#init;
    const { host, port } = broker;
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = broker.tls
      ? connectTls({ host, port, ...servername, ...(login.ca === undefined ? {} : { ca: login.ca }) })
      : connectTcp({ host, port, noDelay: true });
    const filter = new PacketFilter(limits.frameBytes + TOPIC_ROOM_BYTES, () => {
      counters.tooLarge++;
    });
    const stream = new PacketGuard(socket, filter);
    const client = new Client(() => stream, {
      clientId: `pv${Buffer.from(random.bytes(10)).toString('hex')}`,
      clean: true,
      protocolVersion: 4,
      keepalive: limits.keepAliveSeconds,
      connectTimeout: limits.connectMs + 1000, // The deadline of the attempt comes first.
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      reschedulePings: false, // A link that only sends would never notice a dead broker.
      ...(login.username === undefined ? {} : { username: login.username }),
      ...(login.password === undefined ? {} : { password: login.password }),
    });
    attempt.client = client;
    attempt.stream = stream;
    let failure: Error | undefined;
    const note = (error: Error): void => {
      failure ??= error;
    };
    stream.on('error', note);
    client.on('error', (error) => {
      note(error);
      stream.destroy();
    });
    client.on('connect', () => this.#accepted(attempt));
    client.on('message', (topic, payload, packet) => {
      if (packet.retain) counters.retained++;
      else this.#subscribers.get(topic)?.onMessage(payload);
    });
    stream.on('drain', () => this.#drained(attempt));
    stream.on('close', () => this.#ended(attempt, failure));
  }

  #isCurrent(attempt: Attempt): boolean {
    const state = this.#state;
    return (state.kind === 'connecting' || state.kind === 'connected') && state.attempt === attempt;
  }

  #accepted(attempt: Attempt): void {
    if (!this.#isCurrent(attempt)) return;
    attempt.deadline?.cancel();
    this.#init.counters.brokerConnections++;
    this.#state = { kind: 'connected', attempt };
    this.#holding = false;
    this.#failures = 0;
    this.#away?.cancel();
    this.#away = undefined;
    const again = [...this.#subscribers.keys()];
    for (const { resolve } of this.#waiters.splice(0)) resolve();
    for (let at = 0; at < again.length; at += TOPICS_A_PACKET) {
      // A new subscriber asks for its topic itself, after this; asking twice does no harm.
      this.#askFor(again.slice(at, at + TOPICS_A_PACKET)).catch(() => undefined);
    }
  }

  #drained(attempt: Attempt): void {
    if (!this.#holding || !this.#isCurrent(attempt)) return;
    this.#holding = false;
    for (const subscriber of [...this.#subscribers.values()]) subscriber.onReady(false);
  }

  async #askFor(topics: readonly string[]): Promise<void> {
    const { client } = this.#state.kind === 'connected' ? this.#state.attempt : { client: undefined };
    if (client === undefined) throw brokerFailure(this.#name, undefined);
    const refused = await new Promise<Set<string>>((resolve, reject) => {
      client.subscribe([...topics], { qos: 0 }, (error, granted, packet) => {
        const codes = packet?.granted ?? granted?.map(({ qos }) => qos) ?? [];
        const denied = new Set(topics.filter((_, index) => Number(codes[index] ?? 0) >= 128));
        if (error !== null && denied.size === 0) reject(brokerFailure(this.#name, error));
        else resolve(denied);
      });
    });
    for (const topic of topics) {
      if (!refused.has(topic)) this.#subscribers.get(topic)?.onReady(true);
      else this.#subscribers.get(topic)?.onLost(this.#denied(topic));
    }
    const [first] = refused;
    if (first !== undefined && topics.length === 1) throw this.#denied(first);
  }

  #denied(topic: string): PipevineError {
    return new PipevineError(
      'permission-denied',
      `${this.#name} does not let this login subscribe to "${topic}". Allow it, or use a prefix that is allowed.`,
    );
  }

  #ended(attempt: Attempt, cause: Error | undefined): void {
    if (!this.#isCurrent(attempt)) return;
    const { clock, limits, random } = this.#init;
    attempt.deadline?.cancel();
    this.#failures++;
    const failure = brokerFailure(this.#name, cause);
    if (this.#subscribers.size > 0) {
      this.#away ??= clock.setTimer(limits.brokerAwayMs, () => this.#awayTooLong(failure));
    }
    const longestMs = Math.min(limits.backoffMaxMs, limits.backoffFirstMs * 2 ** Math.min(this.#failures - 1, 20));
    const timer = clock.setTimer(longestMs * (0.5 + random.fraction() / 2), () => {
      if (this.#subscribers.size > 0) this.#connect();
      else this.#close();
    });
    this.#state = { kind: 'waiting', timer };
    attempt.client?.end(true);
    attempt.stream?.destroy();
    for (const { reject } of this.#waiters.splice(0)) reject(failure);
  }

  #awayTooLong(failure: PipevineError): void {
    this.#away = undefined;
    for (const subscriber of [...this.#subscribers.values()]) subscriber.onLost(failure);
  }

  #close(): void {
    if (this.#subscribers.size > 0 || this.#waiters.length > 0 || this.#state.kind === 'closed') return;
    const state = this.#state;
    this.#state = { kind: 'closed' };
    this.#away?.cancel();
    if (state.kind === 'waiting') state.timer.cancel();
    if (state.kind === 'connecting' || state.kind === 'connected') {
      const { client, stream, deadline } = state.attempt;
      deadline?.cancel();
      if (client === undefined) stream?.destroy();
      else client.end(state.kind !== 'connected', () => stream?.destroy());
    }
    this.#init.onClosed();
  }
}
