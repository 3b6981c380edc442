import { createServer } from 'node:net';
import { httpTransport } from '../../transports/http/http-transport.ts';
import { tlsFiles } from '../../transports/http/testing/tls-files.ts';
import { type TransportFixture, transportCompliance } from './transport-compliance.ts';

/** Real sockets on loopback: turns of the event loop take the place of virtual time. */
async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function httpFixture(scheme: 'http' | 'https', host: string): Promise<TransportFixture> {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const bound = silent.address();
  const silentPort = typeof bound === 'object' && bound !== null ? bound.port : 1;
  await new Promise((resolve) => silent.close(resolve));
  const files = await tlsFiles();
  return {
    dialling: httpTransport({ tls: { caFile: files.caFile } }),
    listening: httpTransport({ tls: files }),
    listenAddress: `${scheme}://${host}:0`,
    // The certificate names no other address of this machine.
    wildcardAddress: scheme === 'http' ? `http://${host === '[::1]' ? '[::]' : '0.0.0.0'}:0` : `https://${host}:0`,
    silentAddress: `${scheme}://127.0.0.1:${silentPort}`,
    malformedAddresses: [
      `${scheme}:/127.0.0.1:1`,
      `${scheme}://127.0.0.1`,
      `${scheme}://:4001`,
      `${scheme}://127.0.0.1:70000`,
      `${scheme}://127.0.0.1:1/path`,
      `${scheme}://ann@127.0.0.1:1`,
      `${scheme}://::1:4001`,
      `${scheme}://1.2.3:4001`,
      'tcp://127.0.0.1:1',
    ],
    until,
    settled: (promise) => promise,
    // Long enough for loopback to carry what is on its way; too short could only hide a failure, never make one.
    quiet: () => new Promise((resolve) => setTimeout(resolve, 20)),
    close: () => files.remove(),
  };
}

const STREAM = { kind: 'stream', hasBlackHole: false } as const;
transportCompliance('HTTP over IPv4', STREAM, () => httpFixture('http', '127.0.0.1'));
transportCompliance('HTTP over IPv6', STREAM, () => httpFixture('http', '[::1]'));
transportCompliance('HTTP over TLS', STREAM, () => httpFixture('https', '127.0.0.1'));
