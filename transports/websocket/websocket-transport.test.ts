import { once } from 'node:events';
import { createServer, connect as netConnect, type Socket } from 'node:net';
import type { Connection, PipevineError, TransportListener } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { proxySettingsFrom } from '../http/proxy-settings.ts';
import { type ForwardProxy, forwardProxy } from '../http/testing/forward-proxy.ts';
import { tlsFiles } from '../http/testing/tls-files.ts';
import { parseWebAddress } from '../http/web-address.ts';
import { type WebSocketTransport, type WebSocketTransportInit, webSocketTransport } from './websocket-transport.ts';

let undo: (() => unknown)[];

beforeEach(() => {
  undo = [];
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

async function until(isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s for ${isDone}.`);
    await new Promise(setImmediate);
  }
}

interface Listening {
  readonly transport: WebSocketTransport;
  readonly listener: TransportListener;
  readonly address: string;
  readonly port: number;
  /** The next connection that is accepted. */
  accepted(): Promise<Connection>;
}

async function listen(init: WebSocketTransportInit = {}, scheme = 'ws'): Promise<Listening> {
  const transport = webSocketTransport(init);
  const ready: Connection[] = [];
  const waiting: ((connection: Connection) => void)[] = [];
  const listener = await transport.listen(`${scheme}://127.0.0.1:0`, (connection) => {
    undo.push(() => connection.abort());
    const next = waiting.shift();
    if (next === undefined) ready.push(connection);
    else next(connection);
  });
  undo.push(() => listener.close());
  const address = listener.addresses[0] ?? '';
  return {
    transport,
    listener,
    address,
    port: parseWebAddress(address, ['ws', 'wss']).port,
    accepted: () =>
      new Promise((resolve) => {
        const connection = ready.shift();
        if (connection === undefined) waiting.push(resolve);
        else resolve(connection);
      }),
  };
}

async function dial(address: string, init: WebSocketTransportInit = {}): Promise<Connection> {
  const connection = await webSocketTransport(init).dial(address);
  undo.push(() => connection.abort());
  return connection;
}

/** Starts a connection and waits for so many bytes. */
function bytesOf(connection: Connection, count: number): Promise<number[]> {
  return new Promise((resolve) => {
    const all: number[] = [];
    connection.start({
      onBytes: (bytes) => {
        all.push(...bytes);
        if (all.length >= count) resolve(all);
      },
      onWritable: () => undefined,
      onClosed: () => resolve(all),
    });
  });
}

function endOf(connection: Connection): Promise<PipevineError | undefined> {
  return new Promise((resolve) => {
    connection.start({ onBytes: () => undefined, onWritable: () => undefined, onClosed: resolve });
  });
}

function rawSocket(port: number): Socket {
  const socket = netConnect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  undo.push(() => socket.destroy());
  return socket;
}

/** All that the server says until it hangs up. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  await once(socket, 'close');
  return text;
}

function handshake(port: number, lines: readonly string[] = []): string {
  return [
    'GET /pipevine HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version: 13',
    ...lines,
    '',
    '',
  ].join('\r\n');
}

/** A healthy peer is served while the other one misbehaves. */
async function expectServed({ address, accepted }: Listening): Promise<void> {
  const near = await dial(address);
  const far = await accepted();
  const arrived = bytesOf(far, 2);
  near.write([Uint8Array.of(1, 2)]);
  expect(await arrived).toEqual([1, 2]);
}

