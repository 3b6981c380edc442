import { type JsonValue, PipevineError } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { HomeAssistantMapping } from './home-assistant-mapping.ts';
import { MappingHarness } from './mapping-harness.ts';

type Json = { readonly [key: string]: JsonValue };

function sensor(id: string, more: Json = {}): Json {
  return { name: id, unique_id: id, state_topic: `${id}/state`, ...more };
}

function refusal(work: () => unknown): { code: string; message: string } {
  try {
    work();
    return { code: 'none', message: '' };
  } catch (error) {
    if (error instanceof PipevineError) return { code: error.code, message: error.message };
    throw error;
  }
}

const reasons = (harness: MappingHarness): string[] => harness.rejected.map((one) => one.reason);

describe('devices', () => {
  const part = (name: string, device: Json): Json => sensor(name, { device });

  it('gather the entities that agree on an identifier or a connection', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/a/config', part('a', { identifiers: ['z', 'b'], name: 'Box' }));
    harness.send('homeassistant/sensor/b/config', part('b', { identifiers: 'b' }));
    harness.send('homeassistant/sensor/c/config', part('c', { connections: [['mac', 'AA:BB']] }));
    harness.send('homeassistant/sensor/d/config', part('d', { connections: [['mac', 'aa:bb']] }));
    expect([...harness.devices.keys()]).toEqual(['id:b', 'cn:mac:aa:bb']);
    expect(Object.keys(harness.devices.get('id:b')?.thing.properties ?? {})).toEqual(['a', 'b']);
  });

  it('tell maker, model, software and what they are reached through', () => {
    const harness = new MappingHarness();
    const device = { ids: 'x', mf: 'Aqara', mdl: 'T1', sw: '1.2', via_device: 'bridge' };
    harness.send('homeassistant/sensor/a/config', part('a', device));
    expect(harness.only).toMatchObject({ via: 'id:bridge', thing: { description: 'Aqara T1, software 1.2' } });
  });

  it('carry the category, class and unit of what they have', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/a/config', {
      ...sensor('a'),
      ent_cat: 'diagnostic',
      dev_cla: 'temperature',
      unit_of_meas: '°C',
    });
    expect(harness.only.thing.properties?.a).toEqual({
      title: 'A',
      '@type': ['pipevine:sensor', 'pipevine:temperature'],
      'pipevine:category': 'diagnostic',
      type: 'number',
      unit: '°C',
      readOnly: true,
      observable: true,
    });
  });

  it('are described once for a burst of messages, before their topics are subscribed to', () => {
    const harness = new MappingHarness({ settleMs: 100 });
    const device = { identifiers: 'x' };
    for (const name of ['a', 'b', 'c']) harness.send(`homeassistant/sensor/${name}/config`, part(name, device));
    expect([harness.devices.size, harness.mapping.nextDeadlineMs()]).toEqual([0, harness.nowMs + 100]);
    const effects = harness.sleep(100);
    expect(effects.slice(0, 2).map((effect) => effect.kind)).toEqual(['device', 'subscribe']);
    expect([harness.descriptions, harness.subscribed.size]).toEqual([1, 3]);
    expect(harness.mapping.topicsWanted().map((one) => one.topic)).toEqual([
      'homeassistant/+/+/config',
      'homeassistant/+/+/+/config',
      'a/state',
      'b/state',
      'c/state',
    ]);
  });

  it('are described before a message of theirs takes effect, though it comes early', () => {
    const harness = new MappingHarness({ settleMs: 100 });
    const device = { identifiers: 'x' };
    harness.send('homeassistant/sensor/a/config', sensor('a', { device, state_topic: 't' }));
    harness.sleep(100);
    harness.send('homeassistant/sensor/b/config', sensor('b', { device, state_topic: 't' }));
    const effects = harness.send('t', 'early');
    expect(effects.map((effect) => effect.kind)).toEqual(['value', 'device', 'subscribe', 'value']);
    expect([harness.value('a'), harness.value('b'), harness.sleep(100)]).toEqual(['early', 'early', []]);
  });

  it('are not described again when they repeat themselves', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/a/config', sensor('a'));
    expect(harness.send('homeassistant/sensor/a/config', sensor('a'))).toEqual([]);
  });

  it('follow a changed configuration and keep what it has in common with the earlier one', () => {
    const harness = new MappingHarness();
    const config = sensor('a', { availability_topic: 'av', expire_after: 10 });
    harness.send('homeassistant/sensor/a/config', config);
    harness.send('av', 'online');
    harness.send('a/state', '1');
    harness.send('homeassistant/sensor/a/config', { ...config, state_topic: 'new/state' });
    expect([...harness.subscribed].sort()).toEqual(['av', 'new/state']);
    expect([...harness.availability.values()]).toEqual(['up']);
    harness.sleep(10_000);
    expect(harness.value('a')).toBeUndefined();
  });

  it('keep their earlier configuration when a new one cannot be used', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/a/config', sensor('a'));
    for (const bad of ['{', { name: 'no topic' }, { ...sensor('a'), value_template: '{{' }]) {
      harness.send('homeassistant/sensor/a/config', bad);
    }
    harness.send('a/state', 'still here');
    expect(harness.value('a')).toBe('still here');
    expect(reasons(harness)).toEqual(['malformed-config', 'invalid-value', 'invalid-template']);
  });

  it('lose the components that a bundle no longer has', () => {
    const harness = new MappingHarness();
    const bundle = (components: Json): Json => ({ dev: { ids: 'd' }, o: { name: 'o' }, cmps: components });
    const one = { p: 'sensor', uniq_id: '1', name: 'one', stat_t: 's/1' };
    const two = { p: 'sensor', uniq_id: '2', name: 'two', stat_t: 's/2' };
    harness.send('homeassistant/device/d/config', bundle({ one, two }));
    expect(Object.keys(harness.only.thing.properties ?? {})).toEqual(['one', 'two']);
    harness.send('homeassistant/device/d/config', bundle({ one, two: { p: 'sensor' } }));
    expect(Object.keys(harness.only.thing.properties ?? {})).toEqual(['one']);
    expect([...harness.subscribed]).toEqual(['s/1']);
    harness.send('homeassistant/device/d/config', bundle({ one: { p: 'sensor' }, two: { p: 'sensor' } }));
    expect(harness.devices.size).toBe(0);
  });

  it('move from single messages to a bundle without being refused', () => {
    const harness = new MappingHarness();
    const device = { identifiers: 'd' };
    harness.send('homeassistant/sensor/a/config', sensor('a', { device }));
    harness.send('homeassistant/sensor/a/config', { migrate_discovery: true });
    const { device: _own, ...component } = sensor('a', { device, platform: 'sensor' });
    harness.send('homeassistant/device/d/config', { device, origin: {}, components: { a: component } });
    harness.send('homeassistant/sensor/a/config', '');
    harness.send('a/state', 'moved');
    expect([reasons(harness), [...harness.devices.keys()], harness.value('a')]).toEqual([[], ['id:d'], 'moved']);
    expect(harness.mapping.status()).toMatchObject({ devices: 1, entities: 1, configs: 1, topics: 1 });
  });

  it('show a component that nobody knows as it is, and say so once', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/infrared/x/config', sensor('x'));
    harness.send('homeassistant/infrared/x/config', sensor('x', { icon: 'mdi:x' }));
    expect([harness.unknown, harness.mapping.status().unknownComponents]).toEqual([['infrared'], 1]);
  });
});

