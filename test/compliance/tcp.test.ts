import { createServer } from 'node:net';
import { tcpTransport } from '@pipevine/transports';
import { type TransportFixture, transportCompliance } from './transport-compliance.ts';

/** Real sockets on loopback: turns of the event loop take the place of virtual time. */
async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function tcpFixture(host: string): Promise<TransportFixture> {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const bound = silent.address();
  const silentPort = typeof bound === 'object' && bound !== null ? bound.port : 1;
  await new Promise((resolve) => silent.close(resolve));
  return {
    dialling: tcpTransport(),
    listening: tcpTransport(),
    listenAddress: `tcp://${host}:0`,
    wildcardAddress: host === '127.0.0.1' ? 'tcp://0.0.0.0:0' : 'tcp://[::]:0',
    silentAddress: `tcp://127.0.0.1:${silentPort}`,
    malformedAddresses: [
      'tcp:/127.0.0.1:1',
      'tcp://127.0.0.1',
      'tcp://:4001',
      'tcp://127.0.0.1:70000',
      'tcp://::1:4001',
      'tcp://[127.0.0.1]:4001',
      'tcp://1.2.3:4001',
      'tcp://a b:4001',
      'mem://a',
    ],
    until,
    settled: (promise) => promise,
    // Long enough for loopback to carry what is on its way; too short could only hide a failure, never make one.
    quiet: () => new Promise((resolve) => setTimeout(resolve, 20)),
    close: async () => undefined,
  };
}

transportCompliance('TCP over IPv4', { kind: 'stream', hasBlackHole: false }, () => tcpFixture('127.0.0.1'));
transportCompliance('TCP over IPv6', { kind: 'stream', hasBlackHole: false }, () => tcpFixture('[::1]'));
