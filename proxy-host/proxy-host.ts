import {
  type Clock,
  type Crypto,
  completeDescription,
  encodeDelegationBody,
  type Identity,
  type InteractionContext,
  type JsonValue,
  type PeerId,
  PipevineError,
  type Random,
  type Storage,
  type ThingDescription,
  thingAdvertisementInit,
} from '@pipevine/runtime';
import type { Availability, Connector, ConnectorHost, DeviceDescription } from './connector.ts';
import { AwakeIdentities } from './virtual-peer/awake-identities.ts';
import {
  DEVICE_TABLE,
  type DeviceRecord,
  decodeDeviceRecord,
  deviceRowKey,
  encodeDeviceRecord,
} from './virtual-peer/device-record.ts';
import {
  CONNECTOR_CALL_TIMEOUT_MS,
  DELEGATION_LIFETIME_MS,
  DELEGATION_SWEEP_MS,
  MAX_AWAKE_IDENTITIES,
  MAX_DEVICE_KEY,
  MAX_DEVICES,
  MAX_VALUES_PER_DEVICE,
  PUBLISH_BATCH,
  PUBLISH_DELAY_MS,
  PUBLISH_RETRY_MS,
  SILENT_DEVICE_GRACE_MS,
} from './virtual-peer/host-defaults.ts';
import type { HostedThing, HostingGroup, HostingPeer } from './virtual-peer/hosting-peer.ts';
import { PublishQueue } from './virtual-peer/publish-queue.ts';
import type { VirtualDevice } from './virtual-peer/virtual-device.ts';

/** Key of a virtual peer's one thing: a device is one thing of one peer. */
const THING_KEY = 'device';
const HOST_TABLE = 'proxy-host';
const SECRET_KEY = 'host set secret';
const SECRET_TAG_KEY = 'host set secret tag';
const SECRET_TAG_DOMAIN = new TextEncoder().encode('pipevine/1 host set secret tag');

/** What happened, for a log or a page. */
export type ProxyHostNotice =
  | {
      readonly type: 'device-added' | 'device-removed';
      readonly connector: string;
      readonly title: string;
      readonly peer: PeerId;
    }
  | {
      readonly type: 'availability';
      readonly title: string;
      readonly peer: PeerId;
      readonly availability: Availability;
    }
  | { readonly type: 'device-refused'; readonly connector: string; readonly key: string; readonly error: PipevineError }
  | { readonly type: 'error'; readonly error: PipevineError };

export interface ProxyHostInit {
  readonly peer: HostingPeer;
  readonly group: HostingGroup;
  readonly connectors: readonly Connector[];
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  /**
   * 32 bytes shared by the hosts of a set, so that another can stand in for the same peers. Default: this host's own,
   * made at its first start and kept in the storage.
   */
  readonly hostSetSecret?: Uint8Array;
  readonly maxDevices?: number;
  readonly onNotice?: (notice: ProxyHostNotice) => void;
}

export interface ProxyHostStatus {
  readonly devices: { readonly used: number; readonly limit: number; readonly dropped: number };
  readonly awake: { readonly used: number; readonly limit: number; readonly dropped: number };
  readonly publishing: { readonly used: number; readonly limit: number; readonly dropped: number };
  readonly connectors: { readonly [name: string]: { readonly [fact: string]: JsonValue } };
}

/** Stands in for devices too small to be peers: each has its own peer id, advertisement and pipes. */
export interface ProxyHost {
  status(): ProxyHostStatus;
  /** Closes the connectors, then stops speaking for the devices. Idempotent. */
  close(): Promise<void>;
}

/**
 * Brings back the devices known from the last run, then starts the connectors. Rejects with the error of the first
 * connector that cannot start, and of the storage.
 */
export async function startProxyHost(init: ProxyHostInit): Promise<ProxyHost> {
  const secret = init.hostSetSecret ?? (await ownSecret(init.storage, init.random));
  const sameSecret = await isSameSecret(init.storage, init.crypto, secret);
  const host = new DeviceHost(init, secret, sameSecret);
  await host.start();
  return host;
}

async function ownSecret(storage: Storage, random: Random): Promise<Uint8Array> {
  const kept = storage.get(HOST_TABLE, SECRET_KEY);
  if (kept?.length === 32) return kept;
  const secret = random.bytes(32);
  await storage.commit([{ table: HOST_TABLE, key: SECRET_KEY, value: secret }]);
  return secret;
}

/** Whether the peers in the storage were derived from this secret; it is remembered for the next start. */
async function isSameSecret(storage: Storage, crypto: Crypto, secret: Uint8Array): Promise<boolean> {
  const tag = crypto.hmacSha256(secret, SECRET_TAG_DOMAIN);
  const kept = storage.get(HOST_TABLE, SECRET_TAG_KEY);
  if (kept !== undefined && crypto.equalConstantTime(kept, tag)) return true;
  await storage.commit([{ table: HOST_TABLE, key: SECRET_TAG_KEY, value: tag }]);
  return false;
}

