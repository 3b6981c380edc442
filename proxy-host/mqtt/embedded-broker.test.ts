import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import { type EmbeddedBroker, type EmbeddedBrokerInit, startEmbeddedBroker } from './embedded-broker.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { MemoryStorage } from './testing/memory-storage.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(init: Partial<EmbeddedBrokerInit> = {}): Promise<EmbeddedBroker> {
  const broker = await startEmbeddedBroker({
    storage: new MemoryStorage(),
    clock: new ManualClock(),
    listen: { host: '127.0.0.1', port: 0 },
    ...init,
  });
  cleanups.push(() => broker.close());
  return broker;
}

async function client(broker: EmbeddedBroker, options: IClientOptions = {}): Promise<MqttClient> {
  const { host, port } = broker.address;
  const opened = await mqtt.connectAsync(`mqtt://${host}:${port}`, { reconnectPeriod: 0, ...options });
  opened.on('error', () => {});
  cleanups.push(() => opened.endAsync(true));
  return opened;
}

async function rawSocket(broker: EmbeddedBroker): Promise<Socket> {
  const socket = connectSocket(broker.address.port, broker.address.host);
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** MQTT 3.1.1 CONNECT with a clean session. */
function connectPacket(id: string): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 4]),
    Buffer.from('MQTT'),
    Buffer.from([4, 2, 0, 0, 0, id.length]),
    Buffer.from(id),
  ]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

function connect5Packet(id: string): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 4]),
    Buffer.from('MQTT'),
    Buffer.from([5, 2, 0, 0, 0, 0, id.length]),
    Buffer.from(id),
  ]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

/** The arguments of the next such event. mqtt.js types its emitter in a way that `once` of node:events does not take. */
function next<Event extends 'close' | 'disconnect' | 'packetreceive' | 'connect'>(
  of: MqttClient,
  event: Event,
): Promise<{ reasonCode?: number } | undefined> {
  return new Promise((resolve) => of.once(event, ((first?: { reasonCode?: number }) => resolve(first)) as () => void));
}

function collect(of: MqttClient): { topic: string; text: string; retain: boolean }[] {
  const got: { topic: string; text: string; retain: boolean }[] = [];
  of.on('message', (topic, payload, packet) => got.push({ topic, text: payload.toString(), retain: packet.retain }));
  return got;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.destroyed) {
    socket.resume();
    await once(socket, 'close');
  }
}

