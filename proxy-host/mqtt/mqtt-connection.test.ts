import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import type { Random } from '@pipevine/runtime';
import { afterEach, describe, expect, test } from 'vitest';
import { type EmbeddedBroker, type EmbeddedBrokerInit, startEmbeddedBroker } from './embedded-broker.ts';
import { MqttConnection, type MqttConnectionInit, type MqttConnectionStatus } from './mqtt-connection.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { MemoryStorage } from './testing/memory-storage.ts';
import { tlsIdentity } from './testing/tls-identity.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const random: Random = { bytes: (length) => new Uint8Array(length), fraction: () => 0.5 };

async function startBroker(init: Partial<EmbeddedBrokerInit> = {}): Promise<EmbeddedBroker> {
  const broker = await startEmbeddedBroker({
    storage: new MemoryStorage(),
    clock: new ManualClock(),
    listen: { host: '127.0.0.1', port: 0 },
    ...init,
  });
  cleanups.push(() => broker.close());
  return broker;
}

interface Opened {
  readonly connection: MqttConnection;
  readonly clock: ManualClock;
  readonly messages: { topic: string; text: string; retain: boolean }[];
  readonly states: MqttConnectionStatus['state'][];
}

function open(init: Partial<MqttConnectionInit>): Opened {
  const clock = new ManualClock();
  const messages: Opened['messages'] = [];
  const states: Opened['states'] = [];
  const connection = new MqttConnection({
    clock,
    random,
    onMessage: (topic, payload, { retain }) => messages.push({ topic, text: Buffer.from(payload).toString(), retain }),
    onStatus: (status) => states.push(status.state),
    ...init,
  });
  cleanups.push(() => connection.close());
  connection.start();
  return { connection, clock, messages, states };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

const urlOf = (broker: EmbeddedBroker) => `mqtt://127.0.0.1:${broker.address.port}`;

/** A broker of a few lines, for what a good one does not do. */
async function fakeBroker(onSocket: (socket: Socket, data: Buffer) => void): Promise<{ url: string; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => onSocket(socket, data));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { url: `mqtt://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`, server };
}

describe.each(['a socket', 'a stream in the process'])('over %s', (kind) => {
  async function openTo(broker: EmbeddedBroker): Promise<Opened> {
    const opened = open(kind === 'a socket' ? { url: urlOf(broker) } : { openStream: () => broker.connectInProcess() });
    await until(() => opened.connection.connected);
    return opened;
  }

  test('a message comes back from the broker, retained ones marked', async () => {
    const broker = await startBroker();
    const { connection, messages } = await openTo(broker);
    await connection.publish('a/kept', 'old', { retain: true });
    connection.subscribe(['a/#']);
    await connection.settled();
    await connection.publish('a/live', 'new', { qos: 0 });
    await until(() => messages.some((message) => message.topic === 'a/live'));
    // The broker acknowledges first and delivers then, so the first may also come live.
    expect(messages).toContainEqual({ topic: 'a/kept', text: 'old', retain: true });
    expect(messages).toContainEqual({ topic: 'a/live', text: 'new', retain: false });
    expect(connection.status()).toMatchObject({ state: 'connected', protocolVersion: 5, inFlight: 0, published: 2 });
  });

  test('a broker that goes away and returns is found again, and everything is subscribed again', async () => {
    const storage = new MemoryStorage();
    let broker = await startBroker({ storage });
    const { port } = broker.address;
    const opened =
      kind === 'a socket' ? open({ url: urlOf(broker) }) : open({ openStream: () => broker.connectInProcess() });
    const { connection, clock, messages, states } = opened;
    await until(() => connection.connected);
    connection.subscribe(['x']);
    await connection.settled();
    await broker.close();
    await until(() => connection.status().state === 'waiting');
    await expect(connection.publish('x', '1')).rejects.toMatchObject({ code: 'unreachable' });
    clock.advance(1_500);
    await until(() => connection.status().state === 'waiting'); // still nobody there
    expect(connection.status().lastError).not.toBeNull();
    broker = await startBroker({ storage, listen: { host: '127.0.0.1', port } });
    while (!connection.connected) {
      clock.advance(1_000);
      await turn();
    }
    await connection.settled();
    await connection.publish('x', 'again');
    await until(() => messages.length === 1);
    expect(connection.status()).toMatchObject({ connections: 2, lastError: null, attempts: 0 });
    expect(states.filter((state) => state === 'connected')).toHaveLength(2);
  });
});

