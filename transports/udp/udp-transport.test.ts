import { createSocket, type Socket } from 'node:dgram';
import type { Connection, PipevineError, TransportListener } from '@pipevine/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { sourceOf } from './udp-address.ts';
import { type UdpTransport, udpTransport } from './udp-transport.ts';
import type { UdpTransportInit } from './udp-transport-options.ts';

const open: { close(): void }[] = [];

afterEach(() => {
  for (const { close } of open.splice(0)) close();
});

async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

interface Side {
  readonly transport: UdpTransport;
  readonly listener: TransportListener;
  readonly address: string;
  readonly port: number;
  readonly accepted: Connection[];
}

async function side(init: UdpTransportInit = {}, address = 'udp://127.0.0.1:0'): Promise<Side> {
  const transport = udpTransport(init);
  const accepted: Connection[] = [];
  const listener = await transport.listen(address, (connection) => accepted.push(connection));
  open.push({
    close: () => {
      for (const connection of accepted) connection.abort();
      void listener.close();
    },
  });
  const [first = ''] = listener.addresses;
  return { transport, listener, address: first, port: Number(first.split(':').at(-1)), accepted };
}

async function dial(from: UdpTransport, address: string): Promise<Connection> {
  const connection = await from.dial(address);
  open.push({ close: () => connection.abort() });
  return connection;
}

function record(connection: Connection): { packets: Uint8Array[]; closed: (PipevineError | undefined)[] } {
  const seen = { packets: [] as Uint8Array[], closed: [] as (PipevineError | undefined)[] };
  connection.start({
    onBytes: (packet) => seen.packets.push(packet),
    onWritable: () => undefined,
    onClosed: (error) => seen.closed.push(error),
  });
  return seen;
}

async function rawSocket(host = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  open.push({ close: () => socket.close() });
  return socket;
}

const send = (socket: Socket, bytes: number, port: number): Promise<void> =>
  new Promise((resolve) => socket.send(new Uint8Array(bytes), port, '127.0.0.1', () => resolve()));

describe('a dial over UDP', () => {
  it.each([
    ['the bound address', 'udp://127.0.0.1:0'],
    ['every address', 'udp://0.0.0.0:0'],
    ['every address of both families', 'udp://[::]:0'],
  ])('goes out from the socket that listens on %s', async (_, address) => {
    const far = await side();
    const near = await side({}, address);
    const connection = await dial(near.transport, far.address);
    expect(connection.localAddress).toBe(`udp://127.0.0.1:${near.port}`);
    connection.write([Uint8Array.of(1)]);
    await until(() => far.accepted.length === 1, 'it is accepted');
    expect(far.accepted[0]?.remoteAddress).toBe(`udp://127.0.0.1:${near.port}`);
    const seen = record(connection);
    far.accepted[0]?.write([Uint8Array.of(2)]);
    await until(() => seen.packets.length === 1, 'the answer arrives');
    expect(near.accepted).toEqual([]);
  });

  it('to an address that there is a connection with already, and from a peer that does not listen, has ports of its own', async () => {
    const far = await side();
    const near = await side();
    const one = await dial(near.transport, far.address);
    const two = await dial(near.transport, far.address);
    const three = await dial(near.transport, far.address);
    const elsewhere = udpTransport();
    const four = await dial(elsewhere, far.address);
    const ports = [one, two, three, four].map(({ localAddress }) => localAddress);
    expect(new Set(ports).size).toBe(4);
    expect(ports[0]).toBe(near.address);
  });

  it('finds a name', async () => {
    const far = await side();
    const connection = await dial(udpTransport(), `udp://localhost:${far.port}`);
    expect(connection.remoteAddress).toBe(`udp://localhost:${far.port}`);
    connection.write([Uint8Array.of(1)]);
    if (connection.localAddress.includes('127.0.0.1')) await until(() => far.accepted.length === 1, 'it is accepted');
  });

  it('says what is wrong with an address that nothing leads to', async () => {
    await expect(udpTransport().dial('udp://name.invalid:4001')).rejects.toMatchObject({ code: 'unreachable' });
    await expect(udpTransport().dial('udp://127.0.0.1:0')).rejects.toMatchObject({ code: 'invalid-address' });
    await expect(udpTransport().listen('udp://192.0.2.77:0', () => undefined)).rejects.toMatchObject({
      code: 'invalid-address',
    });
  });
});

