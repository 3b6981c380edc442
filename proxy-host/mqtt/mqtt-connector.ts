import { type Clock, type JsonValue, PipevineError, type Random, type Timer } from '@pipevine/runtime';
import type { Availability, Connector, ConnectorCallOptions, ConnectorHost } from '../connector.ts';
import { discoveryFilters, parseDiscoveryTopic } from '../home-assistant/discovery-topic.ts';
import {
  HomeAssistantMapping,
  type HomeAssistantMappingInit,
  type MappedCommand,
} from '../home-assistant/home-assistant-mapping.ts';
import type { MappingEffect } from '../home-assistant/mapping-effect.ts';
import type { EmbeddedBroker } from './embedded-broker.ts';
import { MqttConnection, type MqttConnectionStatus } from './mqtt-connection.ts';
import type { MqttConnectionLimits } from './mqtt-connection-limits.ts';
import { RetainedInventory } from './retained-inventory.ts';

const LOST_GRACE_MS = 10_000;
const RESYNC_GRACE_MS = 30_000;
const NO_BYTES = new Uint8Array(0);

/** A broker elsewhere. The password is given apart from the URL, which others may see. */
export interface RemoteBroker {
  /** `mqtt://user@host:1883` or `mqtts://user@host:8883`. */
  readonly url: string;
  readonly password?: string;
  /** PEM text of the authority that signed the broker's certificate. */
  readonly ca?: string;
}

export interface MqttConnectorInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly broker: RemoteBroker | EmbeddedBroker;
  /** How devices describe themselves: the prefix of their topics (default `homeassistant`), limits. */
  readonly discovery?: HomeAssistantMappingInit;
  /**
   * Publishes `online` on `<prefix>/status` after each connection, so that devices describe themselves again. The topic
   * belongs to Home Assistant: on a broker that it may use, ours would be a false report of its restart. So the default
   * is true for the embedded broker and false for any other.
   */
  readonly announcesBirth?: boolean;
  /** How long devices stay as they are when the broker is lost. Default: 10 s, in which a broker restarts. */
  readonly lostGraceMs?: number;
  /**
   * How long after a reconnection a retained description may take to come again before its device counts as removed.
   * Default: 30 s, as not every broker sends what it retains at once.
   */
  readonly resyncGraceMs?: number;
  readonly limits?: Partial<MqttConnectionLimits>;
  readonly onStatus?: (status: MqttConnectionStatus) => void;
}

type Reach =
  /** Devices are as the mapping says. */
  | { readonly kind: 'direct' }
  /** The connection was lost a short while ago. */
  | { readonly kind: 'grace'; readonly timer: Timer }
  /** Devices are `lost` until the broker has told their availability again. */
  | { readonly kind: 'lost' };

/**
 * Brings the devices that describe themselves on an MQTT broker to the proxy host, over one connection for all. While the
 * broker cannot be reached writes fail at once, and after a grace period its devices are `lost`; when it is back they are
 * what it says.
 */
export class MqttConnector implements Connector {
  readonly name = 'mqtt';
  readonly #init: MqttConnectorInit;
  readonly #prefix: string;
  readonly #mapping: HomeAssistantMapping;
  readonly #connection: MqttConnection;
  readonly #inventory = new RetainedInventory();
  /** Devices, and what the mapping said last of their availability. */
  readonly #devices = new Map<string, Availability | undefined>();
  readonly #topics = new Set<string>();
  #offsetMs: number;
  #lastRejection: string | undefined;
  #staleRemoved = 0;
  #filtersOverLimit = 0;
  #host: ConnectorHost | undefined;
  #reach: Reach = { kind: 'direct' };
  /** Counts connections, so that what waited for an earlier one knows that it is too late. */
  #generation = 0;
  #isConnected = false;
  #mappingTimer: { readonly timer: Timer; readonly atMs: number } | undefined;
  #resyncTimer: Timer | undefined;
  #closed = false;

