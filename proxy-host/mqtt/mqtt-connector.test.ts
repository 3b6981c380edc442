import { setImmediate as turn } from 'node:timers/promises';
import type { JsonValue, Random } from '@pipevine/runtime';
import mqtt, { type MqttClient } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import type { Availability, ConnectorHost, DeviceDescription } from '../connector.ts';
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts';
import { MqttConnector, type MqttConnectorInit } from './mqtt-connector.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { MemoryStorage } from './testing/memory-storage.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const random: Random = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)), fraction: () => 0.5 };

class RecordingHost implements ConnectorHost {
  readonly devices = new Map<string, DeviceDescription>();
  readonly values = new Map<string, JsonValue | undefined>();
  readonly availability = new Map<string, Availability>();
  readonly availabilities: string[] = [];
  readonly events: string[] = [];

  deviceAdded(device: DeviceDescription): void {
    this.devices.set(device.key, device);
  }

  deviceRemoved(key: string): void {
    this.devices.delete(key);
  }

  valueChanged(key: string, property: string, value: JsonValue | undefined): void {
    this.values.set(`${key} ${property}`, value);
  }

  eventEmitted(_key: string, event: string): void {
    this.events.push(event);
  }

  availabilityChanged(key: string, availability: Availability): void {
    this.availability.set(key, availability);
    this.availabilities.push(availability);
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

async function startBroker(storage = new MemoryStorage(), port = 0): Promise<EmbeddedBroker> {
  const broker = await startEmbeddedBroker({ storage, clock: new ManualClock(), listen: { host: '127.0.0.1', port } });
  cleanups.push(() => broker.close());
  return broker;
}

async function deviceClient(broker: EmbeddedBroker): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.address.port}`, { reconnectPeriod: 0 });
  client.on('error', () => {});
  cleanups.push(() => client.endAsync(true));
  return client;
}

async function connect(broker: MqttConnectorInit['broker'], init: Partial<MqttConnectorInit> = {}) {
  const clock = new ManualClock();
  const host = new RecordingHost();
  const connector = new MqttConnector({ clock, random, broker, discovery: { settleMs: 0 }, ...init });
  cleanups.push(() => connector.close());
  await connector.start(host);
  await until(() => connector.status().state === 'connected');
  return { clock, host, connector };
}

const lamp = (id: string) =>
  JSON.stringify({
    name: null,
    unique_id: `${id}_switch`,
    state_topic: `${id}/state`,
    command_topic: `${id}/set`,
    availability_topic: `${id}/online`,
    device: { identifiers: [id], name: id },
  });

async function announce(client: MqttClient, id: string): Promise<void> {
  await client.publishAsync(`${id}/online`, 'online', { retain: true, qos: 1 });
  await client.publishAsync(`${id}/state`, 'ON', { retain: true, qos: 1 });
  await client.publishAsync(`homeassistant/switch/${id}/config`, lamp(id), { retain: true, qos: 1 });
}

/** The one device and its one property. */
function only(host: RecordingHost): { key: string; property: string } {
  const [device] = [...host.devices.values()];
  return { key: device?.key ?? '', property: Object.keys(device?.thing.properties ?? {})[0] ?? '' };
}

test.each(['embedded', 'remote'])('a device that describes itself appears with its value (%s broker)', async (kind) => {
  const broker = await startBroker();
  const { host } = await connect(kind === 'embedded' ? broker : { url: `mqtt://127.0.0.1:${broker.address.port}` });
  const device = await deviceClient(broker);
  await announce(device, 'lamp');
  await until(() => host.values.size === 1 && host.availability.size === 1);
  const { key, property } = only(host);
  expect(host.values.get(`${key} ${property}`)).toBe(true);
  expect(host.availability.get(key)).toBe('up');
  await device.publishAsync('lamp/online', 'offline', { retain: true, qos: 1 });
  await until(() => host.availability.get(key) === 'lost');
  await device.publishAsync('homeassistant/switch/lamp/config', '', { retain: true, qos: 1 });
  await until(() => host.devices.size === 0);
});

