import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect as netConnect, type Socket } from 'node:net';
import type { Clock, Connection, PipevineError, TransportListener } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../memory/seeded-random.ts';
import { nodeClock } from '../node/node-clock.ts';
import { type HttpTransport, type HttpTransportInit, httpTransport } from './http-transport.ts';
import { decodeAnswer, type LongPollAnswer, type Verb } from './long-poll-wire.ts';
import { type ForwardProxyInit, forwardProxy } from './testing/forward-proxy.ts';
import { tlsFiles } from './testing/tls-files.ts';
import { parseWebAddress } from './web-address.ts';

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
  readonly transport: HttpTransport;
  readonly listener: TransportListener;
  readonly address: string;
  readonly port: number;
  /** The next connection that is accepted. */
  accepted(): Promise<Connection>;
}

async function listen(init: HttpTransportInit = {}, scheme = 'http'): Promise<Listening> {
  const transport = httpTransport(init);
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
    port: parseWebAddress(address, ['http', 'https']).port,
    accepted: () =>
      new Promise((resolve) => {
        const connection = ready.shift();
        if (connection === undefined) waiting.push(resolve);
        else resolve(connection);
      }),
  };
}

async function dial(address: string, init: HttpTransportInit = {}): Promise<Connection> {
  const connection = await httpTransport(init).dial(address);
  undo.push(() => connection.abort());
  return connection;
}

/** Collects what a started connection delivers. */
class Reader {
  readonly #parts: Uint8Array[] = [];
  readonly #changed = new EventTarget();
  readonly closed: Promise<PipevineError | undefined>;
  length = 0;
  isClosed = false;

  constructor(connection: Connection) {
    this.closed = new Promise((resolve) => {
      connection.start({
        onBytes: (bytes) => {
          this.#parts.push(bytes);
          this.length += bytes.length;
          this.#changed.dispatchEvent(new Event('change'));
        },
        onWritable: () => undefined,
        onClosed: (error) => {
          this.isClosed = true;
          this.#changed.dispatchEvent(new Event('change'));
          resolve(error);
        },
      });
    });
  }