test('thousands of exact filters go in batches, and each is granted', async () => {
  const broker = await startBroker();
  const { connection, messages } = open({ url: urlOf(broker) });
  const filters = Array.from({ length: 3_000 }, (_, index) => `device/${index}/state`);
  connection.subscribe(filters);
  await until(() => connection.connected);
  await connection.settled();
  expect(connection.status()).toMatchObject({ filters: 3_000, filtersPending: 0, filtersRefused: 0 });
  await connection.publish('device/2999/state', 'on');
  await until(() => messages.length === 1);
});

test('a filter is given up when its last user is gone', async () => {
  const broker = await startBroker();
  const { connection, messages } = open({ url: urlOf(broker) });
  await until(() => connection.connected);
  connection.subscribe(['a', 'b']);
  connection.subscribe(['a']);
  connection.unsubscribe(['a', 'b']);
  await connection.settled();
  await connection.publish('b', 'unheard');
  await connection.publish('a', 'heard');
  await until(() => messages.length > 0);
  connection.unsubscribe(['a']);
  await connection.settled();
  await connection.publish('a', 'unheard');
  expect(messages.map((message) => message.text)).toEqual(['heard']);
  expect(connection.status().filters).toBe(0);
});

test('refused and impossible filters are counted, and spoil no others', async () => {
  const broker = await startBroker({ limits: { maxTopicLevels: 3 } });
  const { connection, messages } = open({ url: urlOf(broker) });
  connection.subscribe(['a/b/c/d', 'a/#/b', 'ok']);
  await until(() => connection.connected);
  await connection.settled();
  expect(connection.status()).toMatchObject({ filters: 3, filtersPending: 0, filtersRefused: 2 });
  await connection.publish('ok', 'yes');
  await until(() => messages.length === 1);
});

test('too many filters are refused as a whole', async () => {
  const { connection } = open({ url: 'mqtt://127.0.0.1:1', limits: { maxFilters: 2 } });
  connection.subscribe(['a']);
  expect(() => connection.subscribe(['b', 'c'])).toThrow(expect.objectContaining({ code: 'overloaded' }));
  expect(connection.status().filters).toBe(1);
});

test('without a connection a publish is refused at once, with the reason', async () => {
  const { connection } = open({ url: 'mqtt://127.0.0.1:1' });
  await until(() => connection.status().state === 'waiting');
  await expect(connection.publish('a', '1')).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('nothing listens there'),
  });
});