class DeviceHost implements ProxyHost {
  readonly #init: ProxyHostInit;
  readonly #limit: number;
  readonly #sameSecret: boolean;
  readonly #awake: AwakeIdentities;
  readonly #connectors: ReadonlyMap<string, Connector>;
  readonly #devices = new Map<string, VirtualDevice>();
  readonly #byPeer = new Map<PeerId, VirtualDevice>();
  readonly #queue: PublishQueue;
  #hosting: { release(): void } | undefined;
  #things: { remove(): void } | undefined;
  #timers: { cancel(): void }[] = [];
  #refused = 0;
  #failed = 0;
  #closing: Promise<void> | undefined;

  constructor(init: ProxyHostInit, secret: Uint8Array, sameSecret: boolean) {
    this.#init = init;
    this.#sameSecret = sameSecret;
    this.#limit = init.maxDevices ?? MAX_DEVICES;
    this.#awake = new AwakeIdentities(init.crypto, secret, MAX_AWAKE_IDENTITIES);
    this.#connectors = new Map(init.connectors.map((connector) => [connector.name, connector]));
    this.#queue = new PublishQueue({
      clock: init.clock,
      delayMs: PUBLISH_DELAY_MS,
      retryMs: PUBLISH_RETRY_MS,
      batch: PUBLISH_BATCH,
      work: (name) => this.#publish(name),
      onError: (error) => this.#report(error),
    });
  }

  async start(): Promise<void> {
    this.#load();
    this.#hosting = this.#init.peer.host({ find: (peer) => this.#identityOf(peer) });
    this.#things = this.#init.group.addThings({ find: (peer, key) => this.#thing(peer, key) });
    const { clock } = this.#init;
    this.#timers.push(clock.setTimer(SILENT_DEVICE_GRACE_MS, () => this.#loseSilentDevices()));
    this.#sweepLater(0);
    try {
      for (const connector of this.#init.connectors) await connector.start(this.#hostOf(connector.name));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  status(): ProxyHostStatus {
    return {
      devices: { used: this.#devices.size, limit: this.#limit, dropped: this.#refused },
      awake: { used: this.#awake.size, limit: MAX_AWAKE_IDENTITIES, dropped: this.#awake.fellAsleep },
      publishing: { used: this.#queue.size, limit: this.#limit, dropped: this.#failed },
      connectors: Object.fromEntries([...this.#connectors].map(([name, connector]) => [name, connector.status()])),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    await Promise.allSettled(this.#init.connectors.map((connector) => connector.close()));
    await this.#queue.close();
    this.#things?.remove();
    this.#hosting?.release();
  }

  /** What one connector may say. */
  #hostOf(connector: string): ConnectorHost {
    return {
      deviceAdded: (device) => this.#deviceAdded(connector, device),
      deviceRemoved: (key) => this.#deviceRemoved(connector, key),
      valueChanged: (key, property, value) => this.#valueChanged(connector, key, property, value),
      eventEmitted: (key, event, data) => {
        const device = this.#devices.get(deviceRowKey(connector, key));
        if (device !== undefined) this.#init.group.emitEvent(device.peer, THING_KEY, event, data);
      },
      availabilityChanged: (key, availability) => {
        const device = this.#devices.get(deviceRowKey(connector, key));
        if (device !== undefined) this.#setAvailability(device, availability);
      },
    };
  }

  #deviceAdded(connector: string, description: DeviceDescription): void {
    const { key, thing, via } = description;
    const name = deviceRowKey(connector, key);
    let device = this.#devices.get(name);
    if (device === undefined) {
      const error = this.#whyNot(key);
      if (error !== undefined) {
        this.#refused++;
        this.#notice({ type: 'device-refused', connector, key, error });
        return;
      }
      device = this.#remember(connector, key, this.#awake.of(connector, key).id, thing.title, 0);
      this.#notice({ type: 'device-added', connector, title: thing.title, peer: device.peer });
    }
    const before = this.#record(name);
    device.reported = true;
    device.availability ??= 'up';
    device.title = thing.title;
    const told = before?.advertised === true && before.availability === device.availability;
    if (told && before.via === via && sameJson(before.thing, thing)) return;
    this.#keep(name, {
      connector,
      key,
      peer: device.peer,
      thing,
      via,
      availability: device.availability,
      delegatedUntilMs: device.delegatedUntilMs,
      advertised: false,
      removed: false,
    });
    this.#queue.add(name);
  }

  #whyNot(key: string): PipevineError | undefined {
    if (key.length === 0 || key.length > MAX_DEVICE_KEY) {
      return new PipevineError(
        'invalid-argument',
        `A device's key has 1 to ${MAX_DEVICE_KEY} characters, not ${key.length}.`,
      );
    }
    if (this.#devices.size < this.#limit) return undefined;
    return new PipevineError('overloaded', `This host stands in for ${this.#limit} devices, which is its limit.`);
  }

  #deviceRemoved(connector: string, key: string): void {
    const name = deviceRowKey(connector, key);
    const device = this.#devices.get(name);
    if (device === undefined) return;
    this.#devices.delete(name);
    this.#byPeer.delete(device.peer);
    this.#init.group.thingGone(device.peer, THING_KEY);
    this.#notice({ type: 'device-removed', connector, title: device.title, peer: device.peer });
    const record = this.#record(name);
    if (record !== undefined) this.#keep(name, { ...record, removed: true, advertised: false });
    this.#queue.add(name);
  }

  #valueChanged(connector: string, key: string, property: string, value: JsonValue | undefined): void {
    const device = this.#devices.get(deviceRowKey(connector, key));
    if (device === undefined) return;
    device.values ??= new Map();
    if (value === undefined) {
      device.values.delete(property);
      return;
    }
    if (!device.values.has(property) && device.values.size >= MAX_VALUES_PER_DEVICE) {
      this.#refused++;
      return;
    }
    const reading = { value, timestampMs: this.#init.clock.wallMs() };
    device.values.set(property, reading);
    this.#init.group.emitPropertyChange(device.peer, THING_KEY, property, reading);
  }

  #setAvailability(device: VirtualDevice, availability: Availability): void {
    if (device.availability === availability) return;
    device.availability = availability;
    this.#notice({ type: 'availability', title: device.title, peer: device.peer, availability });
    this.#queue.add(deviceRowKey(device.connector, device.key));
  }

  /** Tells the overlay what is true of a device now: that it is there, how it is, or that it is gone. */
  async #publish(name: string): Promise<void> {
    const device = this.#devices.get(name);
    const record = this.#record(name);
    if (record === undefined) return;
    const identity = this.#awake.of(record.connector, record.key);
    if (device === undefined) {
      await this.#init.group.withdrawAs(identity, { kind: 'thing', key: THING_KEY });
      await this.#init.group.withdrawAs(identity, { kind: 'delegation' });
      // It may have come back meanwhile.
      if (!this.#devices.has(name)) await this.#commit(name, undefined);
      return;
    }
    const nowMs = this.#init.clock.wallMs();
    if (device.delegatedUntilMs - nowMs < DELEGATION_LIFETIME_MS / 2) {
      const notAfterMs = nowMs + DELEGATION_LIFETIME_MS;
      const body = encodeDelegationBody({ delegate: this.#init.peer.id, notAfterMs });
      await this.#init.group.publishAs(identity, { kind: 'delegation', body });
      device.delegatedUntilMs = notAfterMs;
    }
    const availability = device.availability ?? record.availability;
    if (!record.advertised || record.availability !== availability) {
      await this.#init.group.publishAs(
        identity,
        thingAdvertisementInit({
          group: this.#init.group.id,
          key: THING_KEY,
          description: this.#describe(record, device.peer),
          availability,
          connector: record.connector,
        }),
      );
    }
    // What changed while this was published is in the queue again, and must not be marked as told.
    if (!sameJson(this.#record(name), record)) return;
    await this.#commit(name, { ...record, availability, delegatedUntilMs: device.delegatedUntilMs, advertised: true });
  }

  #describe(record: DeviceRecord, peer: PeerId): ThingDescription {
    const { connector, via, thing } = record;
    const viaDevice = via === undefined ? undefined : this.#devices.get(deviceRowKey(connector, via));
    const links = viaDevice === undefined ? [] : [{ href: viaDevice.peer, rel: 'via' }];
    return completeDescription(
      { ...thing, ...(links.length > 0 && { links: [...(thing.links ?? []), ...links] }) },
      { peer, key: THING_KEY },
    );
  }

  #thing(peer: PeerId, key: string): HostedThing | undefined {
    const device = key === THING_KEY ? this.#byPeer.get(peer) : undefined;
    const record = device && this.#record(deviceRowKey(device.connector, device.key));
    if (device === undefined || record === undefined) return undefined;
    const call = async <T>(
      context: InteractionContext,
      use: (connector: Connector, signal: AbortSignal) => Promise<T>,
    ) => {
      const connector = this.#connectors.get(device.connector);
      if (connector === undefined) {
        throw new PipevineError('unreachable', `The connector "${device.connector}" does not run on this host now.`);
      }
      return this.#withDeadline(`"${device.title}"`, context.signal, (signal) => use(connector, signal));
    };
    return {
      description: this.#describe(record, peer),
      ownSchemas: false,
      handlers: {
        readProperty: async (name) => device.values?.get(name) ?? notYet(device, name),
        writeProperty: (name, value, context) =>
          call(context, (connector, signal) => connector.write(device.key, name, value, { signal })),
        invokeAction: (name, input, context) =>
          call(context, (connector, signal) => connector.invoke(device.key, name, input, { signal })),
      },
    };
  }

  async #withDeadline<T>(what: string, outer: AbortSignal, use: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const onAbort = () => controller.abort();
    outer.addEventListener('abort', onAbort);
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = this.#init.clock.setTimer(CONNECTOR_CALL_TIMEOUT_MS, () => {
        reject(
          new PipevineError('timeout', `${what} did not take the command within ${CONNECTOR_CALL_TIMEOUT_MS} ms.`),
        );
        controller.abort();
      });
    });
    try {
      return await Promise.race([use(controller.signal), late]);
    } finally {
      timer?.cancel();
      outer.removeEventListener('abort', onAbort);
    }
  }

  #identityOf(peer: PeerId): Identity | undefined {
    const device = this.#byPeer.get(peer);
    return device && this.#awake.of(device.connector, device.key);
  }

  #load(): void {
    const { storage } = this.#init;
    for (const [name, bytes] of storage.scan(DEVICE_TABLE)) {
      try {
        const record = this.#current(name, decodeDeviceRecord(bytes));
        if (record.removed) {
          this.#queue.add(name);
          continue;
        }
        const { connector, key, peer, thing, delegatedUntilMs } = record;
        const device = this.#remember(connector, key, peer, thing.title, delegatedUntilMs);
        if (!record.advertised || device.delegatedUntilMs === 0) this.#queue.add(name);
      } catch (error) {
        this.#report(error);
        this.#keep(name, undefined);
      }
    }
  }

  /** Under another secret the device is another peer, which nobody was told of yet. */
  #current(name: string, record: DeviceRecord): DeviceRecord {
    if (this.#sameSecret || record.removed) return record;
    const { id: peer } = this.#awake.of(record.connector, record.key);
    const current = { ...record, peer, delegatedUntilMs: 0, advertised: false };
    this.#keep(name, current);
    return current;
  }

  #remember(connector: string, key: string, peer: PeerId, title: string, delegatedUntilMs: number): VirtualDevice {
    const device: VirtualDevice = {
      connector,
      key,
      peer,
      title,
      availability: undefined,
      values: undefined,
      delegatedUntilMs,
      reported: false,
    };
    this.#devices.set(deviceRowKey(connector, key), device);
    this.#byPeer.set(peer, device);
    return device;
  }

  /** Devices of the last run that nobody has named since: they stay in the list, as lost. */
  #loseSilentDevices(): void {
    for (const device of this.#devices.values()) if (!device.reported) this.#setAvailability(device, 'lost');
  }

  #sweepLater(delayMs: number): void {
    const timer = this.#init.clock.setTimer(delayMs, () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
      const soonMs = this.#init.clock.wallMs() + DELEGATION_LIFETIME_MS / 2;
      for (const [name, device] of this.#devices) if (device.delegatedUntilMs < soonMs) this.#queue.add(name);
      this.#sweepLater(DELEGATION_SWEEP_MS);
    });
    this.#timers.push(timer);
  }

  #record(name: string): DeviceRecord | undefined {
    const bytes = this.#init.storage.get(DEVICE_TABLE, name);
    return bytes && decodeDeviceRecord(bytes);
  }

  #commit(name: string, record: DeviceRecord | undefined): Promise<void> {
    const value = record && encodeDeviceRecord(record);
    return this.#init.storage.commit([{ table: DEVICE_TABLE, key: name, value }]);
  }

  /** Stores without waiting: what is told to others later waits for its own commit. */
  #keep(name: string, record: DeviceRecord | undefined): void {
    this.#commit(name, record).catch((error: unknown) => this.#report(error));
  }

  #report(error: unknown): void {
    this.#failed++;
    const known =
      error instanceof PipevineError ? error : new PipevineError('internal', String(error), { cause: error });
    this.#notice({ type: 'error', error: known });
  }

  #notice(notice: ProxyHostNotice): void {
    this.#init.onNotice?.(notice);
  }
}

function notYet(device: VirtualDevice, property: string): never {
  throw new PipevineError(
    'not-found',
    `"${device.title}" has not reported a value of "${property}" yet; observe it to get the first.`,
  );
}

/** Both sides are JSON, and their members keep the order in which the connector wrote them. */
function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
