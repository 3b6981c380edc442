import type { Duplex } from 'node:stream';
import { type Clock, PipevineError, type Random, type Timer } from '@pipevine/runtime';
import type { MqttClient } from 'mqtt';
import { type BrokerPlace, openBrokerStream } from './broker-stream.ts';
import { parseBrokerUrl } from './broker-url.ts';
import { type ConnectionEnd, describeEnd, isWrongLogin, mayBeWrongVersion } from './connection-failure.ts';
import { MQTT_CONNECTION_DEFAULTS, type MqttConnectionLimits } from './mqtt-connection-limits.ts';
import { PublishWindow } from './publish-window.ts';
import type { ScreenedStream } from './screened-stream.ts';
import { SubscriptionFlow } from './subscription-flow.ts';
import { SubscriptionTable } from './subscription-table.ts';
import { topicNameFault } from './topic.ts';

/** Bytes of a PUBLISH besides its payload: a topic of 64 KiB and properties. */
const PACKET_OVERHEAD_BYTES = 80 * 1_024;
const TOPIC_LIMITS = { maxTopicLevels: 128, maxTopicBytes: 65_535 };

export interface MqttConnectionInit {
  readonly clock: Clock;
  readonly random: Random;
  /** `mqtt://user@host:1883` or `mqtts://user@host:8883`. */
  readonly url?: string;
  /** Instead of `url`: opens a stream to a broker in this process. */
  readonly openStream?: () => Duplex;
  readonly password?: string;
  /** PEM text of the authority that signed the broker's certificate; absent: those that Node trusts. */
  readonly ca?: string;
  readonly onMessage: (topic: string, payload: Uint8Array, flags: { readonly retain: boolean }) => void;
  /** Called after each change of `state` and of `filtersRefused`. */
  readonly onStatus?: (status: MqttConnectionStatus) => void;
  readonly limits?: Partial<MqttConnectionLimits>;
}

export interface MqttConnectionStatus {
  /** `waiting`: for the next attempt. */
  readonly state: 'connecting' | 'connected' | 'waiting' | 'closed';
  readonly broker: string;
  /** 5 or 4 (that is 3.1.1). */
  readonly protocolVersion: number;
  /** Wall time since which `state` holds, in milliseconds. */
  readonly sinceMs: number;
  /** Attempts since the last connection. */
  readonly attempts: number;
  readonly connections: number;
  readonly lastError: string | null;
  readonly filters: number;
  readonly filtersPending: number;
  readonly filtersRefused: number;
  readonly received: number;
  readonly receivedTooLarge: number;
  /** Messages whose handler threw: a defect. */
  readonly receivedFailed: number;
  readonly published: number;
  readonly publishesOverloaded: number;
  /** Publishes that the broker refused, or had not acknowledged when the connection, the time or the caller's patience ended. */
  readonly publishesUnacknowledged: number;
  readonly inFlight: number;
}

export interface PublishOptions {
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

interface Attempt {
  readonly version: 4 | 5;
  stream: ScreenedStream | undefined;
  client: MqttClient | undefined;
  deadline: Timer | undefined;
  opened: boolean;
  accepted: boolean;
  error: Error | undefined;
  reasonCode: number | undefined;
}

/** A connection that the broker has accepted. */
interface Session {
  readonly attempt: Attempt;
  readonly client: MqttClient;
  readonly stream: ScreenedStream;
  readonly window: PublishWindow;
  readonly flow: SubscriptionFlow;
  readonly sinceMonotonicMs: number;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: Attempt }
  | { readonly kind: 'connected'; readonly attempt: Attempt; readonly session: Session }
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'closed' };

/** For the broker to take the DISCONNECT. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * One connection to a broker for all devices. It begins a clean session each time and comes back by itself, for ever; what
 * is subscribed is subscribed again. Messages come with QoS 0: the transport is reliable while it lasts, a clean session
 * keeps nothing beyond it, and brokers drop QoS 1 messages when thousands of retained ones come at once.
 */