describe.each([4, 5] as const)('with MQTT protocol level %i', (protocolVersion) => {
  const options = { protocolVersion };

  test.each([0, 1, 2] as const)('a message of QoS %i reaches a subscriber once', async (qos) => {
    const broker = await start();
    const subscriber = await client(broker, options);
    const got = collect(subscriber);
    await subscriber.subscribeAsync(['home/+/state', 'home/#'], { qos });
    const publisher = await client(broker, options);
    await publisher.publishAsync('home/lamp/state', 'ON', { qos });
    await publisher.publishAsync('home/end', '', { qos });
    await until(() => got.some((message) => message.topic === 'home/end'));
    expect(got.map((message) => message.text)).toEqual(['ON', '']);
  });

  test.each([1, 3, 1_000])('packets that come in chunks of %i bytes are read alike', async (chunkBytes) => {
    const broker = await start();
    const stream = broker.connectInProcess();
    cleanups.push(() => stream.destroy());
    stream.write(protocolVersion === 5 ? connect5Packet('raw') : connectPacket('raw'));
    await once(stream, 'data');
    const answer: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => answer.push(chunk));
    const properties = protocolVersion === 5 ? [0] : [];
    const publish = (firstByte: number, topic: string, id: readonly number[]) => {
      const body = [0, 1, topic.charCodeAt(0), ...id, ...properties, 0x68, 0x69];
      return [firstByte, body.length, ...body];
    };
    const bytes = Buffer.from([
      ...publish(0x31, 'a', []),
      ...publish(0x31, 'b', []),
      ...publish(0x33, 'c', [0, 7]),
      ...publish(0x31, 'd', []),
      ...publish(0x33, 'e', [0, 8]),
    ]);
    for (let at = 0; at < bytes.length; at += chunkBytes) stream.write(bytes.subarray(at, at + chunkBytes));
    await until(() => Buffer.concat(answer).length >= 8 || stream.destroyed);
    expect(Buffer.concat(answer)).toEqual(Buffer.from([0x40, 2, 0, 7, 0x40, 2, 0, 8]));
    expect(broker.status()).toMatchObject({ retainedMessages: 5, protocolErrors: 0, partialBytes: 0 });
  });

  test('messages of one publisher keep their order, retained or not', async () => {
    const broker = await start();
    const subscriber = await client(broker, options);
    const got = collect(subscriber);
    await subscriber.subscribeAsync('#');
    const publisher = await client(broker, options);
    for (let index = 0; index < 200; index++) {
      publisher.publish(`t/${index}`, String(index), { retain: index % 3 === 0 });
    }
    await until(() => got.length === 200);
    expect(got.map((message) => Number(message.text))).toEqual(Array.from({ length: 200 }, (_, index) => index));
  });

  test('retained messages come with exact and wildcard subscriptions, and an empty one removes', async () => {
    const broker = await start();
    const publisher = await client(broker, options);
    await publisher.publishAsync('a/b/config', 'one', { retain: true, qos: 1 });
    await publisher.publishAsync('a/c/config', 'two', { retain: true });
    await publisher.publishAsync('a/d/config', 'three', { retain: true });
    await publisher.publishAsync('a/d/config', '', { retain: true, qos: 1 });
    const subscriber = await client(broker, options);
    const got = collect(subscriber);
    await subscriber.subscribeAsync(['a/+/config', 'a/b/config']);
    await until(() => got.length === 3);
    expect(got.map((message) => message.text).sort()).toEqual(['one', 'one', 'two']);
    expect(got.every((message) => message.retain)).toBe(true);
    expect(broker.status().retainedMessages).toBe(2);
  });

  test('a persistent session gets what came while it was away', async () => {
    const broker = await start();
    const session: IClientOptions = {
      ...options,
      clientId: 'away',
      clean: false,
      ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3_600 } } : {}),
    };
    const first = await client(broker, session);
    await first.subscribeAsync('door/#', { qos: 1 });
    await first.endAsync();
    const publisher = await client(broker, options);
    await publisher.publishAsync('door/1', 'open', { qos: 1 });
    await publisher.publishAsync('door/2', 'shut', { qos: 2 });
    expect(broker.status().queuedMessages).toBe(2);
    const second = mqtt.connect(`mqtt://127.0.0.1:${broker.address.port}`, { ...session, reconnectPeriod: 0 });
    cleanups.push(() => second.endAsync(true));
    const got = collect(second);
    await until(() => got.length === 2);
    expect(got.map((message) => message.text)).toEqual(['open', 'shut']);
    await until(() => broker.status().queuedMessages === 0);
  });

  test('the will of a client that vanishes is published', async () => {
    const broker = await start();
    const subscriber = await client(broker, options);
    const got = collect(subscriber);
    await subscriber.subscribeAsync('dev/online');
    const device = await client(broker, {
      ...options,
      will: { topic: 'dev/online', payload: Buffer.from('offline'), retain: true, qos: 1 },
    });
    device.stream.destroy();
    await until(() => got.length === 1);
    expect(got[0]?.text).toBe('offline');
  });

  test('a refused login is told so, a right one comes in', async () => {
    const clock = new ManualClock();
    const broker = await start({ clock, authenticate: (username, password) => username === 'ann' && password === 'x' });
    const { port } = broker.address;
    const refused = mqtt.connectAsync(
      `mqtt://127.0.0.1:${port}`,
      { ...options, reconnectPeriod: 0, username: 'bob' },
      false,
    );
    const outcome = expect(refused).rejects.toThrow(/[Nn]ot authorized/);
    await until(() => broker.status().loginsRefused === 1);
    clock.advance(1_000);
    await outcome;
    const right = await client(broker, { ...options, username: 'ann', password: 'x' });
    expect(right.connected).toBe(true);
  });

  test('the PUBACK waits for the commit, and live delivery goes on meanwhile', async () => {
    const storage = new MemoryStorage();
    const broker = await start({ storage });
    const publisher = await client(broker, options);
    const other = await client(broker, options);
    storage.hold();
    let acknowledged = false;
    const publishing = publisher.publishAsync('r/1', 'kept', { qos: 1, retain: true }).then(() => {
      acknowledged = true;
    });
    await until(() => storage.heldCommits === 1);
    await other.publishAsync('x', 'y', { qos: 1 }); // somebody else is not held up
    expect(acknowledged).toBe(false);
    storage.release();
    await publishing;
    expect(acknowledged).toBe(true);
  });

  test('with a full disk a message is not acknowledged, and the client is disconnected', async () => {
    const storage = new MemoryStorage();
    const broker = await start({ storage });
    const publisher = await client(broker, options);
    const reasons: (number | undefined)[] = [];
    publisher.on('disconnect', (packet) => reasons.push(packet.reasonCode));
    storage.setFull(true);
    let acknowledged = false;
    publisher.publish('r/1', 'kept', { qos: 1, retain: true }, (error) => {
      acknowledged = error === undefined || error === null;
    });
    await next(publisher, 'close');
    expect(acknowledged).toBe(false);
    expect(reasons).toEqual(protocolVersion === 5 ? [0x97] : []);
    expect(broker.status()).toMatchObject({ publishesRefused: 1, retainedMessages: 0 });
  });
});