describe('two devices that claim one unique id', () => {
  it('leave it to the first, and the second is told of with both topics', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/a/config', sensor('same', { device: { identifiers: 'a' } }));
    harness.send('homeassistant/sensor/b/config', sensor('same', { device: { identifiers: 'b' } }));
    expect([...harness.devices.keys()]).toEqual(['id:a']);
    expect(reasons(harness)).toEqual(['duplicate-unique-id']);
    expect(harness.rejected[0]?.detail).toContain('homeassistant/sensor/a/config');
    expect(harness.rejected[0]?.detail).toContain('homeassistant/sensor/b/config');
    expect(harness.mapping.status().rejected['duplicate-unique-id']).toBe(1);
  });

  it('may do so in different components', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/a/config', sensor('same'));
    harness.send('homeassistant/switch/a/config', { ...sensor('same'), command_topic: 'c' });
    expect([harness.devices.size, reasons(harness)]).toEqual([2, []]);
  });

  it('free it when the first goes', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/a/config', sensor('same', { device: { identifiers: 'a' } }));
    harness.send('homeassistant/sensor/a/config', '');
    harness.send('homeassistant/sensor/b/config', sensor('same', { device: { identifiers: 'b' } }));
    expect([...harness.devices.keys()]).toEqual(['id:b']);
  });
});

