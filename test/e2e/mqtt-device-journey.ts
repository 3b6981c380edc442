import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, PipevineProcess, pipevine, pipevineJson, temporaryFolder } from './pipevine-process.ts';

/** Where the devices' broker comes from: `mqttArguments` make the gateway use it, `url` is where a device connects. */
export interface JourneyBroker {
  readonly url: string;
  readonly mqttArguments: readonly string[];
  stop(): Promise<void>;
}

/** What only a listening socket needs: two processes on one machine that no other test's processes hear. */
async function ownMulticast(): Promise<NodeJS.ProcessEnv> {
  return { PIPEVINE_MULTICAST_PORT: String(await freePort()), PIPEVINE_MULTICAST_INTERFACE: 'lo' };
}

const LAMP_CONFIG = 'homeassistant/device/lamp-1/config';
const LAMP = {
  dev: { ids: ['lamp-1'], name: 'Hall lamp', mf: 'Example', mdl: 'L1' },
  o: { name: 'journey' },
  avty: [{ t: '~/status' }],
  '~': 'lamps/1',
  cmps: {
    power: { p: 'switch', name: 'Power', uniq_id: 'lamp-1-power', stat_t: '~/power', cmd_t: '~/power/set' },
    temp: {
      p: 'sensor',
      name: 'Temperature',
      uniq_id: 'lamp-1-temp',
      dev_cla: 'temperature',
      unit_of_meas: '°C',
      stat_t: '~/state',
      val_tpl: '{{ value_json.temperature }}',
    },
    blink: { p: 'button', name: 'Blink', uniq_id: 'lamp-1-blink', cmd_t: '~/blink' },
  },
};

interface Ready {
  readonly peer: string;
  readonly group: string;
  readonly code: string;
}