export class MqttConnection {
  readonly #init: MqttConnectionInit;
  readonly #limits: MqttConnectionLimits;
  readonly #place: BrokerPlace;
  readonly #clientId: string;
  readonly #table: SubscriptionTable;
  readonly #counters = {
    received: 0,
    receivedTooLarge: 0,
    receivedFailed: 0,
    published: 0,
    publishesOverloaded: 0,
    publishesUnacknowledged: 0,
  };
  #state: State = { kind: 'idle' };
  #sinceMs: number;
  #version: 4 | 5 = 5;
  #attempts = 0;
  #backoffStep = 0;
  #connections = 0;
  #lastError: string | undefined;

  /** Throws `invalid-argument` for a bad URL. Nothing is opened before `start`. */
  constructor(init: MqttConnectionInit) {
    this.#init = init;
    this.#limits = { ...MQTT_CONNECTION_DEFAULTS, ...init.limits };
    this.#place = placeOf(init);
    const suffix = [...init.random.bytes(6)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    this.#clientId = `pipevine-${suffix}`;
    const { maxFilters, batchFilters } = this.#limits;
    this.#table = new SubscriptionTable({ maxFilters, batchFilters, batchBytes: 65_536 });
    this.#sinceMs = init.clock.wallMs();
  }

  get connected(): boolean {
    return this.#state.kind === 'connected';
  }

  /** Begins to connect; it is `status` and `onStatus` that say how that goes. */
  start(): void {
    if (this.#state.kind === 'idle') this.#connect();
  }

  status(): MqttConnectionStatus {
    const { kind } = this.#state;
    return {
      state: kind === 'idle' ? 'waiting' : kind,
      broker: this.#brokerName,
      protocolVersion: this.#version,
      sinceMs: this.#sinceMs,
      attempts: this.#attempts,
      connections: this.#connections,
      lastError: this.#lastError ?? null,
      filters: this.#table.size,
      filtersPending: this.#table.pending,
      filtersRefused: this.#table.refused,
      ...this.#counters,
      inFlight: this.#session?.window.size ?? 0,
    };
  }

  /**
   * Resolves when the broker has acknowledged (QoS 1, the default) or when the message was written (QoS 0). Rejects with
   * `unreachable` at once when there is no connection, and when it is lost before the acknowledgement: then the message
   * may have arrived or not. Rejects with `overloaded`, `refused` (by the broker), `timeout`, `aborted`, `closed` or
   * `invalid-argument`.
   */
  async publish(topic: string, payload: Uint8Array | string, options: PublishOptions = {}): Promise<void> {
    const { qos = 1, retain = false, signal, timeoutMs = this.#limits.answerTimeoutMs } = options;
    const fault = topicNameFault(topic, TOPIC_LIMITS);
    if (fault !== undefined) {
      throw new PipevineError('invalid-argument', `MQTT: cannot publish to ${JSON.stringify(topic)}: it ${fault}`);
    }
    if (signal?.aborted === true) throw new PipevineError('aborted', `publishing to ${topic} was aborted`);
    if (this.#state.kind === 'closed') throw new PipevineError('closed', 'the MQTT connection is closed');
    const session = this.#session;
    if (session === undefined) {
      const because = this.#lastError === undefined ? '' : `: ${this.#lastError}`;
      throw new PipevineError('unreachable', `no connection to ${this.#brokerName}${because}`);
    }
    try {
      await session.window.publish({ topic, payload, qos, retain, signal, timeoutMs });
      this.#counters.published++;
    } catch (error) {
      if (error instanceof PipevineError && error.code === 'overloaded') this.#counters.publishesOverloaded++;
      else this.#counters.publishesUnacknowledged++;
      throw error;
    }
  }

  /** Counts one user more for each filter, and subscribes those that had none. Throws `overloaded`. */
  subscribe(filters: Iterable<string>): void {
    this.#table.add(filters);
    this.#session?.flow.flush();
  }

  unsubscribe(filters: Iterable<string>): void {
    this.#table.remove(filters);
    this.#session?.flow.flush();
  }

  /** Has the broker send again what it retains for filters that are subscribed. */
  refresh(filters: Iterable<string>): void {
    this.#table.refresh(filters);
    this.#session?.flow.flush();
  }

  /** Resolves when the broker has answered for every filter, or when the connection is lost or closed. */
  settled(): Promise<void> {
    return this.#session?.flow.settled() ?? Promise.resolve();
  }

  /**
   * Resolves when the broker has answered a question that changes nothing; messages that it had sent before have been
   * handed on by then. Brokers that send retained messages together with their SUBACK have sent them all. Resolves, too,
   * when the connection is lost or closed.
   */
  barrier(): Promise<void> {
    return this.#session?.flow.barrier(`pipevine/barrier/${this.#clientId}`) ?? Promise.resolve();
  }

  /** Idempotent. What is in flight fails with `closed`. */
  async close(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'closed') return;
    const session = this.#session;
    this.#setState({ kind: 'closed' });
    session?.window.fail(new PipevineError('closed', 'the MQTT connection was closed before the broker acknowledged'));
    session?.flow.end();
    if (state.kind === 'waiting') state.timer.cancel();
    if (state.kind !== 'connecting' && state.kind !== 'connected') return;
    const { client, stream, deadline } = state.attempt;
    deadline?.cancel();
    if (client !== undefined) {
      // With something unacknowledged mqtt.js would wait for it.
      const polite = session !== undefined && Object.keys(client.outgoing).length === 0;
      const patience = this.#init.clock.setTimer(CLOSE_TIMEOUT_MS, () => stream?.abort());
      await new Promise<void>((resolve) => client.end(!polite, () => resolve()));
      patience.cancel();
    }
    stream?.abort();
  }

  get #session(): Session | undefined {
    return this.#state.kind === 'connected' ? this.#state.session : undefined;
  }

  get #brokerName(): string {
    return this.#place.kind === 'network' ? this.#place.url.text : 'the embedded broker';
  }

  #setState(state: State): void {
    this.#state = state;
    this.#sinceMs = this.#init.clock.wallMs();
    this.#init.onStatus?.(this.status());
  }

  #connect(): void {
    const attempt: Attempt = {
      version: this.#version,
      client: undefined,
      stream: undefined,
      deadline: undefined,
      opened: false,
      accepted: false,
      error: undefined,
      reasonCode: undefined,
    };
    this.#attempts++;
    attempt.deadline = this.#init.clock.setTimer(this.#limits.connectTimeoutMs, () => {
      attempt.error ??= new PipevineError('timeout', `no answer within ${this.#limits.connectTimeoutMs} ms`);
      if (attempt.stream === undefined) this.#ended(attempt);
      else attempt.stream.abort();
    });
    this.#setState({ kind: 'connecting', attempt });
    // mqtt.js is loaded when the first connection is made: it costs memory and time at the start.
    import('mqtt').then(
      ({ MqttClient: Client }) => {
        if (this.#isCurrent(attempt)) this.#open(attempt, Client);
      },
      (error: Error) => {
        attempt.error = error;
        this.#ended(attempt);
      },
    );
  }

  #isCurrent(attempt: Attempt): boolean {
    const state = this.#state;
    return (state.kind === 'connecting' || state.kind === 'connected') && state.attempt === attempt;
  }

  #open(attempt: Attempt, Client: typeof MqttClient): void {
    const { maxPayloadBytes, keepAliveSeconds, connectTimeoutMs } = this.#limits;
    const maxPacketBytes = maxPayloadBytes + PACKET_OVERHEAD_BYTES;
    let stream: ScreenedStream;
    try {
      stream = openBrokerStream({
        place: this.#place,
        maxPacketBytes,
        onOpened: () => {
          attempt.opened = true;
        },
        onTooLarge: () => {
          this.#counters.receivedTooLarge++;
        },
      });
    } catch (error) {
      attempt.error = error instanceof Error ? error : new Error(String(error));
      this.#ended(attempt);
      return;
    }
    attempt.stream = stream;
    stream.on('error', (error) => {
      attempt.error ??= error;
    });
    const username = this.#place.kind === 'network' ? this.#place.url.username : undefined;
    const client = new Client(() => stream, {
      clientId: this.#clientId,
      clean: true,
      protocolVersion: attempt.version,
      keepalive: keepAliveSeconds,
      connectTimeout: connectTimeoutMs + 1_000, // the deadline of the attempt comes first
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      reschedulePings: true,
      ...(username === undefined ? {} : { username }),
      ...(this.#init.password === undefined ? {} : { password: this.#init.password }),
      ...(attempt.version === 5 ? { properties: { maximumPacketSize: maxPacketBytes } } : {}),
    });
    attempt.client = client;
    client.on('error', (error) => {
      attempt.error ??= error;
      if ('code' in error && typeof error.code === 'number') attempt.reasonCode ??= error.code;
      stream.abort();
    });
    client.on('disconnect', (packet) => {
      attempt.error ??= new Error(`the broker ended the connection, reason code ${packet.reasonCode ?? 0}`);
    });
    client.on('connect', () => this.#up(attempt, client, stream));
    client.on('message', (topic, payload, packet) => this.#receive(topic, payload, packet.retain));
    client.once('close', () => {
      client.end(true);
      this.#ended(attempt);
    });
  }

  #up(attempt: Attempt, client: MqttClient, stream: ScreenedStream): void {
    if (!this.#isCurrent(attempt)) return;
    attempt.deadline?.cancel();
    attempt.accepted = true;
    this.#attempts = 0;
    this.#connections++;
    this.#lastError = undefined;
    this.#table.reset();
    const { clock } = this.#init;
    const { maxInFlight, maxInFlightBytes, answerTimeoutMs } = this.#limits;
    const abort = () => stream.abort();
    const session: Session = {
      attempt,
      client,
      stream,
      window: new PublishWindow({
        clock,
        client,
        broker: this.#brokerName,
        maxInFlight,
        maxInFlightBytes,
        queuedBytes: () => stream.queuedBytes,
        abort,
      }),
      flow: new SubscriptionFlow({
        clock,
        client,
        table: this.#table,
        answerTimeoutMs,
        onRefused: (filters) => {
          this.#lastError =
            `the broker refused the subscription of ${filters.length} filters, ${filters[0]} the first: ` +
            'check its access rules';
          this.#init.onStatus?.(this.status());
        },
        abort: (reason) => {
          attempt.error ??= reason;
          abort();
        },
      }),
      sinceMonotonicMs: clock.monotonicMs(),
    };
    this.#setState({ kind: 'connected', attempt, session });
    session.flow.flush();
  }

  #receive(topic: string, payload: Uint8Array, retain: boolean): void {
    if (this.#state.kind === 'closed') return;
    if (payload.length > this.#limits.maxPayloadBytes) {
      this.#counters.receivedTooLarge++;
      return;
    }
    this.#counters.received++;
    try {
      this.#init.onMessage(topic, payload, { retain });
    } catch (error) {
      // One message must not end the connection of all devices.
      this.#counters.receivedFailed++;
      this.#lastError = `handling a message of ${topic} failed: ${error instanceof Error ? error.message : error}`;
    }
  }

  #ended(attempt: Attempt): void {
    attempt.deadline?.cancel();
    if (!this.#isCurrent(attempt)) return;
    const { clock, random } = this.#init;
    const { minBackoffMs, maxBackoffMs, stableMs } = this.#limits;
    const session = this.#session;
    if (session !== undefined && clock.monotonicMs() - session.sinceMonotonicMs >= stableMs) this.#backoffStep = 0;
    const end: ConnectionEnd = attempt;
    const url = this.#place.kind === 'network' ? this.#place.url : undefined;
    this.#lastError = describeEnd(end, { host: url?.host, username: url?.username });
    const otherVersion = mayBeWrongVersion(end);
    if (otherVersion) this.#version = attempt.version === 5 ? 4 : 5;
    const grown = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(this.#backoffStep, 16));
    this.#backoffStep++;
    // A wrong password does not become right by asking often; the older protocol is tried at once.
    const pauseMs = isWrongLogin(end) ? maxBackoffMs : otherVersion && this.#version === 4 ? minBackoffMs / 4 : grown;
    const timer = clock.setTimer(pauseMs * (0.75 + 0.5 * random.fraction()), () => this.#connect());
    this.#setState({ kind: 'waiting', timer });
    session?.window.fail(
      new PipevineError(
        'unreachable',
        `the connection to ${this.#brokerName} was lost before it acknowledged: the message may have arrived or not`,
        { cause: attempt.error },
      ),
    );
    session?.flow.end();
  }
}

function placeOf({ url, ca, openStream }: MqttConnectionInit): BrokerPlace {
  if (url !== undefined && openStream === undefined) return { kind: 'network', url: parseBrokerUrl(url), ca };
  if (url === undefined && openStream !== undefined) return { kind: 'in-process', openStream };
  throw new PipevineError('invalid-argument', 'MQTT connection: expected either `url` or `openStream`');
}