test('a write reaches the command topic and is answered when the broker has it', async () => {
  const broker = await startBroker();
  const { host, connector } = await connect(broker);
  const device = await deviceClient(broker);
  const commands: string[] = [];
  device.on('message', (topic, payload) => commands.push(`${topic} ${payload}`));
  await device.subscribeAsync('lamp/set');
  await announce(device, 'lamp');
  await until(() => host.values.size === 1);
  const { key, property } = only(host);
  await connector.write(key, property, false);
  await until(() => commands.length === 1);
  expect(commands).toEqual(['lamp/set OFF']);
});

test('what cannot be written is refused with a reason', async () => {
  const broker = await startBroker();
  const { host, connector } = await connect(broker);
  await announce(await deviceClient(broker), 'lamp');
  await until(() => host.values.size === 1);
  const { key, property } = only(host);
  await expect(connector.write('nobody', property, true)).rejects.toMatchObject({ code: 'not-found' });
  await expect(connector.write(key, property, 'blue')).rejects.toMatchObject({ code: 'invalid-argument' });
  await expect(connector.invoke(key, 'explode', undefined)).rejects.toMatchObject({ code: 'not-found' });
  const stopped = AbortSignal.abort();
  await expect(connector.write(key, property, true, { signal: stopped })).rejects.toMatchObject({ code: 'aborted' });
});

test('devices that share a topic each hear what it retains', async () => {
  const broker = await startBroker();
  const { host } = await connect(broker);
  const device = await deviceClient(broker);
  await device.publishAsync('bridge/online', 'online', { retain: true, qos: 1 });
  for (const id of ['one', 'two', 'three']) {
    const config = JSON.stringify({
      ...JSON.parse(lamp(id)),
      availability_topic: 'bridge/online',
      state_topic: 'bridge/state',
    });
    await device.publishAsync(`homeassistant/switch/${id}/config`, config, { retain: true, qos: 1 });
    if (id === 'one') await device.publishAsync('bridge/state', 'ON', { retain: true, qos: 1 });
  }
  await until(() => host.values.size === 3 && host.availability.size === 3);
  expect([...new Set(host.availability.values())]).toEqual(['up']);
});

test('a broker that is away makes writes fail at once, and devices lost after ten seconds; both heal', async () => {
  const storage = new MemoryStorage();
  let broker = await startBroker(storage);
  const { port } = broker.address;
  const { host, connector, clock } = await connect({ url: `mqtt://127.0.0.1:${port}` });
  await announce(await deviceClient(broker), 'lamp');
  await until(() => host.values.size === 1 && host.availability.size === 1);
  const { key, property } = only(host);

  await broker.close();
  await until(() => connector.status().state === 'waiting');
  await expect(connector.write(key, property, true)).rejects.toMatchObject({ code: 'unreachable' });
  clock.advance(9_000);
  expect(host.availability.get(key)).toBe('up');
  clock.advance(1_000);
  expect(host.availability.get(key)).toBe('lost');
  expect(connector.status().reach).toBe('lost');

  broker = await startBroker(storage, port);
  while (connector.status().state !== 'connected') {
    clock.advance(1_000);
    await turn();
  }
  await until(() => host.availability.get(key) === 'up');
  await connector.write(key, property, true);
});

test('a broker that is back within the grace period leaves devices as they are', async () => {
  const storage = new MemoryStorage();
  let broker = await startBroker(storage);
  const { port } = broker.address;
  const { host, connector, clock } = await connect({ url: `mqtt://127.0.0.1:${port}` });
  await announce(await deviceClient(broker), 'lamp');
  await until(() => host.values.size === 1 && host.availability.size === 1);
  await broker.close();
  await until(() => connector.status().state === 'waiting');
  broker = await startBroker(storage, port);
  clock.advance(2_000);
  await until(() => connector.status().state === 'connected');
  await until(() => broker.status().clients === 1);
  await connector.write(only(host).key, only(host).property, true);
  await until(() => connector.status().reach === 'direct');
  clock.advance(20_000);
  expect(host.availabilities).toEqual(['up']);
});

