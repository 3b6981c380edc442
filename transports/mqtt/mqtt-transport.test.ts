import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Connection, TransportListener } from '@pipevine/runtime';
import { Aedes, type AedesPublishPacket } from 'aedes';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tlsIdentity } from '../../proxy-host/mqtt/testing/tls-identity.ts';
import { RecordingHandler } from '../../test/compliance/recording-handler.ts';
import { seededRandom } from '../memory/seeded-random.ts';
import { nodeCrypto } from '../node/node-crypto.ts';
import { mqttAddressText, parseMqttAddress } from './mqtt-address.ts';
import type { MqttTransportInit } from './mqtt-options.ts';
import { type MqttTransport, mqttTransport } from './mqtt-transport.ts';
import { PacketFilter } from './packet-guard.ts';
import { decodeHello, encodeWelcome } from './session-frame.ts';
import { sessionKeys } from './session-keys.ts';
import { sessionText } from './session-topics.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 15 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A broker whose network can be cut, on one port through its lives. */
class TestBroker {
  aedes!: Aedes;
  #server!: Server;
  #port = 0;
  readonly #sockets = new Set<Socket>();
  /** What the broker does with each message to a peer. */
  forwards: (packet: AedesPublishPacket) => boolean = () => true;

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.aedes = await Aedes.createBroker();
    this.aedes.authorizeForward = (_client, packet) => (this.forwards(packet) ? packet : null);
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      this.aedes.handle(socket);
    });
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    const bound = this.#server.address();
    this.#port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await new Promise<void>((resolve) => this.aedes.close(resolve));
    await closed;
  }
}

let broker: TestBroker;
beforeEach(async () => {
  broker = new TestBroker();
  await broker.start();
  cleanups.push(() => broker.stop());
});

interface Pair {
  readonly near: Connection;
  readonly far: Connection;
  readonly nearEvents: RecordingHandler;
  readonly farEvents: RecordingHandler;
  readonly dialling: MqttTransport;
  readonly listening: MqttTransport;
  readonly listener: TransportListener;
}

async function connect(init: MqttTransportInit = {}): Promise<Pair> {
  const dialling = mqttTransport(init);
  const listening = mqttTransport(init);
  const accepted: Connection[] = [];
  const listener = await listening.listen(`${broker.url}/home`, (connection) => accepted.push(connection));
  cleanups.push(() => listener.close());
  const near = await dialling.dial(listener.addresses[0] ?? '');
  const nearEvents = new RecordingHandler();
  near.start(nearEvents);
  await until(() => accepted.length === 1, 'the connection is accepted');
  const far = accepted[0] as Connection; // Its presence is what was waited for.
  const farEvents = new RecordingHandler();
  far.start(farEvents);
  cleanups.push(() => {
    near.abort();
    far.abort();
  });
  return { near, far, nearEvents, farEvents, dialling, listening, listener };
}

/** Somebody else at the broker, who hears everything. */
async function bystander(): Promise<{ client: MqttClient; heard: { topic: string; payload: Buffer }[] }> {
  const client = await connectAsync(broker.url, { reconnectPeriod: 0 });
  client.on('error', () => undefined);
  cleanups.push(() => client.end(true));
  const heard: { topic: string; payload: Buffer }[] = [];
  client.on('message', (topic, payload) => heard.push({ topic, payload }));
  await client.subscribeAsync('#');
  return { client, heard };
}

const isSession = (topic: string): boolean => /\/[dl]$/.test(topic);

/** Writes as the transport allows, and waits until the other side has it all. */
async function send(from: Connection, to: RecordingHandler, data: Uint8Array, cutBytes = 20_000): Promise<void> {
  const before = to.byteLength;
  for (let at = 0; at < data.length; at += cutBytes) {
    from.write([data.slice(at, at + cutBytes)]);
    const sent = Math.min(at + cutBytes, data.length);
    await until(() => before + sent - to.byteLength < 200_000, 'the reader keeps up');
  }
  await until(() => to.byteLength >= before + data.length, 'all bytes arrive');
}