describe('availability', () => {
  const announce = (more: Json): MappingHarness => {
    const harness = new MappingHarness({ silenceMs: 3_000 });
    harness.send('homeassistant/sensor/x/config', sensor('x', more));
    return harness;
  };
  const now = (harness: MappingHarness): string | undefined => harness.availability.get('entity:sensor x');
  const two = [{ topic: 'a' }, { topic: 'b', payload_available: '1', payload_not_available: '0' }];

  it('is up for a device that has no topic for it', () => {
    expect(now(announce({}))).toBe('up');
  });

  it('is lost for one that stays silent, until it speaks', () => {
    const harness = announce({ availability_topic: 'a' });
    expect(now(harness)).toBeUndefined();
    harness.sleep(3_000);
    expect(now(harness)).toBe('lost');
    harness.send('a', 'online');
    expect(now(harness)).toBe('up');
  });

  it.each<[string, readonly (readonly [string, string, string | undefined])[]]>([
    [
      'all',
      [
        ['a', 'online', undefined],
        ['b', '1', 'up'],
        ['a', 'offline', 'lost'],
        ['a', 'online', 'up'],
      ],
    ],
    [
      'any',
      [
        ['a', 'offline', undefined],
        ['b', '1', 'up'],
        ['b', '0', 'lost'],
      ],
    ],
    [
      'latest',
      [
        ['a', 'online', 'up'],
        ['b', '0', 'lost'],
        ['a', 'online', 'up'],
      ],
    ],
  ])('follows its topics in mode %s', (mode, steps) => {
    const harness = announce({ availability: two, availability_mode: mode });
    for (const [topic, payload, expected] of steps) {
      harness.send(topic, payload);
      expect([topic, payload, now(harness)]).toEqual([topic, payload, expected]);
    }
  });

  it('reads templates, and ignores payloads that say neither', () => {
    const harness = announce({
      availability_topic: 'a',
      availability_template: "{{ 'online' if value_json.up else 'offline' }}",
    });
    harness.send('a', { up: true });
    harness.send('a', 'no json');
    expect([now(harness), reasons(harness)]).toEqual(['up', ['template-failed']]);
  });

  it('of a gateway reaches every device behind it, and a late one knows it at once', () => {
    const harness = new MappingHarness();
    const device = (id: string): Json => sensor(id, { availability_topic: 'gateway' });
    harness.send('homeassistant/sensor/a/config', device('a'));
    harness.send('homeassistant/sensor/b/config', device('b'));
    harness.send('gateway', 'online');
    harness.send('homeassistant/sensor/c/config', device('c'));
    expect([...harness.availability.values()]).toEqual(['up', 'up', 'up']);
    harness.send('gateway', 'offline');
    expect([...harness.availability.values()]).toEqual(['lost', 'lost', 'lost']);
  });

  it('of a device is that of its best entity', () => {
    const harness = new MappingHarness();
    const device = { identifiers: 'd' };
    harness.send('homeassistant/sensor/a/config', sensor('a', { device, availability_topic: 'av/a' }));
    harness.send('homeassistant/sensor/b/config', sensor('b', { device, availability_topic: 'av/b' }));
    harness.send('av/a', 'offline');
    harness.send('av/b', 'online');
    expect(harness.availability.get('id:d')).toBe('up');
    harness.send('av/b', 'offline');
    expect(harness.availability.get('id:d')).toBe('lost');
  });
});

