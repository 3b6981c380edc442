import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { showLamp } from '../e2e/hall-lamp.ts';
import { debug, type FlowPart, inject, pipeIn, pipeOut, press, tab } from './flow-parts.ts';
import { type OverlayGateway, startGateway } from './overlay-gateway.ts';
import { installNodes, packNodes } from './packed-package.ts';
import { RedComms } from './red-comms.ts';
import { type RedProcess, startRed } from './red-process.ts';

let folder: string;
let tarball: string;
let gateway: OverlayGateway;
let device: MqttClient;
let red: RedProcess;

const peer = (id: string): FlowPart => ({
  ...{ id, type: 'pipevine-peer', name: `name of ${id}`, join: 'local', home: gateway.home, multicast: false },
});
const property = (id: string, more: object): FlowPart => ({
  ...{ id, type: 'pipevine-property', z: 'flow', peer: 'peer-a', thing: 'Hall lamp', thingType: 'str', x: 200, y: 100 },
  ...{ propertyType: 'str', value: 'payload', valueType: 'msg' },
  ...more,
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-four-'));
  [tarball, gateway] = await Promise.all([packNodes(), startGateway()]);
  device = await mqtt.connectAsync(gateway.mqttUrl, { clientId: 'hall-lamp' });
  await device.subscribeAsync('lamps/1/power/set', { qos: 1 });
  await showLamp(device);
  await installNodes(tarball, folder);
  red = await startRed('node-red-4', folder, gateway.environment);
}, 120_000);

afterAll(async () => {
  await red?.stop();
  await device?.endAsync(true);
  await gateway?.[Symbol.asyncDispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  if (tarball !== undefined) rmSync(dirname(tarball), { recursive: true, force: true });
}, 60_000);

describe('Node-RED 4.1', () => {
  it('runs the packed nodes: a pipe between two peers, a property observed, another one written', async () => {
    expect(await red.get('/settings')).toMatchObject({ version: expect.stringMatching(/^4\.1\./) });
    await red.deploy([
      tab('flow'),
      peer('peer-a'),
      peer('peer-b'),
      inject('say', 'flow', ['out']),
      pipeOut('out', 'flow', 'peer-a', 'greetings'),
      pipeIn('in', 'flow', 'peer-b', 'greetings', ['heard']),
      debug('heard', 'flow'),
      property('observe', { mode: 'observe', property: 'temperature', wires: [['temperature']] }),
      debug('temperature', 'flow'),
      inject('switch', 'flow', ['write']),
      property('write', { mode: 'write', property: 'power', wires: [[]] }),
    ]);
    using comms = await RedComms.open(red.url);
    await Promise.all(['in', 'out', 'write'].map((id) => comms.status(id, (text) => /online/.test(text))));
    await press(red, 'say', 'hello');
    await comms.message('heard', (value) => value === 'hello');
    await device.publishAsync('lamps/1/state', '{"temperature": 19.25}', { retain: true, qos: 1 });
    await comms.message('temperature', (value) => value === 19.25);
    const command = new Promise<[string, string]>((resolve) =>
      device.once('message', (topic, payload) => resolve([topic, payload.toString()])),
    );
    await press(red, 'switch', true);
    expect(await command).toEqual(['lamps/1/power/set', 'ON']);
  });
});