describe('an unreliable broker', () => {
  it('delivers every byte once and in order though messages are lost', async () => {
    const { near, far, nearEvents, farEvents, dialling } = await connect();
    const random = seededRandom('losses');
    let lost = 0;
    broker.forwards = ({ topic }) => {
      const drop = isSession(topic) && random.fraction() < 0.05;
      if (drop) lost++;
      return !drop;
    };
    const data = random.bytes(600_000);
    await Promise.all([send(near, farEvents, data), send(far, nearEvents, data)]);
    expect(Buffer.compare(farEvents.bytes(), data)).toBe(0);
    expect(Buffer.compare(nearEvents.bytes(), data)).toBe(0);
    expect(lost).toBeGreaterThan(0);
    expect(dialling.counters.resent).toBeGreaterThan(0);
  });

  it('closes in good order though the last words are lost', async () => {
    const { near, nearEvents, farEvents } = await connect();
    const seen = new Set<string>();
    // Each first frame of a kind to either side is lost.
    broker.forwards = ({ topic, payload }) => {
      const key = `${topic} ${payload[0]}`;
      const isFirst = isSession(topic) && !seen.has(key);
      seen.add(key);
      return !isFirst;
    };
    near.write([Uint8Array.of(1, 2, 3)]);
    near.close();
    await until(() => nearEvents.closed.length + farEvents.closed.length === 2, 'both are told');
    expect(farEvents.bytes()).toEqual(Uint8Array.of(1, 2, 3));
    expect([...nearEvents.closed, ...farEvents.closed]).toEqual([undefined, undefined]);
  });

  it('tells the other side when it gives up closing', async () => {
    const { near, far, nearEvents, farEvents } = await connect({ limits: { closeMs: 300 } });
    far.pause();
    // Whatever the closing side says but a reset is lost, and so is all that the other side says.
    broker.forwards = ({ topic, payload }) => !isSession(topic) || (topic.endsWith('/l') && payload[0] === 6);
    near.write([Uint8Array.of(1)]);
    near.close();
    await until(() => nearEvents.closed.length + farEvents.closed.length === 2, 'both are told');
    expect(nearEvents.closed[0]).toMatchObject({ code: 'timeout' });
    expect(farEvents.closed[0]).toMatchObject({ code: 'closed' });
  });

  it('resets the other side though the reset itself is lost', async () => {
    const { near, far, farEvents } = await connect();
    let lost = 0;
    broker.forwards = ({ topic }) => {
      if (isSession(topic)) lost++;
      return !isSession(topic);
    };
    near.abort();
    await until(() => lost > 0, 'the reset is lost');
    broker.forwards = () => true;
    far.write([Uint8Array.of(1)]);
    await until(() => farEvents.closed.length === 1, 'the other side is told');
    expect(farEvents.closed[0]).toMatchObject({ code: 'closed' });
  });

  it('falls silent when both sides have closed', async () => {
    const { near, far, nearEvents, farEvents } = await connect();
    const { client, heard } = await bystander();
    near.close();
    far.close();
    await until(() => nearEvents.closed.length + farEvents.closed.length === 2, 'both are told');
    const lastWords = (): number => heard.filter(({ topic, payload }) => isSession(topic) && payload[0] === 5).length;
    await until(() => lastWords() === 2, 'both have said so');
    const said = heard.filter(({ topic }) => isSession(topic));
    for (const { topic, payload } of said) await client.publishAsync(topic, payload);
    // Two sessions that answered each other's last word would say hundreds in the time of these round trips.
    for (let trips = 0; trips < 50; trips++) await client.publishAsync('trip', String(trips), { qos: 1 });
    expect(heard.filter(({ topic }) => isSession(topic)).length).toBeLessThan(20);
  });

  it('goes on byte-exact when the broker dies and comes back', async () => {
    const { near, far, nearEvents, farEvents, dialling } = await connect();
    const data = seededRandom('restart').bytes(400_000);
    near.write([data.slice(0, 200_000)]);
    await until(() => farEvents.byteLength > 0, 'some of it arrives');
    await broker.stop();
    near.write([data.slice(200_000)]);
    far.write([Uint8Array.of(7)]);
    await broker.start();
    await until(() => farEvents.byteLength >= data.length && nearEvents.byteLength >= 1, 'the rest arrives');
    expect(Buffer.compare(farEvents.bytes(), data)).toBe(0);
    expect(nearEvents.bytes()).toEqual(Uint8Array.of(7));
    expect(dialling.counters.brokerConnections).toBeGreaterThan(1);
  });

  it('accepts new sessions when the broker has come back', async () => {
    const { listener, dialling } = await connect();
    await broker.stop();
    await broker.start();
    const again = await dialling.dial(listener.addresses[0] ?? '', { timeoutMs: 15_000 });
    again.abort();
    expect(dialling.counters.dialled).toBe(2);
  });

  it('ends sessions with one error when the broker stays away', async () => {
    const { nearEvents, farEvents, dialling } = await connect({ limits: { brokerAwayMs: 100 } });
    await broker.stop();
    cleanups.push(() => broker.start());
    await until(() => nearEvents.closed.length + farEvents.closed.length === 2, 'both are told');
    expect(nearEvents.closed[0]).toMatchObject({ code: 'unreachable' });
    expect(farEvents.closed[0]).toMatchObject({ code: 'unreachable' });
    expect(dialling.counters.open).toBe(0);
  });

  it('ends a session whose other side has vanished, when something waits for it', async () => {
    const { near, nearEvents } = await connect({ limits: { silenceMs: 500 } });
    broker.forwards = ({ topic }) => !topic.endsWith('/d');
    near.write([Uint8Array.of(1)]);
    await until(() => nearEvents.closed.length === 1, 'the writer is told');
    expect(nearEvents.closed[0]).toMatchObject({ code: 'timeout' });
  });

  it('keeps a reader that pauses from losing anything, and the writer from sending more than it granted', async () => {
    const { near, far, farEvents } = await connect({
      limits: { receiveBytes: 32 * 1024, sendBytes: 64 * 1024, frameBytes: 4096 },
    });
    const { heard } = await bystander();
    far.pause();
    const data = seededRandom('pause').bytes(300_000);
    expect(near.write([data.slice()])).toBe(false);
    const granted = (): number => heard.filter(({ payload }) => payload[0] === 1).length;
    await until(() => granted() === 8, 'what was granted is sent');
    expect(farEvents.byteLength).toBe(0);
    far.resume();
    await until(() => farEvents.byteLength === data.length, 'the rest arrives');
    expect(Buffer.compare(farEvents.bytes(), data)).toBe(0);
  });
});

