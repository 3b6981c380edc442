import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { Clock } from '@pipevine/runtime';
import { dnsSdDirectory, nodeClock } from '@pipevine/transports';
import multicastDns, { type MulticastDNS, type ResponsePacket } from 'multicast-dns';
import { afterEach, expect, it } from 'vitest';

/** The announcement as an independent resolver sees it, over real multicast on loopback and a port of its own. */

const GROUP = '224.0.0.251';
const announcement = { type: '_pipevine._tcp', name: 'Kitchen abcd', port: 4001, text: { id: 'abcd', v: '1' } };
const INSTANCE = 'Kitchen abcd._pipevine._tcp.local';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

const loopback = () =>
  Object.fromEntries(
    Object.entries(networkInterfaces()).filter(([, infos]) => infos?.some(({ internal }) => internal)),
  );

/** Ten times as fast as the real one: the waits of RFC 6762 are long. */
const SPEED = 10;
const clock: Clock = {
  ...nodeClock,
  monotonicMs: () => nodeClock.monotonicMs() * SPEED,
  setTimer: (delayMs, callback) => nodeClock.setTimer(delayMs / SPEED, callback),
};
const oneSecond = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1100 / SPEED));

async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + 8000;
  while (!isDone()) {
    if (performance.now() > deadlineMs) throw new Error(`Waited 8 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function announcer(mdnsPort: number) {
  return dnsSdDirectory({ mdnsPort, interfaces: loopback, clock });
}

interface Resolver {
  readonly mdns: MulticastDNS;
  /** The next response that satisfies the condition, from now on. */
  response(isWanted: (response: ResponsePacket) => boolean): Promise<ResponsePacket>;
}

async function resolver(port: number): Promise<Resolver> {
  const mdns = multicastDns({ port, ip: GROUP, interface: '127.0.0.1', bind: '0.0.0.0' });
  await new Promise<void>((resolve) => mdns.once('ready', resolve));
  closers.push(() => new Promise((resolve) => mdns.destroy(resolve)));
  return {
    mdns,
    response: (isWanted) =>
      new Promise((resolve) => {
        const look = (response: ResponsePacket): void => {
          if (!isWanted(response)) return;
          mdns.off('response', look);
          resolve(response);
        };
        mdns.on('response', look);
      }),
  };
}

const answersOf = ({ answers = [], additionals = [] }: ResponsePacket) => [...answers, ...additionals];
const has =
  (type: string, name: string) =>
  (response: ResponsePacket): boolean =>
    answersOf(response).some((answer) => answer.type === type && answer.name === name);

/** After the two unasked announcements, so that a response can only be an answer. */
async function announced(port: number) {
  const network = announcer(port);
  const client = await resolver(port);
  const first = client.response(has('PTR', '_pipevine._tcp.local'));
  const open = await network.announce(announcement);
  closers.push(() => open.close());
  await first;
  await client.response(has('PTR', '_pipevine._tcp.local'));
  return { network, client, open };
}

it('says unasked, twice, that the service is there', async () => {
  const port = await freePort();
  const client = await resolver(port);
  const first = client.response(has('SRV', INSTANCE));
  const open = await announcer(port).announce(announcement);
  closers.push(() => open.close());
  const records = answersOf(await first);
  expect(records.map(({ type }) => type).sort()).toEqual(expect.arrayContaining(['A', 'PTR', 'PTR', 'SRV', 'TXT']));
  await client.response(has('SRV', INSTANCE));
}, 10_000);

it('answers a browser that looks for the type, with all that it needs to connect', async () => {
  const port = await freePort();
  const { client, network } = await announced(port);
  // A record goes out at most once a second, and the announcement has just gone out.
  await oneSecond();
  const answer = client.response(has('PTR', '_pipevine._tcp.local'));
  client.mdns.query('_pipevine._tcp.local', 'PTR');
  const records = answersOf(await answer);
  const dataOf = (type: string): unknown => {
    const record = records.find((candidate) => candidate.type === type);
    return record !== undefined && 'data' in record ? record.data : undefined;
  };
  expect(dataOf('PTR')).toBe(INSTANCE);
  expect(dataOf('SRV')).toMatchObject({ port: 4001, target: expect.stringMatching(/^pipevine-[0-9a-f]{10}\.local$/) });
  expect(String(dataOf('TXT'))).toBe('id=abcd,v=1');
  expect(dataOf('A')).toBe('127.0.0.1');
  expect(network.counters.dnsAnswered).toBeGreaterThanOrEqual(1);
}, 10_000);

it('answers the query for all types', async () => {
  const port = await freePort();
  const { client } = await announced(port);
  await oneSecond();
  const answer = client.response(has('PTR', '_services._dns-sd._udp.local'));
  client.mdns.query('_services._dns-sd._udp.local', 'PTR');
  expect(answersOf(await answer)).toContainEqual(expect.objectContaining({ data: '_pipevine._tcp.local' }));
}, 10_000);

it('answers an ordinary resolver on another port directly, with its id and its question', async () => {
  const port = await freePort();
  await announced(port);
  const socket = createSocket('udp4');
  closers.push(() => new Promise((resolve) => socket.close(() => resolve())));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.setMulticastInterface('127.0.0.1');
  const question = Buffer.concat([
    Buffer.from([0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...['_pipevine', '_tcp', 'local'].flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.from([0, 0, 12, 0, 1]),
  ]);
  socket.send(question, port, GROUP);
  const [message] = (await once(socket, 'message')) as [Buffer];
  expect(message.readUInt16BE(0)).toBe(0x1234);
  expect(message.readUInt16BE(4)).toBe(1);
  expect(message.subarray(12, question.length)).toEqual(question.subarray(12));
  expect(message.toString('latin1')).toContain('Kitchen abcd');
}, 10_000);

it('says goodbye when it closes', async () => {
  const port = await freePort();
  const { client, open } = await announced(port);
  const goodbye = client.response((response) =>
    answersOf(response).some((answer) => 'ttl' in answer && answer.ttl === 0),
  );
  await open.close();
  await open.close();
  const records = answersOf(await goodbye);
  expect(records.length).toBeGreaterThanOrEqual(5);
  expect(records.every((record) => 'ttl' in record && record.ttl === 0)).toBe(true);
}, 10_000);

it('counts hostile packets without decoding them, and goes on answering', async () => {
  const port = await freePort();
  const { client, network } = await announced(port);
  const socket = createSocket('udp4');
  closers.push(() => new Promise((resolve) => socket.close(() => resolve())));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.setMulticastInterface('127.0.0.1');
  const greedy = Buffer.from([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  const before = network.counters.dnsMalformed;
  for (let i = 0; i < 50; i++) socket.send(greedy, port, GROUP);
  socket.send(Buffer.from('no dns'), port, GROUP);
  await until(() => network.counters.dnsMalformed === before + 51, 'all of them are counted');
  await oneSecond();
  const answer = client.response(has('PTR', '_pipevine._tcp.local'));
  client.mdns.query('_pipevine._tcp.local', 'PTR');
  await answer;
}, 10_000);

it('answers one asker only so often', async () => {
  const port = await freePort();
  const { client, network } = await announced(port);
  await oneSecond();
  let responses = 0;
  client.mdns.on('response', () => {
    responses++;
  });
  const startMs = clock.monotonicMs();
  for (let i = 0; i < 200; i++) client.mdns.query('_pipevine._tcp.local', 'PTR');
  await until(() => responses > 0 && network.counters.dnsRateLimited > 100, 'most are refused and some answered');
  await oneSecond();
  const seconds = (clock.monotonicMs() - startMs) / 1000;
  expect(responses).toBeLessThanOrEqual(1 + seconds);
}, 10_000);

it('goes on without announcing where the port cannot be shared', async () => {
  const hog = createSocket('udp4');
  closers.push(() => new Promise((resolve) => hog.close(() => resolve())));
  hog.bind(0, '0.0.0.0');
  await once(hog, 'listening');
  const network = announcer(hog.address().port);
  const open = await network.announce(announcement);
  expect(network.counters.dnsUnavailable).toBe(1);
  await open.close();
});
