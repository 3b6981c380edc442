import { describe, expect, it } from 'vitest';
import { parseDiscoveryTopic } from './discovery-topic.ts';
import { ConfigFault } from './rejection.ts';
import { checkTopic } from './topic-rules.ts';

describe('parseDiscoveryTopic', () => {
  it.each([
    [
      'homeassistant/sensor/a-1_B/config',
      { component: 'sensor', isBundle: false, nodeId: undefined, objectId: 'a-1_B' },
    ],
    ['homeassistant/light/node/obj/config', { component: 'light', isBundle: false, nodeId: 'node', objectId: 'obj' }],
    ['homeassistant/device/x/config', { component: 'device', isBundle: true, nodeId: undefined, objectId: 'x' }],
    ['homeassistant/device/n/x/config', { component: 'device', isBundle: true, nodeId: 'n', objectId: 'x' }],
  ])('reads %s', (topic, expected) => {
    expect(parseDiscoveryTopic('homeassistant', topic)).toEqual(expected);
  });

  it.each([
    'homeassistant/status',
    'homeassistant/sensor/config',
    'homeassistant/sensor/a/b/c/config',
    'homeassistant/sensor/a.b/config',
    'homeassistant/sensor/a/state',
    'homeassistant/sen sor/a/config',
    'homeassistantx/sensor/a/config',
    'other/sensor/a/config',
    'homeassistant/sensor//config',
    '/config',
  ])('leaves %s alone', (topic) => {
    expect(parseDiscoveryTopic('homeassistant', topic)).toBeUndefined();
  });

  it('takes a prefix of several levels', () => {
    expect(parseDiscoveryTopic('site/a', 'site/a/tag/t/config')?.component).toBe('tag');
  });
});

describe('checkTopic', () => {
  const check = (topic: string, use: 'state' | 'command'): string => {
    try {
      return checkTopic(topic, use, 'key', 'homeassistant');
    } catch (error) {
      return error instanceof ConfigFault ? error.reason : String(error);
    }
  };

  it.each(['', 'a/+/b', '#', 'a\0b', '\ud800', 'x'.repeat(1_025), 'homeassistant/switch/x/config'])(
    'refuses %j for any use',
    (topic) => {
      expect([check(topic, 'state'), check(topic, 'command')]).toEqual(['invalid-topic', 'invalid-topic']);
    },
  );

  it.each(['$SYS/broker/uptime', '$share/g/a', 'homeassistant/status'])('lets %j be heard, not written', (topic) => {
    expect([check(topic, 'state'), check(topic, 'command')]).toEqual([topic, 'invalid-topic']);
  });

  it('lets a device use topics beside its discovery topic', () => {
    expect(check('homeassistant/switch/x/set', 'command')).toBe('homeassistant/switch/x/set');
  });
});