describe('somebody else at the broker', () => {
  it('cannot change, repeat or end a session', async () => {
    const { near, farEvents, nearEvents, listening, dialling } = await connect();
    const { client, heard } = await bystander();
    const data = seededRandom('replay').bytes(100_000);
    await send(near, farEvents, data.slice(0, 50_000));
    const recorded = heard.filter(({ topic }) => isSession(topic));
    for (const { topic, payload } of recorded) {
      await client.publishAsync(topic, payload);
      const altered = Buffer.from(payload);
      altered[10] = (altered[10] ?? 0) ^ 1;
      await client.publishAsync(topic, altered);
      const reset = Buffer.from(payload);
      reset[0] = 6;
      await client.publishAsync(topic, reset);
      await client.publishAsync(topic, Buffer.alloc(0));
      await client.publishAsync(
        topic.replace(/[dl]$/, (side) => (side === 'd' ? 'l' : 'd')),
        payload,
      );
    }
    await send(near, farEvents, data.slice(50_000));
    expect(Buffer.compare(farEvents.bytes(), data)).toBe(0);
    expect(nearEvents.closed).toEqual([]);
    expect(listening.counters.duplicates).toBeGreaterThan(0);
    const forged = (): number => listening.counters.forged + dialling.counters.forged;
    await until(() => forged() >= 3 * recorded.length, 'what was forged is noticed');
  });

  it('cannot answer in the place of a listener', async () => {
    const dialling = mqttTransport();
    const { client, heard } = await bystander();
    const nobody = `${broker.url}/home#00112233445566778899aabbccddeeff`;
    const dialled = dialling.dial(nobody, { timeoutMs: 400 });
    const rejected = expect(dialled).rejects.toMatchObject({ code: 'timeout' });
    await until(() => heard.some(({ topic }) => topic.endsWith('/in')), 'the greeting is heard');
    const hello = decodeHello(heard.find(({ topic }) => topic.endsWith('/in'))?.payload ?? Buffer.alloc(0));
    if (hello === undefined) throw new Error('The greeting cannot be read.');
    const impostor = nodeCrypto.agreementKey(new Uint8Array(32).fill(9));
    const shared = impostor.agree(hello.publicKey) ?? new Uint8Array(32);
    const keys = sessionKeys(shared, hello.sessionId, hello.publicKey, impostor.publicKey);
    const session = sessionText(hello.sessionId);
    await client.publishAsync(`home/${session}/d`, encodeWelcome(impostor.publicKey, keys.fromListener));
    await client.publishAsync(`home/${session}/d`, Buffer.from('welcome'));
    await rejected;
    expect(dialling.counters.forged).toBe(2);
    expect(dialling.counters.open).toBe(0);
  });

  it('floods a listener with greetings at a bounded cost, and leaves its sessions alone', async () => {
    const limits = { maxPending: 4, greetingBurst: 10, greetingsPerSecond: 0.001 };
    const { near, far, nearEvents, farEvents, listening, listener } = await connect({ limits });
    const { client } = await bystander();
    const topic = (listener.addresses[0] ?? '').replace(/^.*1:\d+\/(.*)#(.*)$/, '$1/$2/in');
    const random = seededRandom('greetings');
    for (let count = 0; count < 500; count++) {
      client.publish(topic, Buffer.concat([Uint8Array.of(0x10, 1), random.bytes(48)]));
      client.publish(topic, Buffer.from(random.bytes(random.integer(100))));
    }
    await until(() => listening.counters.forged >= 500, 'the flood has arrived');
    expect(listening.counters.greetingsRefused).toBeGreaterThanOrEqual(480);
    expect(listening.counters.pendingDropped).toBeGreaterThanOrEqual(1);
    expect(listening.counters.open).toBe(1);
    await send(near, farEvents, Uint8Array.of(1));
    await send(far, nearEvents, Uint8Array.of(2));
  });

  it('cannot make a peer hold a message that is too large', async () => {
    const { near, farEvents, listening, listener } = await connect();
    const { client } = await bystander();
    const topic = (listener.addresses[0] ?? '').replace(/^.*1:\d+\/(.*)#(.*)$/, '$1/$2/in');
    await client.publishAsync(topic, Buffer.alloc(1_000_000));
    await until(() => listening.counters.tooLarge === 1, 'it is noticed');
    await send(near, farEvents, Uint8Array.of(1));
    expect(listening.counters.brokerConnections).toBe(1);
  });

  it('cannot plant a greeting that outlives it', async () => {
    const { dialling, listening, listener } = await connect();
    const { client, heard } = await bystander();
    const again = await dialling.dial(listener.addresses[0] ?? '');
    again.abort();
    await until(() => heard.some(({ topic }) => topic.endsWith('/in')), 'a greeting is heard');
    const greeting = heard.find(({ topic }) => topic.endsWith('/in'));
    await client.publishAsync(greeting?.topic ?? '', greeting?.payload ?? '', { retain: true, qos: 1 });
    await listener.close();
    const accepted = listening.counters.accepted;
    const relisten = await listening.listen(`${broker.url}/home`, () => undefined);
    cleanups.push(() => relisten.close());
    await until(() => listening.counters.retained >= 1, 'the retained greeting is refused');
    expect(listening.counters.accepted).toBe(accepted);
  });
});

describe('the place at the broker', () => {
  it('is the same after a restart with the same seed, and differs by broker and prefix', async () => {
    const listenerSeed = new Uint8Array(32).fill(5);
    const addresses: string[] = [];
    for (const prefix of ['a', 'a', 'b']) {
      const listener = await mqttTransport({ listenerSeed }).listen(`${broker.url}/${prefix}`, () => undefined);
      addresses.push(listener.addresses[0] ?? '');
      await listener.close();
    }
    expect(addresses[0]).toBe(addresses[1]);
    expect(addresses[0]?.split('#')[1]).not.toBe(addresses[2]?.split('#')[1]);
  });

  it('refuses to listen under an id that is not its own', async () => {
    const other = `${broker.url}/home#00112233445566778899aabbccddeeff`;
    await expect(mqttTransport().listen(other, () => undefined)).rejects.toMatchObject({ code: 'invalid-address' });
  });

  it('shows a login to its own broker alone', async () => {
    const seen: (string | undefined)[] = [];
    broker.aedes.authenticate = (_client, username, password, done) => {
      seen.push(username === undefined ? undefined : `${username}:${password}`);
      done(null, true);
    };
    const logins = new Map([
      [broker.url, { username: 'peer', password: 'word' }],
      ['mqtt://127.0.0.1:1', { username: 'other', password: 'secret' }],
    ]);
    for (const transport of [mqttTransport({ logins }), mqttTransport({ logins: new Map([...logins].slice(1)) })]) {
      const listener = await transport.listen(`${broker.url}/home`, () => undefined);
      await listener.close();
    }
    expect(seen).toEqual(['peer:word', undefined]);
  });

  it('says what to do when the broker refuses the login or the topic', async () => {
    broker.aedes.authorizeSubscribe = (_client, _subscription, done) => done(null, null);
    const denied = mqttTransport().listen(`${broker.url}/home`, () => undefined);
    await expect(denied).rejects.toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('home/'),
    });
    broker.aedes.authenticate = (_client, _username, _password, done) => {
      done(Object.assign(new Error('no'), { returnCode: 5 }), false);
    };
    const refused = mqttTransport().listen(`${broker.url}/home`, () => undefined);
    await expect(refused).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('login') });
  });

  it('leaves the broker when nothing is open any more', async () => {
    const { near, far, listener } = await connect({ limits: { lingerMs: 1 } });
    expect(broker.aedes.connectedClients).toBe(2);
    near.close();
    far.close();
    await listener.close();
    await until(() => broker.aedes.connectedClients === 0, 'both have left');
  });

  it('opens no more sessions than it may', async () => {
    const { dialling, listener } = await connect({ limits: { maxSessions: 1 } });
    await expect(dialling.dial(listener.addresses[0] ?? '')).rejects.toMatchObject({ code: 'overloaded' });
  });
});