describe('a hostile client', () => {
  it.each([
    ['says nothing', ''],
    ['stops within its header', 'GET /pipevine HTTP/1.1\r\nHost: x\r\n'],
  ])('that %s is hung up on, and its neighbours are served', async (_name, text) => {
    // Not shorter: the neighbours keep it too, on a busy machine.
    const listening = await listen({ handshakeTimeoutMs: 1000 });
    const socket = rawSocket(listening.port);
    socket.write(text);
    await expectServed(listening);
    await untilClosed(socket);
    await expectServed(listening);
  });

  it('that begins TLS and stops is hung up on', async () => {
    const files = await tlsFiles();
    undo.push(files.remove);
    const listening = await listen({ tls: files, handshakeTimeoutMs: 100 }, 'wss');
    const socket = rawSocket(listening.port);
    socket.write(Uint8Array.of(0x16, 0x03, 0x01));
    await untilClosed(socket);
    expect(listening.transport.counters.accepted).toBe(1);
  });

  it('with a giant header is hung up on', async () => {
    const listening = await listen({ maxHeaderBytes: 2048 });
    const socket = rawSocket(listening.port);
    socket.write(handshake(listening.port, [`X-Giant: ${'x'.repeat(4096)}`]));
    expect(await untilClosed(socket)).toBe('');
    await expectServed(listening);
  });

  it.each([
    ['asks for a page', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 426],
    ['asks for another path', handshake(1).replace('/pipevine', '/other'), 404],
    ['speaks another version', handshake(1).replace('Version: 13', 'Version: 7'), 400],
    ['has no key', handshake(1).replace('Sec-WebSocket-Key', 'X-Key'), 400],
    ['wants another protocol', handshake(1).replace('Upgrade: websocket', 'Upgrade: h2c'), 400],
  ])('that %s is refused and counted', async (_name, text, status) => {
    const listening = await listen();
    const socket = rawSocket(listening.port);
    socket.write(text);
    expect(await untilClosed(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(listening.transport.counters.refusedRequests).toBe(1);
    await expectServed(listening);
  });

  it.each([
    ['sends text', (client: WebSocket) => client.send('hello'), 'protocol'],
    ['sends a message beyond the limit', (client: WebSocket) => client.send(new Uint8Array(65_537)), 'too-large'],
    ['hangs up in the middle', (client: WebSocket) => client.terminate(), 'closed'],
    ['closes with an error', (client: WebSocket) => client.close(1011), 'closed'],
    ['closes in good order', (client: WebSocket) => client.close(1000), undefined],
  ])('that %s ends its own connection alone', async (_name, misbehave, code) => {
    const listening = await listen();
    const client = new WebSocket(`ws://127.0.0.1:${listening.port}/pipevine`);
    client.on('error', () => undefined);
    await once(client, 'open');
    const end = endOf(await listening.accepted());
    misbehave(client);
    expect((await end)?.code).toBe(code);
    await expectServed(listening);
  });

  it('that sends frames without a mask ends its own connection alone', async () => {
    const listening = await listen();
    const socket = rawSocket(listening.port);
    socket.write(handshake(listening.port));
    const end = endOf(await listening.accepted());
    socket.write(Uint8Array.of(0x82, 0x01, 0x00));
    expect((await end)?.code).toBe('protocol');
  });

  it('finds no compression to blow up', async () => {
    const listening = await listen();
    const client = new WebSocket(`ws://127.0.0.1:${listening.port}/pipevine`, { perMessageDeflate: true });
    await once(client, 'open');
    expect(client.extensions).toBe('');
    client.terminate();
  });
});

describe('bounds', () => {
  it.each([
    ['from one remote', { maxConnectionsPerRemote: 2 }, 'refusedPerRemote', 'ws'],
    ['in total', { maxConnections: 2 }, 'refusedTotal', 'ws'],
    ['in total, over TLS', { maxConnections: 2 }, 'refusedTotal', 'wss'],
  ] as const)('refuse and count connections beyond the bound %s, and take them again later', async (...row) => {
    const [, bounds, counter, scheme] = row;
    const files = await tlsFiles();
    undo.push(files.remove);
    const { transport, address, port, accepted } = await listen({ ...bounds, tls: files }, scheme);
    const idle = rawSocket(port);
    await once(idle, 'connect');
    await dial(address, { tls: files });
    await accepted();
    await untilClosed(rawSocket(port));
    expect(transport.counters).toMatchObject({ [counter]: 1, open: 2 });
    await expect(dial(address, { tls: files })).rejects.toMatchObject({ code: 'unreachable' });
    idle.destroy();
    await until(() => transport.counters.open < 2);
    await dial(address, { tls: files });
  });
});

describe('a dial', () => {
  it('does not trust a certificate of an unknown authority, and says what to do', async () => {
    const files = await tlsFiles();
    undo.push(files.remove);
    const { address } = await listen({ tls: files }, 'wss');
    await expect(dial(address)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/certificate is not trusted.*authority/),
    });
  });

  it.each([
    ['a web server without Pipevine', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', /status 404/],
    ['a server that is full', 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n', /no room/],
    ['something that is no web server', 'SSH-2.0-x\r\n', /no web server/],
    ['a redirect', 'HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n', /status 302/],
    ['a header without an end', `HTTP/1.1 101 Yes\r\nX: ${'x'.repeat(20_000)}`, /unreachable|cannot be reached/],
    [
      'an upgrade without the right key',
      'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
      /Sec-WebSocket-Accept/,
    ],
  ])('says that it met %s', async (_name, answer, message) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write(answer));
      undo.push(() => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    undo.push(() => server.close());
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    await expect(dial(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(message),
    });
  });

  it('listens on wss only with a certificate', async () => {
    await expect(listen({}, 'wss')).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(
      listen({ tls: { certificateFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' } }, 'wss'),
    ).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('/nowhere/cert.pem') });
  });
});

describe('through a proxy', () => {
  const BASIC = `Basic ${Buffer.from('ann:secret').toString('base64')}`;

  async function proxy(authorization?: string): Promise<ForwardProxy> {
    const started = await forwardProxy(authorization === undefined ? {} : { authorization });
    undo.push(started.close);
    return started;
  }

  it.each(['ws', 'wss'])('%s goes by a tunnel', async (scheme) => {
    const files = await tlsFiles();
    undo.push(files.remove);
    const { address, port, accepted } = await listen({ tls: files }, scheme);
    const { url, asked } = await proxy(BASIC);
    const settings = proxySettingsFrom({ HTTP_PROXY: url, HTTPS_PROXY: url });
    const near = await dial(address, { proxy: settings, tls: files });
    const far = await accepted();
    near.write([Uint8Array.of(1, 2, 3)]);
    expect(await bytesOf(far, 3)).toEqual([1, 2, 3]);
    expect(asked).toEqual([`CONNECT 127.0.0.1:${port}`]);
  });

  it('a target that NO_PROXY names is reached without', async () => {
    const { address } = await listen();
    const { url, asked } = await proxy();
    await dial(address, { proxy: { http: url, noProxy: '127.0.0.0/8' } });
    expect(asked).toEqual([]);
  });

  it('that wants a password the dial says so, without showing one', async () => {
    const { address } = await listen();
    const { url } = await proxy('Basic other');
    await expect(dial(address, { proxy: { http: url } })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/user name and password(?!.*secret)/),
    });
  });

  it.each([
    ['refuses', 'HTTP/1.1 403 Forbidden\r\n\r\n', /status 403/],
    ['is none', 'hello\r\n\r\n', /does not speak HTTP/],
    ['never ends its header', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(10_000)}`, /8192 bytes of header/],
    ['puts in bytes of its own', 'HTTP/1.1 200 OK\r\n\r\nGIF', /bytes of its own/],
    ['hangs up', undefined, /hung up|reset/],
  ])('that %s the dial says so and leaves nothing open', async (_name, text, message) => {
    let closed: Promise<unknown> | undefined;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      closed = once(socket, 'close');
      socket.once('data', () => {
        if (text === undefined) socket.destroy();
        else socket.write(text);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    undo.push(() => server.close());
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    await expect(
      dial('ws://relay.example.org:80', { proxy: { http: `http://127.0.0.1:${port}` } }),
    ).rejects.toMatchObject({ code: 'unreachable', message: expect.stringMatching(message) });
    await closed;
  });
});

it('gives nothing to an owner that pauses within a delivery, until it resumes', async () => {
  const { port, accepted } = await listen();
  const socket = rawSocket(port);
  socket.write(handshake(port));
  const connection = await accepted();
  const got: number[] = [];
  let resumed: () => void = () => undefined;
  const second = new Promise<void>((resolve) => {
    resumed = resolve;
  });
  connection.start({
    onBytes: (bytes) => {
      got.push(...bytes);
      if (got.length > 1) resumed();
      connection.pause();
      setImmediate(() => {
        if (got.length === 1) connection.resume();
      });
    },
    onWritable: () => undefined,
    onClosed: () => undefined,
  });
  // Three messages in one write, masked with zeros.
  const message = (byte: number): number[] => [0x82, 0x81, 0, 0, 0, 0, byte];
  socket.write(Uint8Array.from([...message(1), ...message(2), ...message(3)]));
  await second;
  await new Promise(setImmediate);
  expect(got).toEqual([1, 2]);
});