  /** All bytes, as soon as there are so many or the connection has closed. */
  async bytes(count: number): Promise<Buffer> {
    while (this.length < count && !this.isClosed) await once(this.#changed, 'change');
    return Buffer.concat(this.#parts);
  }
}

const SESSION = '0123456789abcdef0123456789abcdef';

/** One request as a client of our own protocol would make it, or as something on the way repeats it. */
async function ask(
  port: number,
  verb: Verb,
  offset: number,
  body?: Uint8Array,
  session = SESSION,
): Promise<LongPollAnswer> {
  const response = await fetch(`http://127.0.0.1:${port}/pipevine/${session}/${verb}/${offset}`, {
    method: verb === 'down' ? 'GET' : 'POST',
    ...(body !== undefined && { body: body as Uint8Array<ArrayBuffer> }), // Ours are never shared.
  });
  expect(response.headers.get('cache-control')).toContain('no-store');
  return decodeAnswer(await response.bytes());
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

/** A clock whose timers wait for `advance`. */
function heldClock(): Clock & { advance(ms: number): void } {
  let nowMs = 0;
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  return {
    ...nodeClock,
    monotonicMs: () => nowMs,
    setTimer: (delayMs, callback) => {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance: (ms) => {
      nowMs += ms;
      for (const timer of [...timers]) {
        if (timer.dueMs <= nowMs && timers.delete(timer)) timer.callback();
      }
    },
  };
}

async function expectServed({ address, accepted }: Listening, init?: HttpTransportInit): Promise<void> {
  const near = await dial(address, init);
  const far = new Reader(await accepted());
  near.write([Uint8Array.of(1, 2)]);
  expect([...(await far.bytes(2))]).toEqual([1, 2]);
}

describe('requests that are repeated, late or lost', () => {
  it('leave no byte doubled or missing on the way up', async () => {
    const listening = await listen();
    const { port } = listening;
    expect(await ask(port, 'open', 0)).toMatchObject({ offset: 0, end: false });
    expect(await ask(port, 'open', 0)).toMatchObject({ offset: 0, end: false });
    const far = new Reader(await listening.accepted());
    expect((await ask(port, 'up', 0, Uint8Array.of(0, 1, 2))).offset).toBe(3);
    expect((await ask(port, 'up', 0, Uint8Array.of(0, 1, 2))).offset).toBe(3);
    // One that came before the one in front of it.
    expect((await ask(port, 'up', 5, Uint8Array.of(5))).offset).toBe(3);
    // One that overlaps what is there.
    expect((await ask(port, 'up', 1, Uint8Array.of(1, 2, 3, 4))).offset).toBe(5);
    expect((await ask(port, 'up', 5, Uint8Array.of(5))).offset).toBe(6);
    // The end comes too early, then rightly, then again.
    expect(await ask(port, 'end', 7)).toMatchObject({ offset: 6, end: false });
    expect(await ask(port, 'end', 6)).toMatchObject({ offset: 6, end: true });
    expect(await ask(port, 'end', 6)).toMatchObject({ offset: 6, end: true });
    expect(await ask(port, 'up', 6, Uint8Array.of(9))).toMatchObject({ offset: 6, end: true });
    expect(await far.closed).toBeUndefined();
    expect([...(await far.bytes(6))]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(listening.transport.counters).toMatchObject({ accepted: 1, open: 0 });
  });

  it('leave no byte doubled or missing on the way down', async () => {
    const { port, accepted } = await listen();
    await ask(port, 'open', 0);
    const far = await accepted();
    far.start({ onBytes: () => undefined, onWritable: () => undefined, onClosed: () => undefined });
    far.write([Uint8Array.of(0, 1, 2)]);
    for (let i = 0; i < 2; i++) {
      expect(await ask(port, 'down', 0)).toMatchObject({ offset: 0, bytes: Uint8Array.of(0, 1, 2) });
    }
    far.write([Uint8Array.of(3)]);
    expect(await ask(port, 'down', 2)).toMatchObject({ offset: 2, bytes: Uint8Array.of(2, 3) });
    // What it asks for was acknowledged and is gone; what was never written cannot be acknowledged.
    expect(await ask(port, 'down', 0)).toMatchObject({ offset: 2, bytes: new Uint8Array(0) });
    expect(await ask(port, 'down', 99)).toMatchObject({ offset: 2, bytes: new Uint8Array(0) });
    expect(await ask(port, 'down', 2)).toMatchObject({ offset: 2, bytes: Uint8Array.of(2, 3) });
    far.close();
    expect(await ask(port, 'down', 4)).toMatchObject({ offset: 4, end: true });
    expect(await ask(port, 'down', 4)).toMatchObject({ offset: 4, end: true });
  });

  it('hold one poll at a time: a newer one answers the older', async () => {
    const { port, accepted } = await listen();
    await ask(port, 'open', 0);
    const far = await accepted();
    const first = ask(port, 'down', 0);
    const second = ask(port, 'down', 0);
    expect((await Promise.race([first, second])).bytes).toHaveLength(0);
    far.write([Uint8Array.of(7)]);
    const lengths = (await Promise.all([first, second])).map(({ bytes }) => bytes.length);
    expect(lengths.toSorted()).toEqual([0, 1]);
  });

  it.each(['drop', 'lose', 'repeat'] as const)('by a proxy (%s) leave the stream exact both ways', async (act) => {
    const { address, accepted } = await listen();
    let count = 0;
    // Every third request of each kind but the first, which would fail the dial.
    const misbehave: ForwardProxyInit['misbehave'] = (_method, url) =>
      url.includes('/open/') || url.includes('/reset/') || count++ % 3 !== 2 ? undefined : act;
    const { url, asked, close } = await forwardProxy({ misbehave });
    undo.push(close);
    const near = await dial(address, { proxy: { http: url } });
    const far = await accepted();
    const [nearReader, farReader] = [new Reader(near), new Reader(far)];
    const data = seededRandom(act).bytes(900_000);
    for (let offset = 0; offset < data.length; offset += 100_000) {
      near.write([data.slice(offset, offset + 100_000)]);
      far.write([data.slice(offset, offset + 100_000)]);
    }
    expect(Buffer.compare(await farReader.bytes(data.length), data)).toBe(0);
    expect(Buffer.compare(await nearReader.bytes(data.length), data)).toBe(0);
    near.close();
    expect(await nearReader.closed).toBeUndefined();
    expect(await farReader.closed).toBeUndefined();
    expect(farReader.length).toBe(data.length);
    expect(asked[0]).toMatch(/^POST http:\/\/127\.0\.0\.1:\d+\/pipevine\/[0-9a-f]{32}\/open\/0\?0$/);
  });
});

describe('back-pressure', () => {
  it('reaches a writer at the server whose client does not read', async () => {
    const { address, accepted } = await listen({ highWaterBytes: 1024 * 1024 });
    const near = await dial(address);
    const far = await accepted();
    let writable = 0;
    far.start({ onBytes: () => undefined, onWritable: () => writable++, onClosed: () => undefined });
    let written = 0;
    const chunk = 64 * 1024;
    // Beyond what client and server may keep the write must say no.
    while (far.write([new Uint8Array(chunk)])) {
      written += chunk;
      expect(written).toBeLessThan(8 * 1024 * 1024);
      await new Promise(setImmediate);
    }
    written += chunk;
    expect(writable).toBe(0);
    const reader = new Reader(near);
    expect(await reader.bytes(written)).toHaveLength(written);
    expect(writable).toBe(1);
  });
});

describe('a session', () => {
  it('of which nothing is heard is over after a minute, a thousand at once, and others are served', async () => {
    const clock = heldClock();
    const listening = await listen({ clock, maxConnectionsPerRemote: 2000 });
    const count = 1000;
    const ends: Promise<PipevineError | undefined>[] = [];
    for (let i = 0; i < count; i++) {
      await ask(listening.port, 'open', 0, undefined, i.toString(16).padStart(32, '0'));
      ends.push(new Reader(await listening.accepted()).closed);
    }
    expect(listening.transport.counters.open).toBe(count);
    await expectServed(listening);
    clock.advance(59_000);
    expect(listening.transport.counters.open).toBe(count + 1);
    clock.advance(2000);
    for (const end of ends) expect((await end)?.code).toBe('timeout');
    expect(listening.transport.counters.open).toBe(1);
    await expectServed(listening);
  }, 60_000);

  it('that is closed at the server, and never asked about again, is over in the end', async () => {
    const clock = heldClock();
    const { port, accepted, transport } = await listen({ clock });
    await ask(port, 'open', 0);
    const far = await accepted();
    const reader = new Reader(far);
    far.write([Uint8Array.of(1)]);
    far.close();
    clock.advance(30_000);
    expect(await reader.closed).toMatchObject({ code: 'timeout' });
    expect(transport.counters.open).toBe(0);
  });

  it('that the server has forgotten ends as closed at the client', async () => {
    const { listener, address, accepted, port } = await listen();
    const near = await dial(address);
    const far = await accepted();
    const reader = new Reader(near);
    await listener.close();
    // Another server at the same place, as after a restart.
    const other = httpTransport();
    const next = await other.listen(`http://127.0.0.1:${port}`, () => undefined);
    undo.push(() => next.close());
    far.abort();
    expect(await reader.closed).toMatchObject({ code: 'closed' });
  });
});

describe('a hostile client', () => {
  it('finds no session by guessing, and is cut off when it tries often', async () => {
    const listening = await listen();
    const { port, transport } = listening;
    await ask(port, 'open', 0);
    const far = new Reader(await listening.accepted());
    await ask(port, 'up', 0, Uint8Array.of(1));
    const near = `${SESSION.slice(0, -1)}e`;
    for (let i = 0; i < 20; i++) {
      expect(await ask(port, 'up', 1, Uint8Array.of(9), near)).toMatchObject({ unknown: true });
    }
    const guesses = Array.from({ length: 700 }, () => ask(port, 'reset', 0, undefined, near).catch(() => undefined));
    await Promise.all(guesses);
    expect(transport.counters.droppedGuesses).toBeGreaterThan(0);
    expect(transport.counters.unknownSessions).toBeGreaterThan(500);
    // The owner of the session, at the same address, is heard all the same.
    expect(await ask(port, 'up', 1, Uint8Array.of(2))).toMatchObject({ offset: 2 });
    expect([...(await far.bytes(2))]).toEqual([1, 2]);
  });

  it.each([
    ['says nothing', ''],
    ['stops within its header', `POST /pipevine/${SESSION}/open/0 HTTP/1.1\r\nHost: x\r\n`],
  ])('that %s is hung up on, and its neighbours are served', async (_name, text) => {
    // Not shorter: the neighbours keep it too, on a busy machine.
    const listening = await listen({ handshakeTimeoutMs: 1000 });
    const socket = rawSocket(listening.port);
    socket.write(text);
    await expectServed(listening);
    await untilClosed(socket);
    await expectServed(listening);
  });

  it('with a giant header is hung up on', async () => {
    const { port } = await listen({ maxHeaderBytes: 2048 });
    const socket = rawSocket(port);
    socket.write(`POST /pipevine/${SESSION}/open/0 HTTP/1.1\r\nHost: x\r\nX-Giant: ${'x'.repeat(4096)}\r\n\r\n`);
    expect(await untilClosed(socket)).toBe('');
  });

  it.each([
    ['a page', 'GET / HTTP/1.1'],
    ['a WebSocket', 'GET /pipevine HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade'],
    ['another method', `PUT /pipevine/${SESSION}/open/0 HTTP/1.1`],
    ['the server as a proxy', `GET http://127.0.0.1:1/ HTTP/1.1`],
  ])('that asks for %s is refused and counted', async (_name, lines) => {
    const { port, transport } = await listen();
    const socket = rawSocket(port);
    socket.write(`${lines}\r\nHost: x\r\n\r\n`);
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1.1 404 /);
    expect(transport.counters.refusedRequests).toBe(1);
  });

  it('that sends a body beyond the limit, or without an end, is hung up on, and none of it is kept', async () => {
    const { port, transport, accepted } = await listen();
    await ask(port, 'open', 0);
    const far = new Reader(await accepted());
    const socket = rawSocket(port);
    socket.write(`POST /pipevine/${SESSION}/up/0 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const closed = untilClosed(socket);
    const part = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    for (let i = 0; i < 5; i++) socket.write(part);
    await closed;
    expect(transport.counters.refusedRequests).toBe(1);
    expect(await ask(port, 'up', 0, Uint8Array.of(1))).toMatchObject({ offset: 1 });
    expect([...(await far.bytes(1))]).toEqual([1]);
  });

  it('that breaks off in a body has sent nothing of it', async () => {
    const { port, accepted } = await listen();
    await ask(port, 'open', 0);
    const far = new Reader(await accepted());
    const socket = rawSocket(port);
    socket.end(`POST /pipevine/${SESSION}/up/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345`);
    await untilClosed(socket);
    expect(await ask(port, 'up', 0, Uint8Array.of(1))).toMatchObject({ offset: 1 });
    expect([...(await far.bytes(1))]).toEqual([1]);
  });

  it('finds a bound for bodies in memory, which are taken again later', async () => {
    const { port, accepted } = await listen({ maxUploadBytes: 100_000 });
    await ask(port, 'open', 0);
    new Reader(await accepted());
    const socket = rawSocket(port);
    socket.write(`POST /pipevine/${SESSION}/up/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\n`);
    await new Promise<void>((resolve) => socket.write('x'.repeat(70_000), () => resolve()));
    const refused = await fetch(`http://127.0.0.1:${port}/pipevine/${SESSION}/up/0`, {
      method: 'POST',
      body: new Uint8Array(100_001),
    }).then(
      ({ status }) => status,
      () => 503,
    );
    expect(refused).toBe(503);
    socket.destroy();
    for (;;) {
      const answer = await ask(port, 'up', 0, new Uint8Array(90_000)).catch(() => undefined);
      if (answer?.offset === 90_000) break;
    }
  });

  it.each([
    ['from one remote', { maxConnectionsPerRemote: 2 }, 'refusedPerRemote'],
    ['in total', { maxConnections: 2 }, 'refusedTotal'],
  ] as const)('finds a bound for sessions %s', async (_name, bounds, counter) => {
    const { address, transport, port } = await listen(bounds);
    for (const digit of ['1', '2']) await ask(port, 'open', 0, undefined, digit.repeat(32));
    await expect(dial(address)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/no room/),
    });
    expect(transport.counters[counter]).toBe(1);
    await ask(port, 'reset', 0, undefined, '1'.repeat(32));
    await dial(address);
  });
});

describe('a dial', () => {
  it.each([
    [200, '<html>Please log in</html>', /something on the way gave it/],
    [404, 'no', /no Pipevine peer/],
    [503, 'later', /no room/],
    [407, 'who?', /user name and password/],
  ])('says what it met where something else answers with %s', async (status, body, message) => {
    const server = createHttpServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    undo.push(() => server.close());
    undo.push(() => server.closeAllConnections());
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    await expect(dial(`http://127.0.0.1:${port}`)).rejects.toMatchObject({
      code: expect.stringMatching(/unreachable/),
      message: expect.stringMatching(message),
    });
  });

  it('that is given up while the server opens the session leaves none behind', async () => {
    const { address, transport } = await listen();
    const controller = new AbortController();
    const dialling = httpTransport().dial(address, { signal: controller.signal });
    await until(() => transport.counters.accepted > 0);
    controller.abort();
    await dialling.then(
      (connection) => connection.abort(),
      (error: PipevineError) => expect(error.code).toBe('aborted'),
    );
    await until(() => transport.counters.open === 0);
  });

  it('to https goes through a tunnel of the proxy, with its name and password', async () => {
    const files = await tlsFiles();
    undo.push(files.remove);
    const listening = await listen({ tls: files }, 'https');
    const { url, asked, close } = await forwardProxy({
      authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}`,
    });
    undo.push(close);
    await expectServed(listening, { tls: files, proxy: { https: url } });
    expect(new Set(asked)).toEqual(new Set([`CONNECT 127.0.0.1:${listening.port}`]));
  });
});