describe('a broker with a certificate', () => {
  it('is used when its authority is given, and refused when it is not', async () => {
    const aedes = await Aedes.createBroker();
    const { cert, key, ca } = tlsIdentity;
    const server = createTlsServer({ cert, key }, (socket) => aedes.handle(socket));
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(async () => {
      await new Promise<void>((resolve) => aedes.close(resolve));
      server.close();
    });
    const bound = server.address();
    const place = `mqtts://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
    const transport = mqttTransport({ logins: new Map([[place, { ca }]]) });
    const accepted: Connection[] = [];
    const listener = await transport.listen(`${place}/home`, (connection) => accepted.push(connection));
    cleanups.push(() => listener.close());
    const near = await transport.dial(listener.addresses[0] ?? '');
    near.abort();
    const distrusting = mqttTransport().listen(`${place}/home`, () => undefined);
    await expect(distrusting).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('certificate'),
    });
  });
});

describe('listening while the broker is away', () => {
  it('waits for no broker when the reason is heard, and takes effect when the broker is there', async () => {
    await broker.stop();
    const told: string[] = [];
    const listening = mqttTransport({ onListenWaits: (address, { code }) => told.push(`${code} ${address}`) });
    const accepted: Connection[] = [];
    const listener = await listening.listen(`${broker.url}/home`, (connection) => accepted.push(connection));
    cleanups.push(() => listener.close());
    const [address = ''] = listener.addresses;
    await until(() => told.length > 0, 'the reason is told');
    expect(told).toEqual([`unreachable ${address}`]);
    await broker.start();
    await until(() => listening.counters.brokerConnections > 0, 'the broker is used');
    const near = await mqttTransport().dial(address);
    cleanups.push(() => near.abort());
    expect(told).toHaveLength(1);
  });

  it('rejects when nobody hears the reason', async () => {
    const away = broker.url;
    await broker.stop();
    await expect(mqttTransport().listen(`${away}/home`, () => undefined)).rejects.toMatchObject({
      code: 'unreachable',
    });
    await broker.start();
  });
});

describe('logins', () => {
  it.each(['tcp://broker', 'mqtt://broker/prefix', 'broker', 'mqtt://user@broker'])('are for no broker %s', (text) => {
    expect(() => mqttTransport({ logins: new Map([[text, {}]]) })).toThrow(
      /is (no MQTT broker|not an endpoint address)/,
    );
  });
});

describe('addresses', () => {
  it.each([
    ['mqtt://broker/a', 'mqtt://broker:1883/a'],
    ['mqtts://broker/a/b', 'mqtts://broker:8883/a/b'],
    ['mqtt://[2001:db8::1]:1/a', 'mqtt://[2001:db8::1]:1/a'],
    ['mqtt://10.0.0.1/a#00112233445566778899aabbccddeeff', 'mqtt://10.0.0.1:1883/a#00112233445566778899aabbccddeeff'],
  ])('reads %s as %s', (text, written) => {
    expect(mqttAddressText(parseMqttAddress(text))).toBe(written);
  });
});

describe('the packet filter', () => {
  const small = Buffer.from([0x30, 0x05, 0, 1, 0x61, 1, 2]);
  const large = Buffer.concat([Buffer.from([0x30, 0xc8, 0x01]), Buffer.alloc(200, 7)]);

  it('takes out what is too large, wherever the bytes are cut', () => {
    const all = Buffer.concat([small, large, small, large, Buffer.from([0xd0, 0])]);
    const expected = Buffer.concat([small, small, Buffer.from([0xd0, 0])]);
    for (let cut = 0; cut <= all.length; cut++) {
      let dropped = 0;
      const filter = new PacketFilter(100, () => {
        dropped++;
      });
      const passed = [...filter.push(all.subarray(0, cut)), ...filter.push(all.subarray(cut))];
      expect(Buffer.concat(passed)).toEqual(expected);
      expect(dropped).toBe(2);
    }
  });

  it('ends a stream that is no MQTT', () => {
    const filter = new PacketFilter(100, () => undefined);
    expect(() => filter.push(Buffer.from([0x20, 0xff, 0xff, 0xff, 0x7f]))).toThrow('is this an MQTT broker?');
    expect(() => new PacketFilter(100, () => undefined).push(Buffer.alloc(6, 0xff))).toThrow('four bytes');
  });
});
