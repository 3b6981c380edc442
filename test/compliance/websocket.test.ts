import { createServer } from 'node:net';
import { tlsFiles } from '../../transports/http/testing/tls-files.ts';
import { webSocketTransport } from '../../transports/websocket/websocket-transport.ts';
import { type TransportFixture, transportCompliance } from './transport-compliance.ts';

/** Real sockets on loopback: turns of the event loop take the place of virtual time. */
async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function webSocketFixture(scheme: 'ws' | 'wss', host: string): Promise<TransportFixture> {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const bound = silent.address();
  const silentPort = typeof bound === 'object' && bound !== null ? bound.port : 1;
  await new Promise((resolve) => silent.close(resolve));
  const files = await tlsFiles();
  return {
    dialling: webSocketTransport({
      tls: { caFile: files.caFile },
      // TLS hands to the system in a later turn; the suite writes 1 MiB a turn to see when the way is full.
      ...(scheme === 'wss' && { highWaterBytes: 2 * 1024 * 1024 }),
    }),
    listening: webSocketTransport({ tls: files }),
    listenAddress: `${scheme}://${host}:0`,
    // The certificate names no other address of this machine.
    wildcardAddress: scheme === 'ws' ? `ws://${host === '[::1]' ? '[::]' : '0.0.0.0'}:0` : `wss://${host}:0`,
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
transportCompliance('WebSocket over IPv4', STREAM, () => webSocketFixture('ws', '127.0.0.1'));
transportCompliance('WebSocket over IPv6', STREAM, () => webSocketFixture('ws', '[::1]'));
transportCompliance('WebSocket over TLS', STREAM, () => webSocketFixture('wss', '127.0.0.1'));
