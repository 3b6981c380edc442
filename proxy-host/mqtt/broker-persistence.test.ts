import assert from 'node:assert';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { brokerLimits } from './broker-limits.ts';
import type { BrokerPacket, Qos } from './broker-packet.ts';
import { BrokerPersistence } from './broker-persistence.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { MemoryStorage } from './testing/memory-storage.ts';

interface TestContext {
  readonly assert: object;
  plan(count: number): void;
  diagnostic(text: string): void;
}

type AbstractSuite = (options: {
  test: (name: string, body: (context: TestContext) => Promise<void>) => void;
  persistence: () => BrokerPersistence;
  testAsync: boolean;
}) => void;

const persistence = (storage = new MemoryStorage(), clock = new ManualClock()) =>
  new BrokerPersistence({ storage, clock, limits: brokerLimits(), paceOf: () => undefined });

/** Expectations that do not fit, and why. */
const differing = new Map([
  ['store and look up a subscription with an MQTT 5.0 subscription identifier', 'aedes 1.2 has no such identifiers'],
  ['add incoming packet, get it, and clear with messageId', 'only the packet id is kept: nobody reads more'],
  ['stream all will messages', 'the wills of clients that are here are not for the taking'],
]);

/** What makes a stored message the same message: the suite also compares fields that nobody reads. */
function essence(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(essence);
  if (typeof value !== 'object' || value === null || !('payload' in value)) return value;
  const { topic, payload, qos, cmd, messageId } = value as Record<string, unknown>; // what has a payload is a packet
  return { topic, payload: Buffer.from(payload as Buffer).toString(), qos, cmd: cmd ?? 'publish', messageId };
}

const context: TestContext = {
  assert: {
    ...assert,
    deepEqual: (actual: unknown, expected: unknown) => assert.deepEqual(essence(actual), essence(expected)),
  },
  plan: () => {},
  diagnostic: () => {},
};

// The suite that aedes-persistence publishes for implementations of its interface. A dependency of aedes, not ours.
const require = createRequire(createRequire(import.meta.url).resolve('aedes'));
const abstractSuite: AbstractSuite = require('aedes-persistence/abstract.js');
abstractSuite({
  persistence,
  testAsync: true,
  test: (name, body) => {
    if (!differing.has(name)) test(`as aedes-persistence expects: ${name}`, () => body(context));
  },
});

const message = (topic: string, qos: Qos, over: Partial<BrokerPacket> = {}): BrokerPacket => ({
  cmd: 'publish',
  topic,
  payload: Buffer.from('x'),
  qos,
  retain: false,
  dup: false,
  ...over,
});

test('a session ends a week after its client left, and its messages with it', async () => {
  const storage = new MemoryStorage();
  const clock = new ManualClock();
  const store = persistence(storage, clock);
  await store.addSubscriptions({ id: 'a' }, [{ topic: 't', qos: 1 }]);
  await store.sessions.left('a');
  await store.accept({ id: 'p' }, message('t', 1, { brokerCounter: 1 }));
  clock.advance(7 * 24 * 3_600_000 - 1_000);
  await store.sessions.expire();
  expect(store.sessions.status()).toMatchObject({ sessions: 1, queuedMessages: 1 });
  clock.advance(2_000);
  await store.sessions.expire();
  expect(store.sessions.status()).toMatchObject({ sessions: 0, queuedMessages: 0, expired: 1 });
  for (const table of ['mqtt-session', 'mqtt-subscription', 'mqtt-queue']) expect([...storage.scan(table)]).toEqual([]);
});

test('a clock that was not set when the client left does not end its session', async () => {
  const storage = new MemoryStorage();
  const early = persistence(storage, new ManualClock(0));
  await early.addSubscriptions({ id: 'a' }, [{ topic: 't', qos: 1 }]);
  await early.sessions.left('a');
  const later = persistence(storage, new ManualClock());
  await later.setup({ id: 'b' });
  expect(later.sessions.status().sessions).toBe(1);
});

test('a commit that fails leaves nothing behind', async () => {
  const storage = new MemoryStorage();
  const store = persistence(storage);
  await store.addSubscriptions({ id: 'a' }, [{ topic: 't', qos: 1 }]);
  await store.accept({ id: 'p' }, message('t', 1, { retain: true, payload: Buffer.from('old'), brokerCounter: 1 }));
  storage.setFull(true);
  const failing = store.accept(
    { id: 'p' },
    message('t', 1, { retain: true, payload: Buffer.from('new'), brokerCounter: 2 }),
  );
  await expect(failing).rejects.toMatchObject({ code: 'storage-full' });
  const texts = [...store.retained.match('t')].map((one) => Buffer.from(one?.payload ?? '').toString());
  expect(texts).toEqual(['old']);
  expect(store.sessions.status().queuedMessages).toBe(1);
  expect(store.status().storageFailures).toBe(1);
});

test('a QoS 2 message is stored once, also when it is sent again after a restart', async () => {
  const storage = new MemoryStorage();
  const first = persistence(storage);
  const client = { id: 'p', clean: false };
  const packet = message('t', 2, { messageId: 7, brokerCounter: 1, retain: true });
  await first.accept(client, packet);
  await expect(first.incomingGetPacket(client, packet)).rejects.toMatchObject({ code: 'not-found' }); // itself
  await expect(first.incomingGetPacket(client, { ...packet })).resolves.toBeDefined(); // its repetition
  const second = persistence(storage);
  await expect(second.incomingGetPacket(client, { ...packet })).resolves.toBeDefined();
  await second.incomingDelPacket(client, packet);
  await expect(persistence(storage).incomingGetPacket(client, packet)).rejects.toMatchObject({ code: 'not-found' });
});

test('client ids and filters with any character keep their sessions apart', async () => {
  const storage = new MemoryStorage();
  const store = persistence(storage);
  const ids = ['a', 'a/', 'a/b', '%2F', 'ä', 'a b'];
  for (const id of ids) await store.addSubscriptions({ id }, [{ topic: `own/${id}/#`, qos: 1 }]);
  const again = persistence(storage);
  for (const id of ids) {
    expect((await again.subscriptionsByClient({ id })).map((one) => one.topic)).toEqual([`own/${id}/#`]);
  }
});

test('rows that cannot be read are passed over', async () => {
  const storage = new MemoryStorage();
  await storage.commit(
    ['mqtt-retained', 'mqtt-session', 'mqtt-queue', 'mqtt-will', 'mqtt-subscription'].map((table) => ({
      table,
      key: 'a',
      value: Uint8Array.of(0, 200, 1, 2, 3),
    })),
  );
  const store = persistence(storage);
  await store.setup({ id: 'b' });
  expect(store.retained.status().messages).toBe(0);
});

test('messages wait for a session with the quality it asked for', async () => {
  const store = persistence();
  await store.addSubscriptions({ id: 'a' }, [{ topic: 't', qos: 1 }]);
  await store.accept({ id: 'p' }, message('t', 2, { messageId: 1, brokerCounter: 1 }));
  expect([...(store.sessions.get('a')?.queue.entries() ?? [])].map((entry) => entry.message.qos)).toEqual([1]);
});
