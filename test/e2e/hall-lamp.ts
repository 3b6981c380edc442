import type { MqttClient } from 'mqtt';

const CONFIG = {
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
  },
};

/** Has a lamp of 21.5 °C announce itself to the broker that `device` is connected to. */
export async function showLamp(device: MqttClient): Promise<void> {
  const say = (topic: string, payload: string) => device.publishAsync(topic, payload, { retain: true, qos: 1 });
  await say('lamps/1/status', 'online');
  await say('lamps/1/power', 'OFF');
  await say('lamps/1/state', '{"temperature": 21.5}');
  await say('homeassistant/device/lamp-1/config', JSON.stringify(CONFIG));
}
