import { createServer, connect as netConnect } from 'node:net';
import type { Clock, Connection, PipevineError } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { nodeClock } from '../node/node-clock.ts';
import { dialableAddresses } from './listen-addresses.ts';
import { parseTcpAddress, tcpAddressText } from './tcp-address.ts';
import { connectionFailure, dialFailure, listenFailure } from './tcp-failure.ts';
import { tcpTransport } from './tcp-transport.ts';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

describe('addresses', () => {
  it.each([
    ['tcp://192.168.1.5:4001', { host: '192.168.1.5', port: 4001 }],
    ['tcp://gateway.local:1', { host: 'gateway.local', port: 1 }],
    ['tcp://[2001:db8::1]:4001', { host: '2001:db8::1', port: 4001 }],
    ['tcp://[fe80::1%25eth0]:4001', { host: 'fe80::1%eth0', port: 4001 }],
    ['tcp://[::]:0', { host: '::', port: 0 }],
  ])('reads %s and writes it again', (text, parsed) => {
    expect(parseTcpAddress(text)).toEqual(parsed);
    expect(tcpAddressText(parsed.host, parsed.port)).toBe(text);
  });

  it('writes an IPv4 address in IPv6 clothing as IPv4', () => {
    expect(tcpAddressText('::ffff:10.0.0.1', 5)).toBe('tcp://10.0.0.1:5');
  });

  it('expands a wildcard to the best addresses that the machine has', () => {
    const common = { netmask: '', mac: '', cidr: null };
    const lo = [
      { ...common, address: '127.0.0.1', family: 'IPv4' as const, internal: true },
      { ...common, address: '::1', family: 'IPv6' as const, internal: true, scopeid: 0 },
    ];
    const linkLocal = { ...common, address: 'fe80::5', family: 'IPv6' as const, internal: false, scopeid: 2 };
    const v4 = { ...common, address: '192.168.1.5', family: 'IPv4' as const, internal: false };
    const v6 = { ...common, address: '2001:db8::5', family: 'IPv6' as const, internal: false, scopeid: 0 };
    expect(dialableAddresses('0.0.0.0', 1, { lo, eth0: [v4, v6, linkLocal] })).toEqual(['tcp://192.168.1.5:1']);
    expect(dialableAddresses('::', 1, { lo, eth0: [v4, v6, linkLocal] })).toEqual([
      'tcp://192.168.1.5:1',
      'tcp://[2001:db8::5]:1',
    ]);
    expect(dialableAddresses('::', 1, { lo, eth0: [linkLocal] })).toEqual(['tcp://[fe80::5%25eth0]:1']);
    expect(dialableAddresses('0.0.0.0', 1, { lo })).toEqual(['tcp://127.0.0.1:1']);
    expect(dialableAddresses('127.0.0.1', 1, { lo, eth0: [v4] })).toEqual(['tcp://127.0.0.1:1']);
  });
});

describe('failures', () => {
  it.each([
    ['ECONNREFUSED', 'unreachable'],
    ['EHOSTUNREACH', 'unreachable'],
    ['ENETUNREACH', 'unreachable'],
    ['ENOTFOUND', 'unreachable'],
    ['ETIMEDOUT', 'timeout'],
  ])('of a dial: %s is %s', (code, expected) => {
    expect(dialFailure('tcp://a:1', systemError(code))).toMatchObject({
      code: expected,
      message: expect.stringContaining('tcp://a:1'),
    });
    expect(dialFailure('tcp://a:1', new AggregateError([systemError(code)]))).toMatchObject({ code: expected });
  });

  it.each([
    ['EADDRINUSE', 'address-in-use', 'another port'],
    ['EACCES', 'permission-denied', 'higher one'],
    ['EADDRNOTAVAIL', 'invalid-address', 'not an address of this machine'],
  ])('of listening: %s is %s and says what to do', (code, expected, advice) => {
    const error = listenFailure('tcp://a:1', systemError(code));
    expect(error.code).toBe(expected);
    expect(error.message).toContain('tcp://a:1');
    expect(error.message).toContain(advice);
  });

  it.each([
    ['ECONNRESET', 'closed'],
    ['EPIPE', 'closed'],
    ['ETIMEDOUT', 'timeout'],
    ['EHOSTUNREACH', 'unreachable'],
  ])('of a connection: %s is %s', (code, expected) => {
    expect(connectionFailure('tcp://a:1', systemError(code)).code).toBe(expected);
  });

  it('names an address that is not of this machine', async () => {
    await expect(tcpTransport().listen('tcp://198.51.100.1:0', () => undefined)).rejects.toMatchObject({
      code: 'invalid-address',
    });
  });

  it('gives up a dial when the time is over', async () => {
    // Time is up before the system can have answered.
    const clock: Clock = {
      ...nodeClock,
      setTimer: (_delayMs, callback) => {
        queueMicrotask(callback);
        return { cancel: () => undefined };
      },
    };
    await expect(tcpTransport({ clock }).dial('tcp://127.0.0.1:9', { timeoutMs: 77 })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('77 ms'),
    });
  });
});

describe('bounds', () => {
  const knock = (port: number): Promise<void> =>
    new Promise((resolve) => {
      const socket = netConnect({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
    });

  it.each([
    ['from one remote', { maxConnectionsPerRemote: 3 }, 'refusedPerRemote' as const],
    ['in total', { maxConnections: 3 }, 'refusedTotal' as const],
  ])('refuse and count connections beyond the bound %s, and take them again later', async (_name, bounds, counter) => {
    const transport = tcpTransport(bounds);
    const accepted: Connection[] = [];
    let notify: () => void = () => undefined;
    const listener = await transport.listen('tcp://127.0.0.1:0', (connection) => {
      accepted.push(connection);
      notify();
    });
    const port = parseTcpAddress(listener.addresses[0] ?? '').port;
    const open = Array.from({ length: 3 }, () => {
      const socket = netConnect({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      return socket;
    });
    await new Promise<void>((resolve) => {
      notify = () => {
        if (accepted.length === 3) resolve();
      };
      notify();
    });
    await knock(port);
    expect(transport.counters[counter]).toBe(1);
    expect(transport.counters.open).toBe(3);
    const over = accepted.map(
      (connection) =>
        new Promise<void>((resolve) => {
          connection.start({ onBytes: () => undefined, onWritable: () => undefined, onClosed: () => resolve() });
        }),
    );
    for (const socket of open) socket.destroy();
    await Promise.all(over);
    const again = new Promise<void>((resolve) => {
      notify = resolve;
    });
    const socket = netConnect({ port, host: '127.0.0.1' });
    await again;
    expect(transport.counters.accepted).toBe(4);
    socket.destroy();
    for (const connection of accepted) connection.abort();
    await listener.close();
  });
});

it('reports a reset as closed, not as a crash', async () => {
  const server = createServer((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const connection = await tcpTransport().dial(`tcp://127.0.0.1:${port}`);
  const closed = new Promise<PipevineError | undefined>((resolve) => {
    connection.start({ onBytes: () => undefined, onWritable: () => undefined, onClosed: resolve });
  });
  connection.write([Uint8Array.of(1)]);
  expect(await closed).toMatchObject({ code: 'closed' });
  await new Promise((resolve) => server.close(resolve));
});
