import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mqttTransport } from '../../transports/mqtt/mqtt-transport.ts';
import { type TransportFixture, transportCompliance } from '../compliance/transport-compliance.ts';

async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function startMosquitto(port: number, home: string): Promise<ChildProcess> {
  const config = join(home, 'mosquitto.conf');
  const lines = [`listener ${port} 127.0.0.1`, `user ${process.env.USER ?? 'root'}`, 'allow_anonymous true', ''];
  writeFileSync(config, lines.join('\n'));
  const child = spawn('mosquitto', ['-v', '-c', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`mosquitto ended: ${log}`)));
    child.stderr?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4_000);
      if (/ running/.test(log)) resolve();
    });
  });
  return child;
}

async function mosquittoFixture(): Promise<TransportFixture> {
  const home = mkdtempSync(join(tmpdir(), 'pipevine-mosquitto-'));
  const [port, silentPort] = [await freePort(), await freePort()];
  const mosquitto = await startMosquitto(port, home);
  const broker = `mqtt://127.0.0.1:${port}`;
  const nobody = '0123456789abcdef0123456789abcdef';
  return {
    dialling: mqttTransport(),
    listening: mqttTransport(),
    listenAddress: `${broker}/test/peers`,
    wildcardAddress: `${broker}/test/anywhere`,
    silentAddress: `mqtt://127.0.0.1:${silentPort}/test#${nobody}`,
    blackHoleAddress: `${broker}/test/peers#${nobody}`,
    malformedAddresses: [`${broker}/`],
    until,
    settled: (promise) => promise,
    // Long enough for loopback to carry what is on its way; too short could only hide a failure, never make one.
    quiet: () => new Promise((resolve) => setTimeout(resolve, 50)),
    close: async () => {
      const ended = once(mosquitto, 'exit');
      mosquitto.kill('SIGKILL');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

transportCompliance('MQTT through mosquitto', { kind: 'stream', hasBlackHole: true }, mosquittoFixture);