describe('states', () => {
  it('expire, and are renewed by each message', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/x/config', sensor('x', { expire_after: 30 }));
    harness.send('x/state', 'a');
    harness.sleep(20_000);
    harness.send('x/state', 'b');
    harness.sleep(29_999);
    expect(harness.value('x')).toBe('b');
    harness.sleep(1);
    expect(harness.value('x')).toBeUndefined();
    expect(harness.mapping.nextDeadlineMs()).toBeUndefined();
  });

  it('of a motion sensor go off after their delay, not before', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/binary_sensor/x/config', sensor('x', { off_delay: 5 }));
    harness.send('x/state', 'ON');
    harness.sleep(4_000);
    harness.send('x/state', 'ON');
    harness.sleep(4_999);
    expect(harness.value('x')).toBe(true);
    harness.sleep(1);
    expect(harness.value('x')).toBe(false);
  });

  it.each<[string, Json, string, JsonValue, JsonValue | undefined, string[]]>([
    ['sensor', { unit_of_meas: 'W' }, 'x/state', 'abc', undefined, ['state-misfit']],
    ['sensor', { unit_of_meas: 'W' }, 'x/state', 'nan', undefined, ['state-misfit']],
    ['sensor', { unit_of_meas: 'W' }, 'x/state', 'None', undefined, []],
    ['sensor', { dev_cla: 'timestamp' }, 'x/state', 'yesterday', undefined, ['state-misfit']],
    ['sensor', { dev_cla: 'enum', ops: ['a', 'b'] }, 'x/state', 'c', undefined, ['state-misfit']],
    ['binary_sensor', {}, 'x/state', 'MAYBE', undefined, ['state-misfit']],
    ['number', { cmd_t: 'c', min: 0, max: 10 }, 'x/state', '11', undefined, ['state-misfit']],
    ['select', { cmd_t: 'c', ops: ['a'] }, 'x/state', 'z', undefined, ['state-misfit']],
    ['sensor', { val_tpl: '{{ value_json.a.b }}' }, 'x/state', '{}', undefined, ['template-failed']],
    ['sensor', { val_tpl: '{{ value * 100000 }}' }, 'x/state', 'aaaaaaa', undefined, ['template-failed']],
    ['light', { schema: 'json', cmd_t: 'c' }, 'x/state', 'not json', undefined, ['state-misfit']],
    ['light', { cmd_t: 'c', rgb_stat_t: 'x/rgb', rgb_cmd_t: 'r' }, 'x/rgb', '1,2,999', undefined, ['state-misfit']],
    ['update', {}, 'x/state', '[1]', undefined, []],
  ])('%s %j counts on %s a misfit %j', (component, config, topic, payload, value, expected) => {
    const harness = new MappingHarness();
    harness.send(`homeassistant/${component}/x/config`, sensor('x', config));
    harness.send(topic, payload);
    expect([harness.value('x'), reasons(harness)]).toEqual([value, expected]);
  });

  it('that are empty change nothing', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/x/config', sensor('x', { unit_of_meas: 'W' }));
    harness.send('x/state', '5');
    harness.send('x/state', '');
    expect(harness.value('x')).toBe(5);
  });

  it('that are too large are refused unread', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/x/config', sensor('x'));
    harness.send('x/state', new Uint8Array(10_000_000));
    expect([harness.value('x'), reasons(harness)]).toEqual([undefined, ['state-too-large']]);
  });

  it('of topics that nobody names have no effect', () => {
    expect(new MappingHarness().send('some/topic', 'x')).toEqual([]);
  });

  it('reach every entity of their topic though one of them fails', () => {
    const harness = new MappingHarness();
    harness.send(
      'homeassistant/sensor/a/config',
      sensor('a', { stat_t: 't', state_topic: 't', val_tpl: '{{ value_json.x.y }}' }),
    );
    harness.send('homeassistant/sensor/b/config', sensor('b', { state_topic: 't', val_tpl: '{{ value_json.b }}' }));
    harness.send('t', { b: 'fine' });
    expect([harness.value('b'), reasons(harness)]).toEqual(['fine', ['template-failed']]);
  });

  it('that the broker kept are no events', () => {
    const harness = new MappingHarness();
    harness.send('homeassistant/event/x/config', sensor('x', { evt_typ: ['press'] }));
    harness.send('x/state', { event_type: 'press' }, { retained: true });
    expect(harness.events).toEqual([]);
    harness.send('x/state', { event_type: 'press' });
    harness.send('x/state', { event_type: 'other' });
    expect([harness.events.length, reasons(harness)]).toEqual([1, ['state-misfit']]);
  });
});