/** Points 1 to 5 of what a user can do, with a process for each role and a real MQTT client as the device. */
export function describeMqttDeviceJourney(title: string, startBroker: () => Promise<JourneyBroker>): void {
  describe(title, () => {
    let broker: JourneyBroker;
    let device: MqttClient;
    let gateway: PipevineProcess;
    let edge: PipevineProcess;
    let ready: Ready;
    let environment: NodeJS.ProcessEnv;
    let gatewayArguments: string[];
    const commands: { topic: string; payload: string }[] = [];
    const folders: { path: string; remove(): Promise<void> }[] = [];
    let home: string;

    const started = (process: PipevineProcess): Promise<Ready> =>
      process.json((value) => {
        if (value.event !== 'ready') return undefined;
        return { peer: String(value.peer), group: String(value.group), code: String(value.code) };
      }, 20_000);
    const atEdge = (...args: string[]) => pipevine([...args, '--home', `${home}/b`], environment);
    const things = () => pipevineJson(['things', '--home', `${home}/b`], environment);
    /** Asks until it holds: what the overlay promises within a time, not at once. */
    const eventually = async <T>(what: string, deadlineMs: number, ask: () => Promise<T | undefined>): Promise<T> => {
      const deadline = Date.now() + deadlineMs;
      for (;;) {
        const answer = await ask();
        if (answer !== undefined) return answer;
        if (Date.now() > deadline) throw new Error(`${what}: not within ${deadlineMs} ms`);
      }
    };
    const lamp = async () => (await things()).find((thing) => thing.name === 'Hall lamp');

    beforeAll(async () => {
      const folder = await temporaryFolder();
      folders.push(folder);
      home = folder.path;
      environment = await ownMulticast();
      broker = await startBroker();
      gatewayArguments = [
        'up',
        '--home',
        `${home}/a`,
        '--name',
        'cellar',
        '--listen',
        `tcp://127.0.0.1:${await freePort()}`,
        ...broker.mqttArguments,
        '--json',
      ];
      gateway = new PipevineProcess(gatewayArguments, environment);
      ready = await started(gateway);
      device = await mqtt.connectAsync(broker.url, { reconnectPeriod: 200, clientId: 'journey-device' });
      device.on('message', (topic, payload) => commands.push({ topic, payload: payload.toString() }));
      await device.subscribeAsync(['lamps/1/power/set', 'lamps/1/blink'], { qos: 1 });
    }, 60_000);

    afterAll(async () => {
      await device?.endAsync(true);
      await edge?.end('SIGKILL');
      await gateway?.end('SIGKILL');
      await broker?.stop();
      for (const folder of folders) await folder.remove();
    }, 60_000);

    it('joins by the printed code and finds the gateway by multicast', async () => {
      const joined = await pipevine(['join', ready.code, '--home', `${home}/b`], environment);
      expect(joined).toMatchObject({ code: 0 });
      edge = new PipevineProcess(
        ['up', '--profile', 'edge', '--home', `${home}/b`, '--listen', 'tcp://127.0.0.1:0', '--json'],
        environment,
      );
      await started(edge);
      await eventually('the gateway among the peers', 10_000, async () =>
        (await pipevineJson(['peers', '--home', `${home}/b`], environment)).find((peer) => peer.id === ready.peer),
      );
    }, 60_000);

    it('shows a device that MQTT discovery announces as a peer of its own', async () => {
      await device.publishAsync('lamps/1/status', 'online', { retain: true, qos: 1 });
      await device.publishAsync('lamps/1/power', 'OFF', { retain: true, qos: 1 });
      await device.publishAsync('lamps/1/state', '{"temperature": 21.5}', { retain: true, qos: 1 });
      await device.publishAsync(LAMP_CONFIG, JSON.stringify(LAMP), { retain: true, qos: 1 });
      const thing = await eventually('the lamp', 10_000, async () => {
        const found = await lamp();
        return found?.online === true ? found : undefined;
      });
      expect(thing).toMatchObject({ host: ready.peer, group: ready.group, connector: 'mqtt' });
      expect(thing.actions).toContain('blink');
      expect(thing.peer).not.toBe(ready.peer);
      expect(thing.properties).toEqual(expect.arrayContaining(['power', 'temperature']));
    }, 60_000);

    it('reads, writes and invokes on the device', async () => {
      const read = await atEdge('read', 'Hall lamp', 'temperature', '--json');
      expect(JSON.parse(read.stdout)).toMatchObject({ value: 21.5, timestamp: expect.any(String) });
      expect(await atEdge('write', 'Hall lamp', 'power', 'on')).toMatchObject({ code: 0 });
      expect(await atEdge('invoke', 'Hall lamp', 'blink')).toMatchObject({ code: 0 });
      await eventually('both commands at the device', 5_000, async () =>
        commands.length >= 2 ? true : new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))),
      );
      expect(commands).toEqual([
        { topic: 'lamps/1/power/set', payload: 'ON' },
        { topic: 'lamps/1/blink', payload: 'PRESS' },
      ]);
    }, 60_000);

    it('says what is wrong, with the exit code for it', async () => {
      expect(await atEdge('read', 'No such lamp', 'power')).toMatchObject({ code: 3 });
      expect(await atEdge('read', 'Hall lamp', 'no-such-property')).toMatchObject({ code: 3 });
      const refused = await atEdge('write', 'Hall lamp', 'temperature', '20');
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('temperature');
    }, 60_000);

    it('follows availability', async () => {
      await device.publishAsync('lamps/1/status', 'offline', { retain: true, qos: 1 });
      await eventually('the lamp off line', 10_000, async () => ((await lamp())?.online === false ? true : undefined));
      await device.publishAsync('lamps/1/status', 'online', { retain: true, qos: 1 });
      await eventually('the lamp on line', 10_000, async () => ((await lamp())?.online === true ? true : undefined));
    }, 60_000);

    it('keeps ids and a running observation through a SIGKILL of the gateway', async () => {
      const before = await lamp();
      const observe = new PipevineProcess(
        ['observe', 'Hall lamp', 'temperature', '--home', `${home}/b`, '--json'],
        environment,
      );
      const value = (wanted: number) => observe.json((line) => (line.value === wanted ? true : undefined), 30_000);
      await value(21.5);
      await gateway.end('SIGKILL');
      gateway = new PipevineProcess(gatewayArguments, environment);
      const again = await started(gateway);
      expect(again.peer).toBe(ready.peer);
      expect(again.group).toBe(ready.group);
      await device.publishAsync('lamps/1/state', '{"temperature": 23.25}', { retain: true, qos: 1 });
      await value(23.25);
      expect(await lamp()).toMatchObject({ peer: before?.peer, id: before?.id });
      await observe.end('SIGINT');
    }, 90_000);

    it('removes a device whose discovery message is emptied', async () => {
      await device.publishAsync(LAMP_CONFIG, '', { retain: true, qos: 1 });
      await eventually('the lamp gone', 10_000, async () => ((await lamp()) === undefined ? true : undefined));
    }, 60_000);

    it('stops cleanly', async () => {
      expect(await edge.end('SIGINT')).toBe(0);
      expect(await gateway.end('SIGTERM')).toBe(0);
    }, 30_000);
  });
}