  /** Throws `invalid-argument` for a bad broker URL. */
  constructor(init: MqttConnectorInit) {
    this.#init = init;
    const { broker, clock, random, limits, discovery } = init;
    this.#prefix = discovery?.prefix ?? 'homeassistant';
    this.#mapping = new HomeAssistantMapping({ ...discovery, prefix: this.#prefix });
    this.#offsetMs = clock.wallMs() - clock.monotonicMs();
    const where = 'url' in broker ? { ...broker } : { openStream: () => broker.connectInProcess() };
    this.#connection = new MqttConnection({
      clock,
      random,
      ...where,
      ...(limits === undefined ? {} : { limits }),
      onMessage: (topic, payload, { retain }) => this.#receive(topic, payload, retain),
      onStatus: (status) => this.#connectionChanged(status),
    });
  }

  /** Resolves at once: a broker that cannot be reached yet is tried for ever, and `status` says so. */
  async start(host: ConnectorHost): Promise<void> {
    if (this.#closed) throw new PipevineError('closed', 'the MQTT connector is closed');
    this.#host = host;
    this.#connection.subscribe(discoveryFilters(this.#prefix));
    this.#connection.start();
  }

  status(): { readonly [name: string]: JsonValue } {
    return {
      ...this.#connection.status(),
      ...this.#mappingStatus(),
      devices: this.#devices.size,
      reach: this.#reach.kind,
      staleRemoved: this.#staleRemoved,
      filtersOverLimit: this.#filtersOverLimit,
      lastRejection: this.#lastRejection ?? null,
    };
  }

  async write(key: string, property: string, value: JsonValue, options: ConnectorCallOptions = {}): Promise<void> {
    await this.#send(this.#mapping.write(key, property, value, this.#nowMs()), options);
  }

  async invoke(
    key: string,
    action: string,
    input: JsonValue | undefined,
    options: ConnectorCallOptions = {},
  ): Promise<JsonValue | undefined> {
    await this.#send(this.#mapping.invoke(key, action, input, this.#nowMs()), options);
    return undefined;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#mappingTimer?.timer.cancel();
    this.#resyncTimer?.cancel();
    if (this.#reach.kind === 'grace') this.#reach.timer.cancel();
    await this.#connection.close();
  }

  #mappingStatus(): { readonly [name: string]: JsonValue } {
    const { limits, rejected, ...counters } = this.#mapping.status();
    const counted = Object.entries(rejected).filter(([, count]) => count > 0);
    return { ...counters, rejected: Object.fromEntries(counted), limits: { ...limits } };
  }

  /**
   * Wall time for templates that does not step while something is due: a value must not expire because the clock of a
   * board was set.
   */
  #nowMs(): number {
    const { clock } = this.#init;
    if (this.#mapping.nextDeadlineMs() === undefined) this.#offsetMs = clock.wallMs() - clock.monotonicMs();
    return clock.monotonicMs() + this.#offsetMs;
  }

  /** Commands go with QoS 1 whatever the device asked for: the caller hears when the broker has taken them over. */
  async #send(command: MappedCommand, { signal }: ConnectorCallOptions): Promise<void> {
    for (const { topic, payload, retain } of command.publishes) {
      await this.#connection.publish(topic, payload, { qos: 1, retain, ...(signal === undefined ? {} : { signal }) });
    }
    this.#execute(command.optimistic);
  }

  #receive(topic: string, payload: Uint8Array, retained: boolean): void {
    if (parseDiscoveryTopic(this.#prefix, topic) !== undefined)
      this.#inventory.heard(topic, payload.length === 0, retained);
    this.#execute(this.#mapping.apply(topic, payload, this.#nowMs(), { retained }));
  }

  #execute(effects: readonly MappingEffect[]): void {
    if (this.#closed) return;
    for (const effect of effects) this.#carryOut(effect);
    this.#scheduleMapping();
  }

  #carryOut(effect: MappingEffect): void {
    const host = this.#host;
    switch (effect.kind) {
      case 'subscribe':
        this.#subscribe(effect.subscriptions.map((subscription) => subscription.topic));
        return;
      case 'unsubscribe':
        this.#connection.unsubscribe(effect.topics.filter((topic) => this.#topics.delete(topic)));
        return;
      case 'device': {
        const { key } = effect.device;
        const isNew = !this.#devices.has(key);
        if (isNew) this.#devices.set(key, undefined);
        host?.deviceAdded(effect.device);
        if (isNew && this.#reach.kind === 'lost') host?.availabilityChanged(key, 'lost');
        return;
      }
      case 'device-removed':
        this.#devices.delete(effect.key);
        host?.deviceRemoved(effect.key);
        return;
      case 'value':
        host?.valueChanged(effect.key, effect.property, effect.value);
        return;
      case 'event':
        host?.eventEmitted(effect.key, effect.event, effect.data);
        return;
      case 'availability':
        if (!this.#devices.has(effect.key)) return;
        this.#devices.set(effect.key, effect.availability);
        if (this.#reach.kind !== 'lost') host?.availabilityChanged(effect.key, effect.availability);
        return;
      case 'rejected':
        this.#lastRejection = `${effect.topic}: ${effect.reason}: ${effect.detail}`;
        return;
      case 'unknown-component':
        this.#lastRejection = `${effect.topic}: component ${effect.component} is not known and is shown raw`;
        return;
    }
  }

  /** A topic that is subscribed already is asked for again, as a new device wants what the broker retains for it. */
  #subscribe(topics: readonly string[]): void {
    const fresh = topics.filter((topic) => !this.#topics.has(topic));
    this.#connection.refresh(topics.filter((topic) => this.#topics.has(topic)));
    try {
      this.#connection.subscribe(fresh);
      for (const topic of fresh) this.#topics.add(topic);
    } catch (error) {
      this.#filtersOverLimit += fresh.length;
      this.#lastRejection = error instanceof Error ? error.message : String(error);
    }
  }

  #scheduleMapping(): void {
    const atMs = this.#mapping.nextDeadlineMs();
    if (atMs === this.#mappingTimer?.atMs) return;
    this.#mappingTimer?.timer.cancel();
    this.#mappingTimer = undefined;
    if (atMs === undefined || this.#closed) return;
    const timer = this.#init.clock.setTimer(Math.max(0, Math.ceil(atMs - this.#nowMs())), () => {
      this.#mappingTimer = undefined;
      this.#execute(this.#mapping.advance(this.#nowMs()));
    });
    this.#mappingTimer = { timer, atMs };
  }

  #connectionChanged(status: MqttConnectionStatus): void {
    const isConnected = status.state === 'connected';
    if (isConnected !== this.#isConnected && !this.#closed) {
      this.#isConnected = isConnected;
      if (isConnected) this.#connected();
      else this.#disconnected();
    }
    this.#init.onStatus?.(status);
  }

  #disconnected(): void {
    this.#generation++;
    this.#resyncTimer?.cancel();
    this.#resyncTimer = undefined;
    if (this.#reach.kind !== 'direct') return;
    const timer = this.#init.clock.setTimer(this.#init.lostGraceMs ?? LOST_GRACE_MS, () => {
      this.#reach = { kind: 'lost' };
      for (const key of this.#devices.keys()) this.#host?.availabilityChanged(key, 'lost');
    });
    this.#reach = { kind: 'grace', timer };
  }

  #connected(): void {
    const generation = ++this.#generation;
    this.#inventory.begin();
    this.#synchronise(generation).catch((error: unknown) => {
      this.#lastRejection = `synchronising failed: ${error instanceof Error ? error.message : error}`;
    });
  }

  /** Waits for what the broker retains; then devices are what it said, and descriptions that are gone are removed. */
  async #synchronise(generation: number): Promise<void> {
    // The answers to the discovery filters bring topics to subscribe to, whose answers bring the availabilities.
    for (let round = 0; round < 2; round++) {
      await this.#connection.settled();
      await this.#connection.barrier();
    }
    if (generation !== this.#generation || this.#closed) return;
    if (this.#reach.kind === 'grace') this.#reach.timer.cancel();
    const wasLost = this.#reach.kind === 'lost';
    this.#reach = { kind: 'direct' };
    if (wasLost) {
      for (const [key, availability] of this.#devices) {
        if (availability !== undefined) this.#host?.availabilityChanged(key, availability);
      }
    }
    this.#resyncTimer = this.#init.clock.setTimer(this.#init.resyncGraceMs ?? RESYNC_GRACE_MS, () =>
      this.#removeStale(),
    );
    if (!(this.#init.announcesBirth ?? !('url' in this.#init.broker))) return;
    await this.#connection.publish(`${this.#prefix}/status`, 'online', { qos: 1 }).catch((error: unknown) => {
      // Lost again: the next connection says it.
      if (!(error instanceof PipevineError)) throw error;
    });
  }

  #removeStale(): void {
    this.#resyncTimer = undefined;
    for (const topic of this.#inventory.missing()) {
      this.#staleRemoved++;
      this.#execute(this.#mapping.apply(topic, NO_BYTES, this.#nowMs()));
    }
  }
}
