import type { JsonValue } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { COMPONENT_KEYS } from './abbreviations.ts';
import { DEVICE_CASES } from './device-cases.ts';
import { type Discovery, keepConfig, readDiscovery, readKept } from './discovery-config.ts';
import { parseDiscoveryTopic } from './discovery-topic.ts';
import { ConfigFault } from './rejection.ts';

function read(topic: string, payload: JsonValue): Discovery | string {
  const parsed = parseDiscoveryTopic('homeassistant', topic);
  if (parsed === undefined) throw new Error('a test topic must be a discovery topic');
  try {
    return readDiscovery(parsed, typeof payload === 'string' ? payload : JSON.stringify(payload));
  } catch (error) {
    if (error instanceof ConfigFault) return error.reason;
    throw error;
  }
}

function configs(topic: string, payload: JsonValue): { [id: string]: object } {
  const found = read(topic, payload);
  if (typeof found === 'string' || found.kind !== 'entities') throw new Error(JSON.stringify(found));
  return Object.fromEntries(
    found.entities.map((one) => [`${one.component} ${one.objectId}`, Object.fromEntries(one.config)]),
  );
}

describe('short keys', () => {
  it.each([
    ['stat_t', 'state_topic'],
    ['pos', 'reports_position'],
    ['pos_t', 'position_topic'],
    ['hum_state_tpl', 'target_humidity_state_template'],
    ['curr_hum_t', 'current_humidity_topic'],
    ['temp_unit', 'temperature_unit'],
    ['rgbww_cmd_tpl', 'rgbww_command_template'],
    ['pr_modes', 'preset_modes'],
    ['fx_list', 'effect_list'],
    ['whit_cmd_t', 'white_command_topic'],
    ['pl_arm_nite', 'payload_arm_night'],
    ['swing_h_mode_stat_t', 'swing_horizontal_mode_state_topic'],
    ['osc_val_tpl', 'oscillation_value_template'],
    ['stat_val_tpl', 'state_value_template'],
    ['set_pos_tpl', 'set_position_template'],
  ])('%s is %s', (short, full) => {
    expect(COMPONENT_KEYS.get(short)).toBe(full);
  });

  it('are read in the device, the origin and the availability list, and a full key wins', () => {
    const found = read('homeassistant/sensor/x/config', {
      stat_t: 'short',
      state_topic: 'full',
      dev: { ids: ['a'], mf: 'm', sn: '1' },
      avty: [{ t: '~/av', pl_avail: 'up', val_tpl: '{{ value }}' }],
      '~': 'base',
    });
    if (typeof found === 'string' || found.kind !== 'entities') throw new Error('expected entities');
    const [entity] = found.entities;
    expect(Object.fromEntries(entity?.config ?? [])).toMatchObject({
      state_topic: 'full',
      availability: [{ topic: 'base/av', payload_available: 'up', value_template: '{{ value }}' }],
    });
    expect(Object.fromEntries(entity?.device ?? [])).toEqual({
      identifiers: ['a'],
      manufacturer: 'm',
      serial_number: '1',
    });
  });
});

describe('the topic base', () => {
  it('stands at either end of any topic and nowhere else', () => {
    expect(
      configs('homeassistant/light/x/config', {
        '~': 'a/b',
        cmd_t: '~/set',
        stat_t: 'tele/~',
        bri_cmd_t: 'x~y',
        name: '~name',
        avty_t: '~',
      }),
    ).toEqual({
      'light x': {
        command_topic: 'a/b/set',
        state_topic: 'tele/a/b',
        brightness_command_topic: 'x~y',
        name: '~name',
        availability_topic: 'a/b',
      },
    });
  });
});

describe('a device bundle', () => {
  const root = { dev: { ids: 'd' }, o: { name: 'me' } };

  it('hands its shared options down, not over what a component says itself', () => {
    const found = configs('homeassistant/device/x/config', {
      ...root,
      '~': 'root',
      stat_t: '~/state',
      avty_t: '~/av',
      qos: 1,
      name: 'not shared',
      cmps: {
        one: { p: 'sensor', uniq_id: '1' },
        two: { p: 'switch', '~': 'own', stat_t: '~/s', cmd_t: '~/c', qos: 0, avty: { t: 'mine' } },
      },
    });
    expect(found).toEqual({
      'sensor one': { unique_id: '1', state_topic: 'root/state', availability_topic: 'root/av', qos: 1 },
      'switch two': { state_topic: 'own/s', command_topic: 'own/c', qos: 0, availability: [{ topic: 'mine' }] },
    });
  });

  it('leaves out a component that is only named', () => {
    expect(configs('homeassistant/device/x/config', { ...root, cmps: { gone: { p: 'sensor' } } })).toEqual({});
  });

  it('keeps the components that can be read', () => {
    const found = read('homeassistant/device/x/config', {
      ...root,
      cmps: { good: { p: 'sensor', stat_t: 's' }, bad: 5, unnamed: { stat_t: 's' } },
    });
    if (typeof found === 'string' || found.kind !== 'entities') throw new Error('expected entities');
    expect(found.entities.map((one) => one.objectId)).toEqual(['good']);
    expect(found.faults.map((fault) => fault.reason)).toEqual(['malformed-config', 'malformed-config']);
  });

  it.each<[string, JsonValue]>([
    ['no device', { o: {}, cmps: {} }],
    ['no components', { ...root }],
    ['components in a list', { ...root, cmps: [1] }],
  ])('is refused with %s', (_what, payload) => {
    expect(read('homeassistant/device/x/config', payload)).toBe('malformed-config');
  });
});

describe('other messages', () => {
  it.each(['', '  ', '\n'])('%j is a removal', (payload) => {
    expect(read('homeassistant/sensor/x/config', payload)).toEqual({ kind: 'removal' });
  });

  it('migration is neither a removal nor a config', () => {
    expect(read('homeassistant/sensor/x/config', { migr_discvry: true })).toEqual({ kind: 'migration' });
  });

  it.each(['{', '[]', '5', 'null', '"x"', `${'['.repeat(30_000)}`, `{"a":${'['.repeat(20)}${']'.repeat(20)}}`])(
    '%.20s is malformed',
    (payload) => {
      expect(read('homeassistant/sensor/x/config', payload)).toBe('malformed-config');
    },
  );

  it('takes the names of prototypes for names', () => {
    const found = read('homeassistant/sensor/x/config', '{"__proto__":{"x":1},"constructor":1,"stat_t":"s"}');
    if (typeof found === 'string' || found.kind !== 'entities') throw new Error('expected entities');
    expect([...(found.entities[0]?.config.keys() ?? [])].sort()).toEqual(['__proto__', 'constructor', 'state_topic']);
  });
});

it('a message means the same once it has been made small to be kept', () => {
  for (const { configs: messages } of DEVICE_CASES) {
    for (const [topic, payload] of messages) {
      const parsed = parseDiscoveryTopic('homeassistant', topic);
      if (parsed === undefined) throw new Error('a test topic must be a discovery topic');
      const text = JSON.stringify(payload);
      const plain = (found: Discovery): unknown =>
        found.kind !== 'entities'
          ? found
          : found.entities.map((one) => [
              one.component,
              one.objectId,
              Object.fromEntries(
                [...one.config]
                  .filter(([key]) => !['device', 'origin', 'enabled_by_default', 'icon'].includes(key))
                  .sort(),
              ),
              Object.fromEntries([...(one.device ?? [])].sort()),
            ]);
      expect(plain(readKept(parsed, keepConfig(text)))).toEqual(plain(readDiscovery(parsed, text)));
    }
  }
});