test('a device that was removed while the broker was away goes, one that is still retained stays', async () => {
  const storage = new MemoryStorage();
  let broker = await startBroker(storage);
  const { port } = broker.address;
  // Two connections, so that the descriptions are known to be retained.
  const first = await deviceClient(broker);
  await announce(first, 'stays');
  await announce(first, 'goes');
  const { host, connector, clock } = await connect({ url: `mqtt://127.0.0.1:${port}` });
  await until(() => host.devices.size === 2);
  await broker.close();
  await until(() => connector.status().state === 'waiting');
  const elsewhere = await startBroker(storage);
  await (await deviceClient(elsewhere)).publishAsync('homeassistant/switch/goes/config', '', { retain: true, qos: 1 });
  await elsewhere.close();
  broker = await startBroker(storage, port);
  clock.advance(2_000);
  await until(() => connector.status().state === 'connected');
  while (host.devices.size === 2) {
    clock.advance(1_000);
    await turn();
  }
  expect([...host.devices.values()].map((device) => device.thing.title)).toEqual(['stays']);
  expect(connector.status().staleRemoved).toBe(1);
});

test.each([
  ['embedded', true],
  ['remote', false],
])('the birth message is sent on our own broker only (%s)', async (kind, isSent) => {
  const broker = await startBroker();
  const listener = await deviceClient(broker);
  const heard: string[] = [];
  listener.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
  await listener.subscribeAsync(['homeassistant/status', 'end']);
  await connect(kind === 'embedded' ? broker : { url: `mqtt://127.0.0.1:${broker.address.port}` });
  if (isSent) await until(() => heard.length > 0);
  for (let count = 0; count < 20; count++) await turn();
  await listener.publishAsync('end', '', { qos: 1 });
  await until(() => heard.includes('end '));
  expect(heard).toEqual(isSent ? ['homeassistant/status online', 'end '] : ['end ']);
});

test('hostile descriptions are counted and disturb no other device', async () => {
  const broker = await startBroker();
  const { host, connector } = await connect(broker);
  const device = await deviceClient(broker);
  const bad = [
    '{"a":',
    '[]',
    JSON.stringify({ ...JSON.parse(lamp('x')), state_topic: 'a/#' }),
    JSON.stringify({ ...JSON.parse(lamp('y')), state_topic: '' }),
    '['.repeat(10_000),
  ];
  for (const [index, payload] of bad.entries()) {
    await device.publishAsync(`homeassistant/switch/bad${index}/config`, payload, { qos: 1 });
  }
  await device.publishAsync('homeassistant/switch/big/config', 'x'.repeat(300_000), { qos: 1 });
  await announce(device, 'good');
  await until(() => host.values.size > 0 && [...host.devices.values()].some((one) => one.thing.title === 'good'));
  expect(connector.status().lastRejection).toBeTypeOf('string');
  expect(Object.keys(connector.status().rejected as object).length).toBeGreaterThan(0); // a record of counters
});

test('a value expires although the wall clock is set back meanwhile', async () => {
  const broker = await startBroker();
  const { host, clock } = await connect(broker);
  const device = await deviceClient(broker);
  const config = JSON.stringify({
    unique_id: 't',
    name: 'T',
    state_topic: 't/state',
    expire_after: 60,
    device: { identifiers: ['t'], name: 't' },
  });
  await device.publishAsync('homeassistant/sensor/t/config', config, { qos: 1 });
  await until(() => host.devices.size === 1);
  for (let count = 0; count < 20; count++) await turn();
  await device.publishAsync('t/state', '21.5', { qos: 1 });
  await until(() => [...host.values.values()].some((value) => value !== undefined));
  clock.stepWall(-3_600_000);
  clock.advance(61_000);
  expect([...host.values.values()]).toEqual([undefined]);
});

test('closing stops everything', async () => {
  const broker = await startBroker();
  const { host, connector, clock } = await connect(broker);
  await announce(await deviceClient(broker), 'lamp');
  await until(() => host.values.size === 1);
  await Promise.all([connector.close(), connector.close()]);
  expect(clock.pendingTimers).toBe(0);
  await until(() => broker.status().clients === 1);
  await expect(connector.start(host)).rejects.toMatchObject({ code: 'closed' });
});
