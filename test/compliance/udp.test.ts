import { createSocket } from 'node:dgram';
import { udpTransport } from '@pipevine/transports';
import { type TransportFixture, transportCompliance } from './transport-compliance.ts';

/** Real sockets on loopback: turns of the event loop take the place of virtual time. */
async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function udpFixture(host: string): Promise<TransportFixture> {
  const silent = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
  const { port: silentPort } = silent.address();
  await new Promise<void>((resolve) => silent.close(() => resolve()));
  return {
    dialling: udpTransport(),
    listening: udpTransport(),
    listenAddress: `udp://${host}:0`,
    wildcardAddress: host === '127.0.0.1' ? 'udp://0.0.0.0:0' : 'udp://[::]:0',
    silentAddress: `udp://127.0.0.1:${silentPort}`,
    malformedAddresses: [
      'udp:/127.0.0.1:1',
      'udp://127.0.0.1',
      'udp://:4001',
      'udp://127.0.0.1:70000',
      'udp://::1:4001',
      'udp://[127.0.0.1]:4001',
      'udp://1.2.3:4001',
      'udp://a b:4001',
      'udp://127.0.0.1:4001/path',
      'udp://*:4001',
      'tcp://127.0.0.1:4001',
    ],
    until,
    settled: (promise) => promise,
    // Long enough for loopback to carry what is on its way; too short could only hide a failure, never make one.
    quiet: () => new Promise((resolve) => setTimeout(resolve, 20)),
    close: async () => undefined,
  };
}

transportCompliance('UDP over IPv4', { kind: 'datagram', hasBlackHole: false }, () => udpFixture('127.0.0.1'));
transportCompliance('UDP over IPv6', { kind: 'datagram', hasBlackHole: false }, () => udpFixture('[::1]'));
