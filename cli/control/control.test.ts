import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from './control-client.ts';
import { type ControlMethods, ControlServer } from './control-server.ts';
import { MAX_LINE_BYTES } from './json-rpc.ts';
import { LineSplitter } from './line-splitter.ts';

let folder: string;
let path: string;
let server: ControlServer;
const clients: ControlClient[] = [];
const sockets: Socket[] = [];
let emitted = 0;
let ended = 0;

const METHODS: ControlMethods = {
  echo: async (params) => params,
  fail: async () => {
    throw new PipevineError('not-found', 'no such lamp');
  },
  hang: async (_params, { signal }) => {
    await once(signal, 'abort');
    ended++;
    return null;
  },
  count: async (params, { emit, signal }) => {
    for (let i = 0; i < Number(params.to) && !signal.aborted; i++) {
      await emit({ i, filler: 'x'.repeat(Number(params.bytes ?? 0)) });
      emitted++;
    }
    ended++;
    return { done: true };
  },
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-control-'));
  path = join(folder, 'control.sock');
  emitted = 0;
  ended = 0;
  server = await ControlServer.listen(path, METHODS);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
  rmSync(folder, { recursive: true });
});

async function connect(): Promise<ControlClient> {
  const client = await ControlClient.connect(path);
  if (client === undefined) throw new Error('nobody listens');
  clients.push(client);
  return client;
}

async function rawSocket(): Promise<{ socket: Socket; next: () => Promise<Record<string, unknown>> }> {
  const socket = createConnection(path);
  sockets.push(socket);
  await once(socket, 'connect');
  const splitter = new LineSplitter(MAX_LINE_BYTES);
  const waiting: string[] = [];
  return {
    socket,
    next: async () => {
      while (waiting.length === 0) {
        const [chunk]: Uint8Array[] = await once(socket, 'data');
        if (chunk !== undefined) waiting.push(...splitter.push(chunk));
      }
      return JSON.parse(waiting.shift() ?? '');
    },
  };
}

describe('a command and the daemon', () => {
  it('ask and answer', async () => {
    const client = await connect();
    expect(await client.call('echo', { a: [1, 'ü'] }, { timeoutMs: 5_000 })).toEqual({ a: [1, 'ü'] });
  });

  it('carry an error with its code', async () => {
    const client = await connect();
    await expect(client.call('fail', {}, { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'not-found',
      message: 'no such lamp',
    });
  });

  it('use a socket that nobody else may open', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('stream in order, and the result last', async () => {
    const client = await connect();
    const seen: unknown[] = [];
    const stream = client.stream('count', { to: 500 });
    for (;;) {
      const next = await stream.next();
      if (next.done === true) {
        expect(next.value).toEqual({ done: true });
        break;
      }
      seen.push(next.value);
    }
    expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => ({ i, filler: '' })));
  });

  it('end a stream at the daemon when the command stops reading it', async () => {
    const client = await connect();
    for await (const _item of client.stream('count', { to: 1e9 })) break;
    await expect.poll(() => ended).toBe(1);
    expect(await client.call('echo', {}, { timeoutMs: 5_000 })).toEqual({});
  });

  it('end everything under way when the command goes away', async () => {
    const client = await connect();
    client.call('hang', {}, { timeoutMs: 60_000 }).catch(() => {});
    await client.call('echo', {}, { timeoutMs: 5_000 });
    client.close();
    await expect.poll(() => ended).toBe(1);
    await expect.poll(() => server.status.clients).toBe(0);
  });

  it('give up on a method that hangs', async () => {
    const client = await connect();
    await expect(client.call('hang', {}, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'timeout' });
    await expect.poll(() => ended).toBe(1);
  });

  it('tell a command that the daemon stops', async () => {
    const client = await connect();
    // What was under way ends; whether its result or the end of the connection comes first does not matter.
    const hanging = client
      .call('hang', {}, { timeoutMs: 60_000 })
      .catch((error) => expect(error).toMatchObject({ code: 'closed' }));
    await client.call('echo', {}, { timeoutMs: 5_000 });
    await server.close();
    await hanging;
    await expect(client.call('echo', {}, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('the daemon', () => {
  it('holds a stream back while its client does not read, and serves others', async () => {
    const slow = await rawSocket();
    slow.socket.pause();
    slow.socket.write('{"jsonrpc":"2.0","id":1,"method":"count","params":{"to":100000,"bytes":10000}}\n');
    const client = await connect();
    let before = -1;
    // It comes to rest once the socket is full.
    await expect
      .poll(
        () => {
          const atRest = emitted > 0 && emitted === before;
          before = emitted;
          return atRest;
        },
        { interval: 50 },
      )
      .toBe(true);
    expect(emitted).toBeLessThan(1_000);
    expect(await client.call('echo', { a: 1 }, { timeoutMs: 5_000 })).toEqual({ a: 1 });
  });

  it('answers nonsense with an error, and goes on', async () => {
    const { socket, next } = await rawSocket();
    socket.write('not json\n');
    expect(await next()).toMatchObject({ id: null, error: { code: -32700, data: { code: 'malformed' } } });
    socket.write('{"jsonrpc":"2.0","id":7,"method":"constructor"}\n');
    expect(await next()).toMatchObject({ id: 7, error: { code: -32601, data: { code: 'unsupported' } } });
    socket.write(
      '{"jsonrpc":"2.0","id":"x","method":"echo"}\n{"jsonrpc":"2.0","id":8,"method":"echo","params":{"b":2}}\n',
    );
    expect(await next()).toMatchObject({ error: { data: { code: 'malformed' } } });
    expect(await next()).toEqual({ jsonrpc: '2.0', id: 8, result: { b: 2 } });
  });

  it('ends a connection whose line is too long', async () => {
    const { socket, next } = await rawSocket();
    socket.write('x'.repeat(MAX_LINE_BYTES + 1));
    expect(await next()).toMatchObject({ error: { data: { code: 'too-large' } } });
    await once(socket, 'close');
  });

  it('refuses the sixty-fifth command', async () => {
    for (let i = 0; i < 64; i++) await connect();
    await expect.poll(() => server.status.clients).toBe(64);
    const late = await connect();
    await expect(late.call('echo', {}, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'overloaded' });
    expect(server.status.refused).toBe(1);
  });
});

describe('looking for a daemon', () => {
  it('finds none where there is no socket, and none behind a socket whose daemon was killed', async () => {
    expect(await ControlClient.connect(join(folder, 'none.sock'))).toBeUndefined();
    const stale = join(folder, 'stale.sock');
    writeFileSync(stale, '');
    expect(await ControlClient.connect(stale)).toBeUndefined();
  });
});

describe('cutting into lines', () => {
  it('does not depend on where the bytes were cut', () => {
    const bytes = new TextEncoder().encode('{"a":"ü"}\n\n{"b":1}\n');
    for (let at = 0; at <= bytes.length; at++) {
      const splitter = new LineSplitter(100);
      expect([...splitter.push(bytes.subarray(0, at)), ...splitter.push(bytes.subarray(at))]).toEqual([
        '{"a":"ü"}',
        '',
        '{"b":1}',
      ]);
    }
  });

  it('refuses a long line before it is complete', () => {
    const splitter = new LineSplitter(4);
    expect(splitter.push(new TextEncoder().encode('abcd'))).toEqual([]);
    expect(() => splitter.push(new TextEncoder().encode('e'))).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});