describe('commands', () => {
  const announce = (component: string, config: Json): MappingHarness => {
    const harness = new MappingHarness();
    harness.send(`homeassistant/${component}/x/config`, { name: 'x', unique_id: 'x', ...config });
    return harness;
  };

  it('hold at once where the device never confirms, and only there', () => {
    const silent = announce('switch', { cmd_t: 'c' });
    silent.write('x', true);
    expect(silent.value('x')).toBe(true);
    const told = announce('switch', { cmd_t: 'c', stat_t: 's' });
    told.write('x', true);
    expect(told.value('x')).toBeUndefined();
    const said = announce('switch', { cmd_t: 'c', stat_t: 's', opt: true });
    said.invoke('x_turn_on');
    expect(said.value('x')).toBe(true);
  });

  it('carry the quality of service and the retain flag of the configuration', () => {
    const harness = announce('switch', { cmd_t: 'c', qos: 2, ret: true });
    expect(harness.mapping.write('entity:switch x', 'x', true, 0).publishes).toEqual([
      { topic: 'c', payload: 'ON', qos: 2, retain: true },
    ]);
  });

  it.each<[string, Json, JsonValue, string]>([
    ['number', { cmd_t: 'c', min: 5, max: 30, step: 0.5 }, 31, 'from 5 to 30'],
    ['number', { cmd_t: 'c', min: 5, max: 30, step: 0.5 }, 7.3, 'steps of 0.5'],
    ['number', { cmd_t: 'c' }, '7', 'a number from 1 to 100'],
    ['select', { cmd_t: 'c', ops: ['low', 'high'] }, 'medium', 'one of "low", "high"'],
    ['switch', { cmd_t: 'c' }, 'ON', 'true or false'],
    ['text', { cmd_t: 'c', min: 2, max: 4 }, 'abcde', '2 to 4 characters'],
    ['text', { cmd_t: 'c', pattern: '^[a-z]+$' }, 'A1', 'a string like'],
    ['date', { cmd_t: 'c' }, '24.12.2026', 'a date as in ISO 8601'],
    ['sensor', { stat_t: 's' }, 1, 'can be written'],
  ])('%s %j refuses %j', (component, config, value, expected) => {
    const { code, message } = refusal(() => announce(component, config).write('x', value));
    expect(code).toBe('invalid-argument');
    expect(message).toContain(expected);
  });

  it('are not bound by a pattern that cannot be enforced', () => {
    for (const pattern of ['(', '(?=a)b', '(?P<a>b)']) {
      expect(announce('text', { cmd_t: 'c', pattern }).write('x', 'free')).toEqual([{ topic: 'c', payload: 'free' }]);
    }
  });

  it('refuse lists and inputs of the wrong shape', () => {
    const light = announce('light', { cmd_t: 'c', rgb_cmd_t: 'r' });
    expect(refusal(() => light.write('x_rgb', [1, 2])).message).toContain('a list of 3 items');
    expect(refusal(() => light.write('x_rgb', [1, 2, 300])).message).toContain(
      'value[2]: expected an integer from 0 to 255',
    );
    expect(refusal(() => light.invoke('x_turn_on', { colour: 1 })).message).toContain('expected only rgb');
    expect(refusal(() => light.invoke('x_turn_off', { a: 1 })).message).toContain('expected no input');
    const alarm = announce('alarm_control_panel', { cmd_t: 'c', stat_t: 's', code: '1234' });
    expect(refusal(() => alarm.invoke('x_disarm')).message).toContain('an object with "code"');
    expect(refusal(() => alarm.invoke('x_disarm', { code: '9' })).code).toBe('refused');
  });

  it('say what is not there', () => {
    const harness = announce('switch', { cmd_t: 'c' });
    expect(refusal(() => harness.write('y', true)).code).toBe('not-found');
    expect(refusal(() => harness.write('x', true, 'id:none')).code).toBe('not-found');
    expect(refusal(() => harness.invoke('x')).code).toBe('not-found');
  });

  it('pass on why a command template failed', () => {
    const harness = announce('switch', { cmd_t: 'c', cmd_tpl: '{{ value * 1000000 }}' });
    expect(refusal(() => harness.write('x', true)).code).toBe('overloaded');
  });
});

