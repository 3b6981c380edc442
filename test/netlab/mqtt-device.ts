/**
 * `node mqtt-device.ts BROKER NAME`: a thermometer that announces itself as Home Assistant wants it. Each number on standard
 * input is measured; prints `ready`, and `measured NUMBER` when the broker has it.
 */
import { createInterface } from 'node:readline';
import mqtt from 'mqtt';

const [broker = '', name = ''] = process.argv.slice(2);
const key = name.toLowerCase().replace(/\W/g, '-');
const client = await mqtt.connectAsync(broker, { reconnectPeriod: 200, clientId: key });

const CONFIG = {
  dev: { ids: [key], name },
  o: { name: 'netlab' },
  cmps: { t: { p: 'sensor', name: 'Temperature', unit_of_meas: '°C', uniq_id: `${key}-t`, stat_t: key } },
};
const measure = (value: string) => client.publishAsync(key, value, { retain: true, qos: 1 });

await measure('20');
await client.publishAsync(`homeassistant/device/${key}/config`, JSON.stringify(CONFIG), { retain: true, qos: 1 });
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  await measure(line);
  process.stdout.write(`measured ${line}\n`);
}