test('retained and queued messages survive a restart on the same storage', async () => {
  const storage = new MemoryStorage();
  const session: IClientOptions = { clientId: 'away', clean: false };
  const before = await start({ storage });
  const first = await client(before, session);
  await first.subscribeAsync('door/#', { qos: 1 });
  await first.endAsync();
  const publisher = await client(before);
  await publisher.publishAsync('door/1', 'open', { qos: 1, retain: true });
  await publisher.publishAsync('lamp', 'on', { retain: true });
  await publisher.publishAsync('sync', '', { qos: 1 });
  await before.close();

  const after = await start({ storage });
  const subscriber = await client(after);
  const got = collect(subscriber);
  await subscriber.subscribeAsync('#');
  await until(() => got.length === 2);
  expect(got.map((message) => message.text).sort()).toEqual(['on', 'open']);
  const back = mqtt.connect(`mqtt://127.0.0.1:${after.address.port}`, { ...session, reconnectPeriod: 0 });
  cleanups.push(() => back.endAsync(true));
  const queued = collect(back);
  await until(() => queued.length === 1);
  expect(queued[0]?.text).toBe('open');
});

test('the commit of an acknowledged message alone brings it back: no shutdown is needed', async () => {
  const storage = new MemoryStorage();
  const killed = await start({ storage });
  const publisher = await client(killed);
  await publisher.publishAsync('a', '1', { qos: 1, retain: true });
  const after = await start({ storage }); // the first has written nothing since
  expect(after.status().retainedMessages).toBe(1);
});

test('a retained message of QoS 0 is written soon, its later values together', async () => {
  const storage = new MemoryStorage();
  const clock = new ManualClock();
  const broker = await start({ storage, clock });
  const publisher = await client(broker);
  await publisher.publishAsync('a', '1', { retain: true });
  await until(() => broker.status().retainedUnwritten === 1);
  clock.advance(50);
  await until(() => broker.status().retainedUnwritten === 0);
  const commits = storage.commits;
  for (let value = 2; value < 50; value++) await publisher.publishAsync('a', String(value), { retain: true });
  await publisher.publishAsync('sync', '', { qos: 1 });
  clock.advance(2_000);
  await until(() => broker.status().retainedUnwritten === 0);
  expect(storage.commits).toBe(commits + 1);
});