test('the pauses between attempts grow to half a minute', async () => {
  const { connection, clock } = open({ url: 'mqtt://127.0.0.1:1' });
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    await until(() => connection.status().state === 'waiting');
    const pause = clock.nextDelayMs ?? 0;
    pauses.push(pause);
    clock.advance(pause);
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test('a wrong password is named, and tried again slowly', async () => {
  const brokerClock = new ManualClock();
  const broker = await startBroker({ clock: brokerClock, authenticate: () => false });
  const { connection, clock } = open({
    url: `mqtt://ann@127.0.0.1:${broker.address.port}`,
    password: 'wrong',
  });
  await until(() => broker.status().loginsRefused === 1);
  brokerClock.advance(1_000);
  await until(() => connection.status().state === 'waiting');
  expect(connection.status().lastError).toMatch(/refused user "ann": check the user name and the password/);
  expect(clock.nextDelayMs).toBe(30_000);
});

test('user and password reach the broker', async () => {
  const broker = await startBroker({ authenticate: (username, password) => username === 'änn' && password === 'p:1' });
  const { connection } = open({ url: `mqtt://%C3%A4nn@127.0.0.1:${broker.address.port}`, password: 'p:1' });
  await until(() => connection.connected);
});

test.each([
  ['refuses the version in its own words', (socket: Socket) => socket.write(Buffer.from([0x20, 2, 0, 1]))],
  ['refuses the version in MQTT 5', (socket: Socket) => socket.write(Buffer.from([0x20, 3, 0, 0x84, 0]))],
  ['just closes', (socket: Socket) => socket.destroy()],
])('a broker for 3.1.1 that %s is spoken to in 3.1.1', async (_name, refuse) => {
  const { url } = await fakeBroker((socket, data) => {
    if (data[0] !== 0x10) return;
    if (data[8] === 5) refuse(socket);
    else socket.write(Buffer.from([0x20, 2, 0, 0]));
  });
  const { connection, clock } = open({ url });
  await until(() => connection.status().state === 'waiting');
  clock.advance(250);
  await until(() => connection.connected);
  expect(connection.status().protocolVersion).toBe(4);
});

describe('a broker that behaves badly', () => {
  const accept = (socket: Socket) => socket.write(Buffer.from([0x20, 3, 0, 0, 0]));

  test('does not answer: the attempt ends at its deadline', async () => {
    const { url } = await fakeBroker(() => {});
    const { connection, clock } = open({ url, limits: { connectTimeoutMs: 5_000 } });
    await turn();
    clock.advance(5_000);
    await until(() => connection.status().state === 'waiting');
    expect(connection.status().lastError).toContain('no answer within 5000 ms');
  });

  test('does not acknowledge: the publish ends at its deadline or with its signal', async () => {
    const { url } = await fakeBroker((socket, data) => data[0] === 0x10 && accept(socket));
    const { connection, clock } = open({ url });
    await until(() => connection.connected);
    const late = connection.publish('a', '1', { timeoutMs: 500 });
    const stopping = new AbortController();
    const stopped = connection.publish('a', '1', { signal: stopping.signal });
    stopping.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    clock.advance(500);
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    expect(connection.status()).toMatchObject({ inFlight: 0, publishesUnacknowledged: 2 });
  });

  test('vanishes before it acknowledges: the publisher hears that the outcome is unknown', async () => {
    const { url } = await fakeBroker((socket, data) => {
      if (data[0] === 0x10) accept(socket);
      else socket.destroy();
    });
    const { connection } = open({ url });
    await until(() => connection.connected);
    await expect(connection.publish('a', '1')).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('may have arrived or not'),
    });
  });

  test('is slow: what waits is bounded', async () => {
    const { url } = await fakeBroker((socket, data) => data[0] === 0x10 && accept(socket));
    const { connection } = open({ url, limits: { maxInFlight: 3, maxInFlightBytes: 1_000 } });
    await until(() => connection.connected);
    const waiting = [1, 2, 3].map(() => connection.publish('a', '1').catch((error) => error.code));
    await expect(connection.publish('a', '1')).rejects.toMatchObject({ code: 'overloaded' });
    await connection.close();
    expect(await Promise.all(waiting)).toEqual(['closed', 'closed', 'closed']);
  });

  test('does not answer a subscription: the connection is made anew', async () => {
    const { url } = await fakeBroker((socket, data) => data[0] === 0x10 && accept(socket));
    const { connection, clock } = open({ url });
    await until(() => connection.connected);
    connection.subscribe(['a']);
    await turn();
    clock.advance(10_000);
    await until(() => connection.status().state === 'waiting');
    expect(connection.status().lastError).toContain('did not answer a subscription');
  });

  test('sends a huge message: it is dropped as it comes, the next one arrives', async () => {
    const { url } = await fakeBroker((socket, data) => {
      if (data[0] !== 0x10) return;
      accept(socket);
      const size = 5_000_000;
      const length = [
        0x80 | (size % 128),
        0x80 | (Math.floor(size / 128) % 128),
        0x80 | (Math.floor(size / 16_384) % 128),
        Math.floor(size / 2_097_152),
      ];
      socket.write(Buffer.from([0x30, ...length]));
      socket.write(Buffer.concat([Buffer.from([0, 1, 0x61, 0]), Buffer.alloc(size - 4)]));
      socket.write(Buffer.from([0x30, 6, 0, 1, 0x62, 0, 0x6f, 0x6b]));
    });
    const { connection, messages } = open({ url });
    await until(() => messages.length === 1);
    expect(messages[0]).toEqual({ topic: 'b', text: 'ok', retain: false });
    expect(connection.status().receivedTooLarge).toBe(1);
  });

  test('sends a message above the payload limit: it is counted, not handed on', async () => {
    const broker = await startBroker();
    const { connection, messages } = open({ url: urlOf(broker), limits: { maxPayloadBytes: 10 } });
    connection.subscribe(['#']);
    await until(() => connection.connected);
    await connection.settled();
    await connection.publish('a', 'x'.repeat(11));
    await connection.publish('a', 'x'.repeat(10));
    await until(() => messages.length === 1);
    expect(connection.status()).toMatchObject({ received: 1, receivedTooLarge: 1 });
  });

  test('sends garbage: the connection is made anew', async () => {
    const { url } = await fakeBroker((socket, data) => {
      if (data[0] !== 0x10) return;
      accept(socket);
      socket.write(Buffer.from([0x00, 0xff, 0xff, 0xff, 0xff]));
    });
    const { connection } = open({ url });
    await until(() => connection.status().state === 'waiting');
    expect(connection.status().lastError).not.toBeNull();
  });
});

