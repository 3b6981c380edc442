/**
 * Lookups by attribute at a rendezvous that holds 100,000 advertisements in SQLite: `node bench/lookup.ts [--json]`. Prints
 * how long it takes to find and decode them (`find`), and to answer another peer with them (`answer`), for one match and for a
 * hundred, each time others; the memory that the index takes, and how long a start after a restart takes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groupIdFromBytes, identityFromSeed } from '@pipevine/runtime';
import { AdvertisementStore, signAdvertisement } from '@pipevine/runtime/protocol';
import { nodeCrypto, nodePlatform } from '@pipevine/transports';

const COUNT = 100_000;
const PUBLISHERS = 2_000;
const LOOKUPS = 400;
const group = groupIdFromBytes(nodeCrypto.signingKey(new Uint8Array(32).fill(7)).publicKey);
const directory = mkdtempSync(join(tmpdir(), 'pipevine-lookup-'));
const bounds = { maxForeign: 150_000, maxRemembered: 150_000 };

function open() {
  const platform = nodePlatform({ storage: join(directory, 'peer.sqlite') });
  const startMs = performance.now();
  const store = new AdvertisementStore({ ...platform, bounds });
  return { platform, store, startMs: performance.now() - startMs };
}

function memory(): { heapMb: number; rssMb: number } {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapMb: heapUsed / 2 ** 20, rssMb: rss / 2 ** 20 };
}

async function fill(): Promise<void> {
  const { platform, store } = open();
  const identities = Array.from({ length: PUBLISHERS }, (_, i) =>
    identityFromSeed(nodeCrypto, Uint8Array.from([i & 255, i >> 8, ...new Uint8Array(30)])),
  );
  const body = new TextEncoder().encode(JSON.stringify({ title: 'Sensor', properties: { value: { type: 'number' } } }));
  for (let i = 0; i < COUNT; i++) {
    const identity = identities[i % PUBLISHERS];
    if (identity === undefined) continue;
    const key = `sensor-${i}`;
    // A hundred advertisements have each room, one has each serial.
    const attributes = new Map([
      ['connector', 'mqtt'],
      ['room', `room-${i % (COUNT / 100)}`],
      ['serial', `s${i}`],
    ]);
    const dates = { issuedAtMs: Date.now(), expirationMs: 7_200_000, sequence: Date.now() };
    const fields = { kind: 'thing', group, key, name: `Sensor ${i}`, attributes, body, ...dates } as const;
    store.receive(signAdvertisement(identity, fields).encoded);
    if (i % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await store.close();
  await platform.storage.close();
}

function percentiles(times: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = times.sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

function measure(expected: number, lookup: (index: number) => number): { p50Ms: number; p99Ms: number } {
  const times: number[] = [];
  for (let i = 0; i < LOOKUPS; i++) {
    const startMs = performance.now();
    const found = lookup(i);
    times.push(performance.now() - startMs);
    if (found !== expected) throw new Error(`Expected ${expected} matches, found ${found}.`);
  }
  return percentiles(times);
}

try {
  await fill();
  const before = memory();
  const { platform, store, startMs } = open();
  const after = memory();
  const serial = (i: number) => ({ kind: 'thing', group, attributes: { serial: `s${i * 199}` } }) as const;
  const room = (i: number, first: number) =>
    ({ kind: 'thing', group, attributes: { connector: 'mqtt', room: `room-${first + i}` } }) as const;
  const bytesOf = (query: Parameters<typeof store.search>[0]) =>
    store.search(query).filter((held) => held.encoded() !== undefined).length;
  const result = {
    advertisements: COUNT,
    startMs,
    indexHeapMb: after.heapMb - before.heapMb,
    rssMb: after.rssMb,
    answerOne: measure(1, (i) => bytesOf(serial(i))),
    answerHundred: measure(100, (i) => bytesOf(room(i, 0))),
    findOne: measure(1, (i) => store.find(serial(i + 500 - LOOKUPS)).length),
    findHundred: measure(100, (i) => store.find(room(i, 500)).length),
    wildcardNothing: measure(0, (i) => store.search({ kind: 'thing', group, name: `*x*y*${i}` }).length),
  };
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    for (const [name, value] of Object.entries(result)) {
      const figures = typeof value === 'number' ? { '': value } : value;
      const text = Object.entries(figures).map(([what, figure]) => `${what} ${figure.toFixed(figure < 100 ? 2 : 0)}`);
      process.stdout.write(`${name.padEnd(16)} ${text.join('  ')}\n`);
    }
  }
  await store.close();
  await platform.storage.close();
} finally {
  rmSync(directory, { recursive: true });
}