test('a busy port is named, with how to choose another', async () => {
  const broker = await start();
  const { port } = broker.address;
  await expect(start({ listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({
    code: 'address-in-use',
    message: expect.stringMatching(new RegExp(`${port}.*--mqtt-listen HOST:PORT`)),
  });
});

test('an in-process client needs neither socket nor login', async () => {
  const broker = await start({ authenticate: () => false });
  const inside = new mqtt.MqttClient(() => broker.connectInProcess(), { protocolVersion: 5, reconnectPeriod: 0 });
  cleanups.push(() => inside.endAsync(true));
  await next(inside, 'connect');
  const got = collect(inside);
  await inside.subscribeAsync('a');
  await inside.publishAsync('a', 'hello', { qos: 1 });
  await until(() => got.length === 1);
});

describe('hostile clients', () => {
  test.each([
    ['10 MB', [0x30, 0x80, 0xda, 0xc4, 0x04]],
    ['200 MB', [0x30, 0x80, 0xe1, 0xeb, 0x5f]],
    ['the most a header can say', [0x30, 0xff, 0xff, 0xff, 0x7f]],
  ])('a PUBLISH that announces %s is refused by its header', async (_name, header) => {
    const broker = await start();
    const socket = await rawSocket(broker);
    socket.write(connectPacket('big'));
    await once(socket, 'data');
    socket.write(Buffer.from(header));
    await closed(socket);
    expect(broker.status()).toMatchObject({ packetsTooLarge: 1, partialBytes: 0 });
  });

  test('an MQTT 5 client is told that its packet was too large', async () => {
    const broker = await start();
    const socket = await rawSocket(broker);
    socket.write(connect5Packet('big'));
    await once(socket, 'data');
    const answer: Buffer[] = [];
    socket.on('data', (chunk) => answer.push(chunk));
    socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
    await closed(socket);
    expect(Buffer.concat(answer)).toEqual(Buffer.from([0xe0, 2, 0x95, 0]));
  });

  test.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a PUBLISH before CONNECT', Buffer.from([0x30, 5, 0, 1, 0x61, 0x62, 0x63])],
    ['a length of five bytes', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01])],
    ['a CONNECT with a foreign protocol name', Buffer.from([0x10, 12, 0, 4, 0x58, 0x58, 0x58, 0x58, 4, 2, 0, 0, 0, 0])],
    ['a CONNECT that is cut short', Buffer.from([0x10, 3, 0, 4, 0x4d])],
    ['an MQTT 5 CONNECT that is cut short', Buffer.from([0x10, 9, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0])],
  ])('%s ends the connection and nothing else', async (_name, bytes) => {
    const broker = await start();
    const healthy = await client(broker);
    const socket = await rawSocket(broker);
    socket.write(bytes);
    await closed(socket);
    await healthy.publishAsync('still', 'here', { qos: 1 });
    expect(broker.status().protocolErrors).toBe(1);
  });

  test.each([4, 5])('packets with flipped bytes never end the broker (protocol level %i)', async (level) => {
    const broker = await start();
    const healthy = await client(broker);
    const five = level === 5 ? '00' : '';
    const packets = [
      `82${level === 5 ? '07' : '06'}0001${five}00016101`,
      `30${level === 5 ? '06' : '05'}000161${five}6869`,
      `33${level === 5 ? '08' : '07'}0001610007${five}6869`,
      `35${level === 5 ? '08' : '07'}0001610008${five}6869`,
      '62020008',
      `a2${level === 5 ? '06' : '05'}0002${five}000161`,
      'c000',
    ].map((text) => Buffer.from(text, 'hex'));
    let seed = 20_260_101 + level;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let round = 0; round < 150; round++) {
      const bytes = Buffer.concat(packets);
      for (let flips = 1 + random(3); flips > 0; flips--) bytes[random(bytes.length)] = random(256);
      const socket = await rawSocket(broker);
      socket.resume();
      socket.write(level === 5 ? connect5Packet(`f${round}`) : connectPacket(`f${round}`));
      socket.end(bytes);
      await closed(socket);
    }
    await until(() => broker.status().clients === 1);
    await healthy.publishAsync('still', 'here', { qos: 2 });
    expect(broker.status()).toMatchObject({ partialBytes: 0, outgoingBytes: 0 });
  });

  test('a client that says nothing is closed after the connect timeout', async () => {
    const broker = await start({ limits: { connectTimeoutMs: 30 } });
    const socket = await rawSocket(broker);
    await closed(socket);
    expect(broker.status().clients).toBe(0);
  });

  test('a packet that does not end in time closes its connection', async () => {
    const clock = new ManualClock();
    const broker = await start({ clock, limits: { packetTimeoutMs: 5_000 } });
    const socket = await rawSocket(broker);
    socket.write(connectPacket('slow'));
    await once(socket, 'data');
    socket.write(Buffer.from([0x30, 100, 0, 1]));
    await until(() => broker.status().partialBytes > 0);
    clock.advance(4_000);
    expect(broker.status().clients).toBe(1);
    clock.advance(3_000);
    await closed(socket);
    expect(broker.status()).toMatchObject({ packetsTimedOut: 1, partialBytes: 0 });
  });

  test('packets that are still arriving have one bound for all clients', async () => {
    const broker = await start({ limits: { maxPartialBytes: 10_000 } });
    const open = async (name: string) => {
      const socket = await rawSocket(broker);
      socket.write(connectPacket(name));
      await once(socket, 'data');
      return socket;
    };
    const first = await open('a');
    first.write(Buffer.concat([Buffer.from([0x30, 0xa0, 0x9c, 0x01]), Buffer.alloc(8_000)])); // 20,000 announced
    await until(() => broker.status().partialBytes > 8_000);
    const second = await open('b');
    second.write(Buffer.concat([Buffer.from([0x30, 0xa0, 0x9c, 0x01]), Buffer.alloc(8_000)]));
    await closed(second);
    expect(broker.status().clients).toBe(1);
  });

  test('connections over the limit are refused, in all and from one address', async () => {
    const broker = await start({ limits: { maxClients: 3, maxClientsPerAddress: 2 } });
    await client(broker);
    await client(broker);
    const third = await rawSocket(broker);
    await closed(third);
    expect(broker.status()).toMatchObject({ clients: 2, clientsRefused: 1 });
  });

  test.each([
    ['too deep', 'a/'.repeat(16)],
    ['too long', 'x'.repeat(1_025)],
    ['reserved', '$SYS/me'],
  ])('a topic that is %s costs its publisher the connection', async (_name, topic) => {
    const broker = await start();
    const publisher = await client(broker);
    publisher.publish(topic, 'x');
    await next(publisher, 'close');
    expect(broker.status().protocolErrors).toBe(1);
  });

  test('a subscription over the limits is refused, the others are granted', async () => {
    const broker = await start({ limits: { maxSubscriptionsPerClient: 3 } });
    const subscriber = await client(broker, { clientId: 's', clean: false });
    subscriber.subscribe(['a', 'x'.repeat(1_025), 'b', 'c', 'd'], { qos: 1 });
    const packet = await next(subscriber, 'packetreceive');
    expect(packet).toMatchObject({ cmd: 'suback', granted: [1, 128, 1, 1, 128] });
    expect(broker.status().subscriptionsRefused).toBe(2);
  });

  test('a session without a client id is refused', async () => {
    const broker = await start();
    const socket = await rawSocket(broker);
    socket.write(Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0]));
    const [answer] = await once(socket, 'data');
    expect(answer).toEqual(Buffer.from([0x20, 2, 0, 2]));
  });

  test('retained messages over the limit are refused where that can be said, and counted where not', async () => {
    const broker = await start({ limits: { maxRetainedMessages: 2 } });
    const publisher = await client(broker, { protocolVersion: 5 });
    for (const topic of ['a', 'b', 'c']) await publisher.publishAsync(topic, '1', { retain: true });
    await publisher.publishAsync('a', '2', { retain: true, qos: 1 });
    expect(broker.status()).toMatchObject({ retainedMessages: 2, retainedRefused: 1 });
    publisher.publish('d', '1', { retain: true, qos: 1 });
    const packet = await next(publisher, 'disconnect');
    expect(packet?.reasonCode).toBe(0x97);
  });

  test('the queue of a session drops its oldest messages', async () => {
    const broker = await start({ limits: { maxQueuedMessages: 3 } });
    const session: IClientOptions = { clientId: 'away', clean: false };
    const first = await client(broker, session);
    await first.subscribeAsync('n', { qos: 1 });
    await first.endAsync();
    const publisher = await client(broker);
    for (let index = 0; index < 5; index++) await publisher.publishAsync('n', String(index), { qos: 1 });
    expect(broker.status()).toMatchObject({ queuedMessages: 3, queueDropped: 2 });
    const back = mqtt.connect(`mqtt://127.0.0.1:${broker.address.port}`, { ...session, reconnectPeriod: 0 });
    cleanups.push(() => back.endAsync(true));
    const got = collect(back);
    await until(() => got.length === 3);
    expect(got.map((message) => message.text)).toEqual(['2', '3', '4']);
  });

  test('a frozen subscriber holds nobody up, loses QoS 0 messages, and is disconnected in the end', async () => {
    const clock = new ManualClock();
    const broker = await start({ clock, limits: { maxOutgoingBytes: 200_000, stuckTimeoutMs: 10_000 } });
    const frozen = await rawSocket(broker);
    frozen.write(connectPacket('frozen'));
    await once(frozen, 'data');
    frozen.write(Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 0])); // SUBSCRIBE #
    await once(frozen, 'data');
    frozen.pause();

    const healthy = await client(broker);
    const got = collect(healthy);
    await healthy.subscribeAsync('load/#');
    const publisher = await client(broker);
    const payload = Buffer.alloc(20_000, 'x');
    const count = 600; // 12 MB: more than the sockets' buffers hold
    for (let index = 0; index < count; index++) await publisher.publishAsync(`load/${index}`, payload);
    await until(() => got.length === count);
    expect(broker.status().slowDropped).toBeGreaterThan(50);
    expect(broker.status().outgoingBytes).toBeLessThan(1_000_000);
    expect(broker.status().clients).toBe(3);
    for (let second = 0; second < 13; second++) clock.advance(1_000);
    await until(() => broker.status().clients === 2);
    expect(broker.status()).toMatchObject({ slowDisconnected: 1, outgoingBytes: 0 });
  });
});