test('a handler that throws does not end the connection', async () => {
  const broker = await startBroker();
  const seen: string[] = [];
  const { connection } = open({
    url: urlOf(broker),
    onMessage: (topic) => {
      seen.push(topic);
      if (topic === 'bad') throw new Error('no');
    },
  });
  connection.subscribe(['#']);
  await until(() => connection.connected);
  await connection.settled();
  await connection.publish('bad', '1');
  await connection.publish('good', '1');
  await until(() => seen.length === 2);
  expect(connection.status()).toMatchObject({ receivedFailed: 1, state: 'connected' });
});

describe('over TLS', () => {
  async function startTls(): Promise<{ broker: EmbeddedBroker; url: string }> {
    const broker = await startBroker();
    const server = createTlsServer({ cert: tlsIdentity.cert, key: tlsIdentity.key }, (socket) => {
      socket.on('error', () => {});
      const near = broker.connectInProcess();
      near.on('error', () => {});
      socket.pipe(near).pipe(socket);
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const address = server.address();
    return { broker, url: `mqtts://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}` };
  }

  test('a broker whose authority is given is trusted', async () => {
    const { url } = await startTls();
    const { connection, messages } = open({ url, ca: tlsIdentity.ca });
    connection.subscribe(['a']);
    await until(() => connection.connected);
    await connection.settled();
    await connection.publish('a', 'secret');
    await until(() => messages.length === 1);
  });

  test('a broker whose authority is not known is refused, and what to do is said', async () => {
    const { url, broker } = await startTls();
    const { connection } = open({ url });
    await until(() => connection.status().state === 'waiting');
    expect(connection.status().lastError).toMatch(/not signed by a known authority .*give its CA file/);
    expect(connection.status().protocolVersion).toBe(5);
    expect(broker.status().clients).toBe(0);
  });
});

test.each([
  ['http://host', /expected mqtt:\/\//],
  ['mqtt://', /expected mqtt:\/\//],
  ['host:1883', /expected mqtt:\/\//],
  ['mqtt://ann:secret@host', /by the environment or by a file/],
  ['mqtt://host/path', /expected mqtt:\/\//],
])('the address %s is refused', (url, message) => {
  expect(() => open({ url })).toThrow(message);
});

test('closing twice is closing once, and nothing is tried afterwards', async () => {
  const broker = await startBroker();
  const { connection, clock } = open({ url: urlOf(broker) });
  await until(() => connection.connected);
  await Promise.all([connection.close(), connection.close()]);
  await until(() => broker.status().clients === 0);
  expect(connection.status().state).toBe('closed');
  expect(clock.pendingTimers).toBe(0);
  await expect(connection.publish('a', '1')).rejects.toMatchObject({ code: 'closed' });
});