describe('a UDP listener', () => {
  it('looks at no more packets of strangers than the rates allow, and allocates nothing for the others', async () => {
    const { transport, accepted, port } = await side({ newcomersPerSource: { perSecond: 0, burst: 3 } });
    const sockets = await Promise.all(Array.from({ length: 5 }, () => rawSocket()));
    for (const socket of sockets) await send(socket, 50, port);
    await until(() => transport.counters.received === 5, 'all five were received');
    expect([accepted.length, transport.counters.open, transport.counters.rateLimited]).toEqual([3, 3, 2]);
    const all = await side({ newcomers: { perSecond: 0, burst: 2 } });
    for (const socket of sockets) await send(socket, 50, all.port);
    await until(() => all.transport.counters.received === 5, 'all five were received');
    expect([all.accepted.length, all.transport.counters.rateLimited]).toEqual([2, 3]);
  });

  it.each([
    ['in all', { maxConnections: 2 }, 'refusedTotal'],
    ['of one source', { maxConnectionsPerRemote: 2 }, 'refusedPerRemote'],
  ] as const)('has at most so many connections %s, and room again when one closes', async (_, init, counter) => {
    const { transport, accepted, port } = await side(init);
    const sockets = await Promise.all(Array.from({ length: 3 }, () => rawSocket()));
    for (const socket of sockets) await send(socket, 50, port);
    await until(() => transport.counters.received === 3, 'all three were received');
    expect([accepted.length, transport.counters[counter]]).toEqual([2, 1]);
    accepted[0]?.abort();
    for (const socket of sockets) await send(socket, 50, port);
    await until(() => accepted.length === 3, 'the third is accepted');
  });

  it('drops a connection that nobody starts, and keeps one that was started', async () => {
    const { transport, accepted, port } = await side({ unstartedMs: 5 });
    const [first, second] = [await rawSocket(), await rawSocket()];
    await send(first, 50, port);
    await until(() => accepted.length === 1, 'the first is accepted');
    const kept = record(accepted[0] as Connection); // Its presence is what was waited for.
    await send(second, 50, port);
    await until(() => transport.counters.abandoned === 1, 'the second is dropped');
    expect([transport.counters.open, kept.closed]).toEqual([1, []]);
  });

  it('sends nothing to a stranger by itself', async () => {
    const { transport, accepted, port } = await side();
    const stranger = await rawSocket();
    let bytesBack = 0;
    stranger.on('message', (bytes) => {
      bytesBack += bytes.length;
    });
    await send(stranger, 50, port);
    await until(() => accepted.length === 1, 'it is accepted');
    record(accepted[0] as Connection).packets.length = 0; // Its presence is what was waited for.
    accepted[0]?.close();
    await send(stranger, 50, port);
    await until(() => accepted.length === 2, 'it is accepted again');
    expect([bytesBack, transport.counters.sent]).toEqual([0, 0]);
  });

  it('drops what is larger than any peer sends, and what does not fit into a queue', async () => {
    const { transport, accepted, port } = await side();
    const stranger = await rawSocket();
    await send(stranger, 1_501, port);
    await until(() => transport.counters.tooLarge === 1, 'the large one is counted');
    expect(accepted).toEqual([]);
    for (let i = 0; i < 300; i++) await send(stranger, 50, port);
    await until(() => transport.counters.received > 300, 'all were received');
    expect([accepted.length, transport.counters.receiveOverflows]).toEqual([1, 300 - 256]);
    const seen = record(accepted[0] as Connection); // There is one, as was seen.
    await until(() => seen.packets.length === 256, 'those that fitted are delivered');
  });

  it('takes its own port up again while connections still hold it', async () => {
    const near = udpTransport();
    const { transport, listener, address, accepted } = await side();
    const connection = await dial(near, address);
    connection.write([Uint8Array.of(1)]);
    await until(() => accepted.length === 1, 'it is accepted');
    await listener.close();
    const again = await transport.listen(address, () => undefined);
    expect(again.addresses).toEqual([address]);
    await expect(transport.listen(address, () => undefined)).rejects.toMatchObject({ code: 'address-in-use' });
    await again.close();
  });
});

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
])('counts %s as the source %s', (host, source) => {
  expect(sourceOf(host)).toBe(source);
});