test('many retained messages reach a slow subscriber at its own pace', async () => {
  const broker = await start({ limits: { maxOutgoingBytes: 300_000 } });
  const publisher = await client(broker);
  const payload = Buffer.alloc(10_000, 'x');
  for (let index = 0; index < 500; index++) await publisher.publishAsync(`r/${index}`, payload, { retain: true });
  const slow = await rawSocket(broker);
  slow.write(connectPacket('slow'));
  await once(slow, 'data');
  slow.write(Buffer.from([0x82, 8, 0, 1, 0, 3, 0x72, 0x2f, 0x23, 0])); // SUBSCRIBE r/#
  slow.pause();
  await publisher.publishAsync('sync', '', { qos: 1 });
  expect(broker.status().outgoingBytes).toBeLessThan(300_000);
  let bytes = 0;
  slow.on('data', (chunk) => {
    bytes += chunk.length;
  });
  slow.resume();
  await until(() => bytes > 500 * 10_000);
  expect(broker.status().slowDropped).toBe(0);
});

test('a stored message is delivered although its publisher left before the acknowledgement', async () => {
  const storage = new MemoryStorage();
  const broker = await start({ storage });
  const subscriber = await client(broker);
  const got = collect(subscriber);
  await subscriber.subscribeAsync('r/#');
  storage.hold();
  const hasty = await rawSocket(broker);
  hasty.write(connectPacket('hasty'));
  await once(hasty, 'data');
  hasty.end(Buffer.from([0x33, 8, 0, 3, 0x72, 0x2f, 0x31, 0, 7, 0x78])); // PUBLISH r/1, QoS 1, retained
  await until(() => storage.heldCommits === 1);
  hasty.destroy();
  await until(() => broker.status().clients === 1);
  expect(got).toEqual([]);
  storage.release();
  await until(() => got.length === 1);
  expect(broker.status().retainedMessages).toBe(1);
});

