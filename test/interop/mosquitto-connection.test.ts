import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Random } from '@pipevine/runtime';
import { afterEach, expect, test } from 'vitest';
import { MqttConnection, type MqttConnectionInit } from '../../proxy-host/mqtt/mqtt-connection.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const random: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  fraction: () => 0.5,
};

const clock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  endOfTurn: (callback) => void setImmediate(callback),
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'pipevine-mosquitto-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Starts a mosquitto and waits until it listens. */
async function startMosquitto(port: number, home: string, lines: readonly string[]): Promise<ChildProcess> {
  const config = join(home, 'mosquitto.conf');
  writeFileSync(config, [`listener ${port} 127.0.0.1`, `user ${process.env.USER ?? 'root'}`, ...lines, ''].join('\n'));
  const child = spawn('mosquitto', ['-v', '-c', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
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

function open(init: Partial<MqttConnectionInit> & { url: string }) {
  const messages: { topic: string; text: string; retain: boolean }[] = [];
  const connection = new MqttConnection({
    clock,
    random,
    onMessage: (topic, payload, { retain }) => messages.push({ topic, text: Buffer.from(payload).toString(), retain }),
    ...init,
  });
  cleanups.push(() => connection.close());
  connection.start();
  return { connection, messages };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

test('messages pass, retained ones marked, in MQTT 5', async () => {
  const port = await freePort();
  await startMosquitto(port, directory(), ['allow_anonymous true']);
  const { connection, messages } = open({ url: `mqtt://127.0.0.1:${port}` });
  await until(() => connection.connected);
  await connection.publish('a/kept', 'old', { retain: true });
  connection.subscribe(['a/#']);
  await connection.settled();
  await connection.publish('a/live', 'new');
  await until(() => messages.length === 2);
  expect(messages).toEqual([
    { topic: 'a/kept', text: 'old', retain: true },
    { topic: 'a/live', text: 'new', retain: false },
  ]);
  expect(connection.status()).toMatchObject({ protocolVersion: 5, state: 'connected' });
});

test('thousands of retained messages all arrive, by wildcard and by exact filters', async () => {
  const port = await freePort();
  await startMosquitto(port, directory(), ['allow_anonymous true']);
  const url = `mqtt://127.0.0.1:${port}`;
  const publisher = open({ url }).connection;
  await until(() => publisher.connected);
  const count = 4_000;
  for (let at = 0; at < count; at += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        publisher.publish(`d/${at + index}/config`, 'x'.repeat(300), { retain: true }),
      ),
    );
  }
  const wide = open({ url });
  wide.connection.subscribe(['d/+/config']);
  const exact = open({ url });
  exact.connection.subscribe(Array.from({ length: count }, (_, index) => `d/${index}/config`));
  await until(() => wide.messages.length >= count && exact.messages.length >= count);
  expect(exact.connection.status()).toMatchObject({ filters: count, filtersRefused: 0, filtersPending: 0 });
}, 20_000);

test('a broker that is killed and started again is found, and subscriptions are made anew', async () => {
  const port = await freePort();
  const home = directory();
  const first = await startMosquitto(port, home, ['allow_anonymous true']);
  const { connection, messages } = open({ url: `mqtt://127.0.0.1:${port}`, limits: { minBackoffMs: 50 } });
  connection.subscribe(['a']);
  await until(() => connection.connected);
  await connection.settled();
  first.kill('SIGKILL');
  await until(() => !connection.connected);
  await expect(connection.publish('a', '1')).rejects.toMatchObject({ code: 'unreachable' });
  await startMosquitto(port, home, ['allow_anonymous true']);
  await until(() => connection.connected);
  await connection.settled();
  await connection.publish('a', 'again');
  await until(() => messages.length === 1);
  expect(connection.status().connections).toBe(2);
});

test('a wrong password is named; the right one with its access rules is obeyed', async () => {
  const port = await freePort();
  const home = directory();
  const passwords = join(home, 'passwords');
  writeFileSync(passwords, '');
  execFileSync('mosquitto_passwd', ['-b', passwords, 'ann', 'right']);
  const rules = join(home, 'rules');
  writeFileSync(rules, 'user ann\ntopic readwrite mine/#\n');
  await startMosquitto(port, home, ['allow_anonymous false', `password_file ${passwords}`, `acl_file ${rules}`]);
  const url = `mqtt://ann@127.0.0.1:${port}`;
  const wrong = open({ url, password: 'wrong' }).connection;
  await until(() => wrong.status().lastError !== null);
  expect(wrong.status().lastError).toMatch(/refused user "ann": check the user name and the password/);
  const { connection, messages } = open({ url, password: 'right' });
  await until(() => connection.connected);
  connection.subscribe(['mine/#', 'theirs/#']);
  await connection.settled();
  await connection.publish('mine/a', '1');
  await expect(connection.publish('theirs/a', '1')).rejects.toMatchObject({ code: 'refused' });
  await until(() => messages.length === 1);
});

test('a message larger than the limit does not reach us, the next one does', async () => {
  const port = await freePort();
  await startMosquitto(port, directory(), ['allow_anonymous true']);
  const url = `mqtt://127.0.0.1:${port}`;
  const { connection, messages } = open({ url });
  connection.subscribe(['a']);
  await until(() => connection.connected);
  await connection.settled();
  const publisher = open({ url }).connection;
  await until(() => publisher.connected);
  await publisher.publish('a', new Uint8Array(1_000_000));
  await publisher.publish('a', 'small');
  await until(() => messages.length === 1);
  expect(messages[0]?.text).toBe('small');
});
