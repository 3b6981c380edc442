/**
 * `node simulated-device.ts mqtt://HOST:PORT`: a greenhouse with a thermometer and a heat lamp, as an MQTT device that announces
 * itself the way Home Assistant wants it. It knows a broker, and nothing of peers. The lamp warms, without it the air cools; what
 * is published to its command topic switches it. Tells its parent `ready`, and ends with it.
 */
import mqtt from 'mqtt';

const TOPIC = 'greenhouse/1';
const INTERVAL_MS = 1_000;
const COLDEST = 18;
const WARMEST = 26;
const STEP = 0.25;

const DISCOVERY = {
  dev: { ids: ['simulated-greenhouse'], name: 'Greenhouse', mf: 'Pipevine', mdl: 'simulated' },
  o: { name: 'simulated-device' },
  '~': TOPIC,
  avty: [{ t: '~/status' }],
  cmps: {
    temperature: {
      p: 'sensor',
      name: 'Temperature',
      uniq_id: 'greenhouse-temperature',
      dev_cla: 'temperature',
      unit_of_meas: '°C',
      stat_t: '~/temperature',
    },
    lamp: { p: 'switch', name: 'Lamp', uniq_id: 'greenhouse-lamp', stat_t: '~/lamp', cmd_t: '~/lamp/set' },
  },
};

const broker = process.argv[2];
if (broker === undefined) throw new Error('Expected the address of a broker, such as mqtt://127.0.0.1:1883.');

let temperature = 20;
let lamp = 'OFF';
const client = await mqtt.connectAsync(broker, {
  clientId: 'simulated-greenhouse',
  reconnectPeriod: 500,
  will: { topic: `${TOPIC}/status`, payload: Buffer.from('offline'), retain: true, qos: 1 },
});
const say = (topic: string, payload: string) => client.publishAsync(topic, payload, { retain: true, qos: 1 });

client.on('message', (_topic, payload) => {
  const wanted = payload.toString();
  if (wanted !== 'ON' && wanted !== 'OFF') return;
  lamp = wanted;
  void say(`${TOPIC}/lamp`, lamp);
});
await client.subscribeAsync(`${TOPIC}/lamp/set`, { qos: 1 });
await say(`${TOPIC}/status`, 'online');
await say(`${TOPIC}/lamp`, lamp);
await say(`${TOPIC}/temperature`, String(temperature));
await say('homeassistant/device/simulated-greenhouse/config', JSON.stringify(DISCOVERY));

setInterval(() => {
  const next = temperature + (lamp === 'ON' ? STEP : -STEP);
  temperature = Math.min(WARMEST, Math.max(COLDEST, next));
  void say(`${TOPIC}/temperature`, String(temperature));
}, INTERVAL_MS);

process.on('disconnect', () => process.exit(0));
process.send?.('ready');