test('an MQTT 5 client hears neither itself nor retained messages where it does not want to', async () => {
  const broker = await start();
  const other = await client(broker);
  await other.publishAsync('a', 'retained', { retain: true, qos: 1 });
  const quiet = await client(broker, { protocolVersion: 5 });
  const got = collect(quiet);
  await quiet.subscribeAsync('a', { qos: 1, nl: true, rh: 2 });
  await quiet.publishAsync('a', 'own', { qos: 1 });
  await other.publishAsync('a', 'foreign', { qos: 1 });
  await until(() => got.length > 0);
  expect(got.map((message) => message.text)).toEqual(['foreign']);
});

test('an MQTT 5 client that starts clean does not find its earlier session', async () => {
  const broker = await start();
  const options: IClientOptions = { protocolVersion: 5, clientId: 's', properties: { sessionExpiryInterval: 600 } };
  const first = await client(broker, { ...options, clean: true });
  await first.subscribeAsync('a', { qos: 1 });
  await first.endAsync();
  expect(broker.status().sessions).toBe(1);
  await client(broker, { ...options, clean: true });
  expect(broker.status().sessions).toBe(0);
});

test('a client that connects again with the same id takes over from itself', async () => {
  const broker = await start();
  const first = await client(broker, { clientId: 'same' });
  const replaced = next(first, 'close');
  const second = await client(broker, { clientId: 'same' });
  await replaced;
  await second.publishAsync('a', '1', { qos: 1 });
  expect(broker.status().clients).toBe(1);
});

test('a message on its way keeps only its own bytes when it is retained', async () => {
  const broker = await start();
  const publisher = await client(broker);
  await publisher.publishAsync('small', 'x', { retain: true, qos: 1 });
  expect(broker.status().retainedBytes).toBeLessThan(500);
});

test('closing twice is closing once; clients are disconnected and wills are kept for later', async () => {
  const storage = new MemoryStorage();
  const clock = new ManualClock();
  const broker = await start({ storage, clock });
  const device = await client(broker, {
    will: { topic: 'dev', payload: Buffer.from('offline'), retain: true, qos: 1 },
  });
  await Promise.all([broker.close(), broker.close(), next(device, 'close')]);
  expect([...storage.scan('mqtt-retained')]).toEqual([]);
  expect([...storage.scan('mqtt-will')]).toHaveLength(1);
});