describe('what a device cannot do', () => {
  it.each<[string, Json]>([
    ['a wildcard to write to', { cmd_t: 'all/+/set' }],
    ['a wildcard to hear', { cmd_t: 'c', stat_t: '#' }],
    ["the broker's topics", { cmd_t: '$SYS/broker/log' }],
    ['the announcement of another device', { cmd_t: 'homeassistant/switch/other/config' }],
    ['that of a bundle', { cmd_t: 'homeassistant/device/other/config' }],
    ['the same through ~', { '~': 'homeassistant/switch/other', cmd_t: '~/config' }],
    ['the status of the controller', { cmd_t: 'homeassistant/status' }],
    ['a topic with a zero byte', { cmd_t: 'a\0b' }],
    ['a topic that is no string', { cmd_t: 5 }],
    ['an availability topic with wildcards', { cmd_t: 'c', avty: [{ t: '+/av' }] }],
  ])('name %s as its topic', (_what, config) => {
    const harness = new MappingHarness();
    harness.send('homeassistant/switch/x/config', { name: 'x', ...config });
    expect([reasons(harness), harness.devices.size]).toEqual([['invalid-topic'], 0]);
  });

  it.each<[string, Json]>([
    ['a name that is an object', { name: {} }],
    ['a quality of service of 3', { qos: 3 }],
    ['a flag that is a list', { retain: [] }],
    ['identifiers that are objects', { device: { identifiers: [{}] } }],
    ['connections that are no pairs', { device: { connections: ['aa'] } }],
    ['a device that is a string', { device: 'x' }],
    ['an unknown availability mode', { avty_t: 'a', avty_mode: 'some' }],
    ['a negative expiry', { exp_aft: -1 }],
  ])('have %s', (_what, config) => {
    const harness = new MappingHarness();
    harness.send('homeassistant/sensor/x/config', sensor('x', config));
    expect([reasons(harness), harness.devices.size]).toEqual([['invalid-value'], 0]);
  });

  it('fill the memory with its announcement', () => {
    const harness = new MappingHarness({ limits: { maxConfigCharacters: 1_000 } });
    harness.send('homeassistant/sensor/x/config', sensor('x', { icon: 'x'.repeat(70_000) }));
    harness.send('homeassistant/sensor/x/config', sensor('x', { icon: 'x'.repeat(5_000) }));
    expect(reasons(harness)).toEqual(['config-too-large', 'too-many-configs']);
  });

  it('go beyond the bounds of the mapping', () => {
    const limits = { maxDevices: 2, maxEntitiesPerDevice: 2, maxTopics: 6 };
    const harness = new MappingHarness({ limits });
    for (const id of ['a', 'b', 'c']) harness.send(`homeassistant/sensor/${id}/config`, sensor(id));
    for (const id of ['d', 'e']) {
      harness.send(`homeassistant/sensor/${id}/config`, sensor(id, { device: { identifiers: 'one' } }));
    }
    harness.send('homeassistant/sensor/a/config', '');
    for (const id of ['f', 'g', 'h']) {
      harness.send(`homeassistant/sensor/${id}/config`, sensor(id, { device: { identifiers: 'one' } }));
    }
    expect(reasons(harness)).toEqual(['too-many-devices', 'too-many-devices', 'too-many-devices', 'too-many-entities']);
    const many = Array.from({ length: 9 }, (_none, index) => ({ topic: `av/${index}` }));
    harness.send('homeassistant/sensor/b/config', sensor('b', { availability: many }));
    expect(reasons(harness).at(-1)).toBe('too-many-topics');
    expect(harness.mapping.status()).toMatchObject({ devices: 2, entities: 3 });
  });

  it('make the mapping throw, whatever its bytes are', () => {
    const harness = new MappingHarness();
    let seed = 3;
    const next = (bound: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % bound;
    };
    const config = JSON.stringify({ ...sensor('x', { val_tpl: '{{ value_json.a }}', avty: [{ t: 'av' }] }), '~': 'b' });
    for (let round = 0; round < 2_000; round += 1) {
      const bytes = new TextEncoder().encode(config);
      for (let change = 0; change <= round % 5; change += 1) bytes[next(bytes.length)] = next(256);
      const cut = round % 3 === 0 ? bytes.slice(0, next(bytes.length)) : bytes;
      harness.send('homeassistant/sensor/x/config', cut);
      harness.send('x/state', cut);
      harness.send('av', cut);
    }
    expect(harness.mapping.status().devices).toBeLessThanOrEqual(1);
  });
});

it('keeps the plans of few configurations, and reads the others again when they are needed', () => {
  const harness = new MappingHarness({ limits: { maxPlans: 2, maxTemplates: 2 } });
  for (let index = 0; index < 6; index += 1) {
    harness.send(
      `homeassistant/sensor/${index}/config`,
      sensor(`s${index}`, { val_tpl: `{{ value_json.v${index} }}` }),
    );
  }
  for (let index = 0; index < 6; index += 1) harness.send(`s${index}/state`, { [`v${index}`]: `is ${index}` });
  expect([...harness.values.values()]).toEqual(['is 0', 'is 1', 'is 2', 'is 3', 'is 4', 'is 5']);
  const { plans, templates, plansRebuilt } = harness.mapping.status();
  expect([plans, templates, plansRebuilt >= 4]).toEqual([2, 2, true]);
});

it('refuses a prefix that is no topic', () => {
  for (const prefix of ['', '#', 'a/', '/a', '$SYS']) {
    expect(refusal(() => new HomeAssistantMapping({ prefix })).code).toBe('invalid-argument');
  }
});
