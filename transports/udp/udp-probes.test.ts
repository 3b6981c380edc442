import { createSocket, type Socket } from 'node:dgram';
import type { EndpointAddress, TransportListener } from '@pipevine/runtime';
import { afterEach, expect, test } from 'vitest';
import { type UdpTransport, udpTransport } from './udp-transport.ts';
import type { UdpTransportInit } from './udp-transport-options.ts';

const MARK = 5;
const BYTES = 17;
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const probe = (fill: number, bytes = BYTES): Uint8Array => {
  const packet = new Uint8Array(bytes).fill(fill);
  packet[0] = MARK;
  return packet;
};

interface Side {
  readonly transport: UdpTransport;
  readonly listener: TransportListener;
  readonly address: EndpointAddress;
  readonly came: (readonly [number, EndpointAddress])[];
  readonly accepted: EndpointAddress[];
  readonly send: (to: EndpointAddress, packet: Uint8Array) => void;
  readonly close: () => void;
}

async function side(listenAddress = 'udp://127.0.0.1:0', init: UdpTransportInit = {}): Promise<Side> {
  const transport = udpTransport(init);
  const accepted: EndpointAddress[] = [];
  const listener = await transport.listen(listenAddress, (connection) => {
    accepted.push(connection.remoteAddress);
    closing.push(() => connection.abort());
  });
  closing.push(() => listener.close());
  const came: (readonly [number, EndpointAddress])[] = [];
  const port = transport.probes?.({
    mark: MARK,
    bytes: BYTES,
    onProbe: (packet, from) => came.push([packet[1] ?? -1, from]),
  });
  if (port === undefined) throw new Error('UDP has no probes');
  const [address = ''] = listener.addresses;
  return { transport, listener, address, came, accepted, send: port.send, close: port.close };
}

async function rawSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  closing.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return socket;
}

test.each(['127.0.0.1', '[::1]'])(
  'a probe goes out from the listening port and says where it came from (%s)',
  async (host) => {
    const a = await side(`udp://${host}:0`);
    const b = await side(`udp://${host}:0`);
    a.send(b.address, probe(1));
    await until(() => b.came.length === 1, 'the probe has come');
    expect(b.came).toEqual([[1, a.address]]);
    expect([b.accepted, a.transport.counters.probesSent, b.transport.counters.probesReceived]).toEqual([[], 1, 1]);
  },
);

test('a socket for every address of both families sends and receives the probes of both', async () => {
  const a = await side('udp://[::]:0');
  const b = await side('udp://127.0.0.1:0');
  const port = a.address.split(':').at(-1);
  a.send(b.address, probe(1));
  await until(() => b.came.length === 1, 'the probe has come');
  expect(b.came).toEqual([[1, `udp://127.0.0.1:${port}`]]);
  b.send(`udp://127.0.0.1:${port}`, probe(2));
  await until(() => a.came.length === 1, 'the probe has come back');
  expect(a.came).toEqual([[2, b.address]]);
});

test('probes and packets of links share a port and are told apart, also between two that are linked', async () => {
  const a = await side();
  const b = await side();
  const connection = await a.transport.dial(b.address);
  const packets: number[] = [];
  connection.start({ onBytes: (packet) => packets.push(packet.length), onWritable: () => {}, onClosed: () => {} });
  closing.push(() => connection.abort());
  connection.write([new Uint8Array(BYTES).fill(1)]);
  await until(() => b.accepted.length === 1, 'the connection was accepted');
  a.send(b.address, probe(1));
  b.send(a.address, probe(2));
  await until(() => a.came.length === 1 && b.came.length === 1, 'both probes have come');
  expect([b.accepted, packets]).toEqual([[a.address], []]);
});

test('no probe is answered, and one of another length is none', async () => {
  const a = await side();
  const raw = await rawSocket();
  const answers: number[] = [];
  raw.on('message', (message) => answers.push(message.length));
  const port = Number(a.address.split(':').at(-1));
  for (let i = 0; i < 20; i++) raw.send(probe(i), port, '127.0.0.1');
  raw.send(probe(99, BYTES - 1), port, '127.0.0.1');
  await until(() => a.came.length === 20 && a.accepted.length === 1, 'all have come');
  // What this side would have answered had left before what it sends now.
  a.send(`udp://127.0.0.1:${raw.address().port}`, probe(1));
  await until(() => answers.length > 0, 'the last packet has come');
  expect(answers).toEqual([BYTES]);
});

test('probes beyond the rate of their source are dropped and counted', async () => {
  let nowMs = 0;
  const clock = {
    monotonicMs: () => nowMs,
    wallMs: () => 0,
    setTimer: () => ({ cancel: () => {} }),
    endOfTurn: () => {},
  };
  const a = await side('udp://127.0.0.1:0', { clock, probesPerSource: { perSecond: 10, burst: 5 } });
  const raw = await rawSocket();
  const port = Number(a.address.split(':').at(-1));
  const { counters } = a.transport;
  for (let i = 0; i < 20; i++) raw.send(probe(i), port, '127.0.0.1');
  await until(() => counters.probesReceived + counters.probesRefused === 20, 'all have come');
  expect([a.came.length, counters.probesRefused]).toEqual([5, 15]);
  nowMs = 1_000;
  raw.send(probe(20), port, '127.0.0.1');
  await until(() => a.came.length === 6, 'time lets more in');
});

test('nothing is sent to names, by nobody who listens, or after the end', async () => {
  const a = await side();
  const b = await side();
  a.send(b.address.replace('127.0.0.1', 'localhost'), probe(1));
  a.close();
  a.send(b.address, probe(2));
  expect(a.transport.counters.probesSent).toBe(0);
  const silent = udpTransport();
  silent.probes?.({ mark: MARK, bytes: BYTES, onProbe: () => {} }).send(b.address, probe(3));
  expect(silent.counters.probesSent).toBe(0);
  b.send(a.address, probe(4));
  b.send(b.address, probe(5));
  await until(() => b.came.length === 1, 'the probe to itself has come');
  expect([b.came, a.came]).toEqual([[[5, b.address]], []]);
});
