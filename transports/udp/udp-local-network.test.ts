import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { Clock, LocalNetworkSession, LocalPacket } from '@pipevine/runtime';
import { afterEach, expect, it } from 'vitest';
import { VirtualClock } from '../memory/virtual-clock.ts';
import { nodeClock } from '../node/node-clock.ts';
import type { InterfaceTable } from './link-interfaces.ts';
import { type UdpLocalNetwork, udpLocalNetwork } from './udp-local-network.ts';
import type { UdpLocalNetworkInit } from './udp-options.ts';

const loopback = (): InterfaceTable =>
  Object.fromEntries(
    Object.entries(networkInterfaces()).filter(([, infos]) => infos?.some(({ internal }) => internal)),
  );

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

interface Ear {
  readonly network: UdpLocalNetwork;
  readonly session: LocalNetworkSession;
  readonly texts: string[];
  readonly packets: LocalPacket[];
  changes: number;
  until(isDone: () => boolean): Promise<void>;
}

async function openEar(init: UdpLocalNetworkInit): Promise<Ear> {
  const network = udpLocalNetwork({ interfaces: loopback, ...init });
  let notify: () => void = () => undefined;
  const ear = { network, texts: [] as string[], packets: [] as LocalPacket[], changes: 0 };
  const session = await network.open({
    onPacket: (packet) => {
      ear.packets.push(packet);
      ear.texts.push(Buffer.from(packet.bytes).toString());
      notify();
    },
    onChange: () => {
      result.changes++;
      notify();
    },
  });
  closers.push(() => session.close());
  const result: Ear = Object.assign(ear, {
    session,
    until: (isDone: () => boolean) =>
      new Promise<void>((resolve) => {
        notify = () => {
          if (isDone()) resolve();
        };
        notify();
      }),
  });
  return result;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

it('carries packets between peers of one machine that share the port', async () => {
  const port = await freePort();
  const ears = [await openEar({ port }), await openEar({ port }), await openEar({ port })];
  ears[0]?.session.send(bytes('hello'));
  for (const ear of ears) {
    await ear.until(() => ear.texts.includes('hello'));
    expect(ear.packets[0]?.host).toBe('127.0.0.1');
    expect(Buffer.isBuffer(ear.packets[0]?.bytes)).toBe(false);
  }
});

it('carries packets between processes', async () => {
  const port = await freePort();
  const script = new URL('./multicast-peer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  closers.push(async () => {
    child.kill();
    await once(child, 'exit');
  });
  const ear = await openEar({ port });
  await once(child.stdout, 'data');
  ear.session.send(bytes('ask 1'));
  await ear.until(() => ear.texts.includes('answer to ask 1'));
}, 20_000);

it('works on the interfaces that this machine really has', async () => {
  const ear = await openEar({ port: await freePort(), interfaces: networkInterfaces });
  ear.session.send(bytes('hello'));
  await ear.until(() => ear.packets.some(({ host }) => host === '127.0.0.1'));
});

it('drops and counts what comes from off the link', async () => {
  const port = await freePort();
  // A machine that takes loopback for somebody else's network.
  const [info] = loopback().lo ?? loopback().lo0 ?? [];
  const elsewhere = (): InterfaceTable =>
    info?.family === 'IPv4' ? { lo: [{ ...info, cidr: '198.51.100.1/24' }] } : {};
  const deaf = await openEar({ port, interfaces: elsewhere });
  const ear = await openEar({ port });
  ear.session.send(bytes('hello'));
  await ear.until(() => ear.texts.length === 1);
  await ear.until(() => true);
  deaf.session.send(bytes('second'));
  await ear.until(() => ear.texts.length === 2);
  expect(deaf.texts).toEqual([]);
  expect(deaf.network.counters.offLink).toBeGreaterThanOrEqual(1);
});

it('neither sends nor takes packets beyond 1,200 bytes', async () => {
  const port = await freePort();
  const ear = await openEar({ port });
  ear.session.send(new Uint8Array(1201));
  expect(ear.network.counters.tooLarge).toBe(1);
  const raw = createSocket('udp4');
  closers.push(() => void raw.close());
  raw.bind(0, '127.0.0.1');
  await once(raw, 'listening');
  raw.setMulticastInterface('127.0.0.1');
  raw.send(new Uint8Array(1201), port, '239.255.80.86');
  raw.send(new Uint8Array(1200), port, '239.255.80.86');
  await ear.until(() => ear.packets.length === 1);
  expect(ear.packets[0]?.bytes).toHaveLength(1200);
  expect(ear.network.counters.tooLarge).toBe(2);
});

it('passes on no more than the rate of a source, and counts the rest', async () => {
  const port = await freePort();
  // Time stands still, so nothing refills.
  const clock: Clock = new VirtualClock();
  const ear = await openEar({ port, clock });
  const other = await openEar({ port });
  for (let i = 0; i < 100; i++) {
    other.session.send(bytes(`packet ${i}`));
    await other.until(() => other.texts.length === Math.min(60, i + 1) || ear.network.counters.rateLimited > 0);
    await new Promise(setImmediate);
  }
  await ear.until(() => ear.texts.length === 60);
  expect(ear.texts).toHaveLength(60);
  expect(ear.network.counters.rateLimited).toBeGreaterThan(0);
});

it('serves an interface that comes later, and says that something changed', async () => {
  const port = await freePort();
  const clock = new VirtualClock();
  const [name = 'lo'] = Object.keys(loopback());
  const [info] = loopback()[name] ?? [];
  let table: InterfaceTable = { [name]: info?.family === 'IPv4' ? [info] : [] };
  const ear = await openEar({ port, clock, interfaces: () => table });
  const before = ear.changes;
  table = info?.family === 'IPv4' ? { [name]: [{ ...info, mac: '00:00:00:00:00:01' }] } : {};
  await clock.runFor(10_000);
  await ear.until(() => ear.changes === before + 1);
  table = {};
  await clock.runFor(10_000);
  await ear.until(() => ear.changes === before + 2);
  const { sent } = ear.network.counters;
  ear.session.send(bytes('into the void'));
  await new Promise(setImmediate);
  expect(ear.network.counters.sent).toBe(sent);
});

it('says multicast-unavailable, and how to go on, where no interface works', async () => {
  await expect(
    udpLocalNetwork({ port: await freePort(), interfaces: () => ({}) }).open({
      onPacket: () => undefined,
      onChange: () => undefined,
    }),
  ).rejects.toMatchObject({ code: 'multicast-unavailable', message: expect.stringContaining('by its address') });
});

it('says multicast-unavailable where another program keeps the port to itself', async () => {
  const hog = createSocket({ type: 'udp4' });
  closers.push(() => void hog.close());
  hog.bind(0, '0.0.0.0');
  await once(hog, 'listening');
  await expect(
    udpLocalNetwork({ port: hog.address().port, interfaces: loopback, clock: nodeClock }).open({
      onPacket: () => undefined,
      onChange: () => undefined,
    }),
  ).rejects.toMatchObject({ code: 'multicast-unavailable', message: expect.stringContaining('EADDRINUSE') });
});

it('sends nothing after close, and closes twice without harm', async () => {
  const ear = await openEar({ port: await freePort() });
  await ear.session.close();
  await ear.session.close();
  ear.session.send(bytes('late'));
  await new Promise(setImmediate);
  expect(ear.network.counters).toMatchObject({ sent: 0, sendFailures: 0 });
});
