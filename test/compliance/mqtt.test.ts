import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { mqttTransport } from '../../transports/mqtt/mqtt-transport.ts';
import { type TransportFixture, transportCompliance } from './transport-compliance.ts';

/** Real sockets on loopback: turns of the event loop take the place of virtual time. */
async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function listeningPort(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

async function mqttFixture(): Promise<TransportFixture> {
  const silent = createServer();
  const silentPort = await listeningPort(silent);
  await new Promise((resolve) => silent.close(resolve));
  const aedes = await Aedes.createBroker();
  const server = createServer((socket) => aedes.handle(socket));
  const broker = `mqtt://127.0.0.1:${await listeningPort(server)}`;
  const nobody = '0123456789abcdef0123456789abcdef';
  return {
    dialling: mqttTransport(),
    listening: mqttTransport(),
    listenAddress: `${broker}/test/peers`,
    // A broker has no interfaces of the peer to choose from.
    wildcardAddress: `${broker}/test/anywhere`,
    silentAddress: `mqtt://127.0.0.1:${silentPort}/test#${nobody}`,
    blackHoleAddress: `${broker}/test/peers#${nobody}`,
    malformedAddresses: [
      'mqtt:/127.0.0.1:1/a',
      broker,
      `${broker}/`,
      `${broker}//a`,
      `${broker}/a/`,
      `${broker}/a/+/b`,
      `${broker}/a#short`,
      `${broker}/a#${nobody}#${nobody}`,
      `${broker}/$SYS`,
      `${broker}/${'x'.repeat(129)}`,
      'mqtt://127.0.0.1:70000/a',
      'mqtt://user:word@127.0.0.1/a',
      'tcp://127.0.0.1:1',
    ],
    until,
    settled: (promise) => promise,
    // Long enough for loopback to carry what is on its way; too short could only hide a failure, never make one.
    quiet: () => new Promise((resolve) => setTimeout(resolve, 30)),
    close: async () => {
      await new Promise<void>((resolve) => aedes.close(resolve));
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

transportCompliance('MQTT', { kind: 'stream', hasBlackHole: true }, mqttFixture);
