import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, PipevineProcess, pipevine, pipevineJson, temporaryFolder } from './pipevine-process.ts';

describe('a gateway that is treated badly', () => {
  let folder: { path: string; remove(): Promise<void> };
  let gateway: PipevineProcess;
  let other: PipevineProcess | undefined;
  let home: string;
  let tcpPort: number;
  let mqttPort: number;
  let code: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    home = join(folder.path, 'a');
    tcpPort = await freePort();
    mqttPort = await freePort();
    gateway = new PipevineProcess([
      ...['up', '--home', home, '--name', 'cellar', '--no-multicast', '--json'],
      ...['--listen', `tcp://127.0.0.1:${tcpPort}`, '--mqtt-listen', `127.0.0.1:${mqttPort}`],
    ]);
    code = await gateway.json((line) => (line.event === 'ready' ? String(line.code) : undefined), 20_000);
  });

  afterAll(async () => {
    await other?.end('SIGKILL');
    const code = await gateway?.end('SIGTERM');
    await folder?.remove();
    expect(code).toBe(0);
  });

  const status = async () => (await pipevineJson(['status', '--home', home]))[0] ?? {};

  it('tells a second daemon on the same home who has it', async () => {
    const second = await pipevine(['up', '--home', home, '--no-multicast', '--listen', 'tcp://127.0.0.1:0']);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(home);
    expect(second.stderr).toMatch(/process \d+/);
  });

  it('names a busy port, and how to choose another', async () => {
    const other = join(folder.path, 'busy');
    const listen = await pipevine(['up', '--home', other, '--no-multicast', '--listen', `tcp://127.0.0.1:${tcpPort}`]);
    expect(listen).toMatchObject({ code: 1 });
    expect(listen.stderr).toContain(String(tcpPort));
    expect(listen.stderr).toContain('--listen');
    const broker = await pipevine([
      ...['up', '--home', other, '--no-multicast', '--listen', 'tcp://127.0.0.1:0'],
      ...['--mqtt-listen', `127.0.0.1:${mqttPort}`],
    ]);
    expect(broker).toMatchObject({ code: 1 });
    expect(broker.stderr).toContain(String(mqttPort));
    expect(broker.stderr).toContain('--mqtt-listen');
  });

  it('points at the line of a mistake in the configuration', async () => {
    const file = join(folder.path, 'bad.yaml');
    writeFileSync(file, 'name: cellar\nmulticats: false\n');
    const result = await pipevine(['up', '--home', join(folder.path, 'c'), '--config', file]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/bad\.yaml:2:1/);
    expect(result.stderr).toContain('multicast');
  });

  it('says how to start a daemon where there is none', async () => {
    const result = await pipevine(['things', '--home', join(folder.path, 'nobody')]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('pipevine up');
  });

  it('refuses a code with a typo, a foreign one and a used one, each in its own words', async () => {
    const seed = ['--seed', `tcp://127.0.0.1:${tcpPort}`, '--no-multicast', '--timeout', '8'];
    const typo = code.replace(/[A-Z2-7]/, (character) => (character === 'A' ? 'B' : 'A'));
    expect((await pipevine(['join', typo, '--home', join(folder.path, 'd'), ...seed])).code).toBe(2);
    const [foreign] = await pipevineJson(['invite', '--home', await otherGateway()]);
    const refused = await pipevine(['join', String(foreign?.code), '--home', join(folder.path, 'e'), ...seed]);
    expect([3, 4, 5]).toContain(refused.code);
    expect(refused.stderr).not.toBe('');
    const [once] = await pipevineJson(['invite', '--home', home, '--uses', '1']);
    const first = await pipevine(['join', String(once?.code), '--home', join(folder.path, 'f'), ...seed]);
    expect(first).toMatchObject({ code: 0 });
    const second = await pipevine(['join', String(once?.code), '--home', join(folder.path, 'g'), ...seed]);
    expect(second.code).toBe(5);
  });

  async function otherGateway(): Promise<string> {
    const path = join(folder.path, 'other');
    other = new PipevineProcess([
      ...['up', '--home', path, '--no-multicast', '--listen', 'tcp://127.0.0.1:0', '--json'],
      ...['--mqtt-listen', `127.0.0.1:${await freePort()}`],
    ]);
    await other.json((line) => (line.event === 'ready' ? true : undefined), 20_000);
    return path;
  }

  it('survives garbage, silence and an endless record on its port', async () => {
    const attacks = ['GET / HTTP/1.1\r\n\r\n', '\xff\xff'.padEnd(200_000, 'x'), '\x00\x20'.padEnd(34, 'y'), ''];
    for (const attack of attacks) {
      const socket = connect(tcpPort, '127.0.0.1');
      await once(socket, 'connect');
      socket.on('error', () => {});
      socket.end(Buffer.from(attack, 'latin1'));
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
    }
    expect(await status()).toMatchObject({ name: 'cellar' });
  });

  it('drops malformed discovery and a 10 MB payload, counted, and serves the next device', async () => {
    const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { reconnectPeriod: 0 });
    for (const payload of ['{', '[]', '{"~": 3}', '"x"', '{"dev": {"ids": 7}, "cmps": {}}', '{"cmd_t": "a/#"}']) {
      await device.publishAsync('homeassistant/switch/bad/config', payload, { qos: 1 });
    }
    const evil = { uniq_id: 'evil', name: 'Evil', cmd_t: 'x', stat_t: 'evil/s', val_tpl: "{{ ''.__class__ }}" };
    await device.publishAsync('homeassistant/switch/evil/config', JSON.stringify(evil), { qos: 1 });
    const huge = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { reconnectPeriod: 0 });
    huge.on('error', () => {});
    const closed = new Promise<void>((resolve) => huge.once('close', () => resolve()));
    huge.publish('homeassistant/switch/huge/config', Buffer.alloc(10_000_000, 'x'), { qos: 1 }, () => {});
    await closed;
    const good = { uniq_id: 'good', name: 'Good', cmd_t: 'good/set' };
    await device.publishAsync('homeassistant/switch/good/config', JSON.stringify(good), { qos: 1, retain: true });
    await expect
      .poll(async () => (await pipevineJson(['things', '--home', home])).map((thing) => thing.name), {
        timeout: 10_000,
      })
      .toContain('Good');
    expect(JSON.stringify(await status())).toMatch(/"rejected":\{[^}]*:[1-9]/);
    await device.endAsync();
  });

  it('refuses an identity that others could read, and says how to mend it', async () => {
    const open = join(folder.path, 'open');
    mkdirSync(open);
    expect((await pipevine(['init', '--home', open])).code).toBe(0);
    chmodSync(join(open, 'identity.key'), 0o644);
    const result = await pipevine(['up', '--home', open, '--no-multicast', '--listen', 'tcp://127.0.0.1:0']);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('chmod');
  });
});
