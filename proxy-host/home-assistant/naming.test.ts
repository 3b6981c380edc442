import { describe, expect, it } from 'vitest';
import { ConfigReader } from './config-reader.ts';
import { baseName, entityTitle, type NamedEntity, resolveNames, slug } from './naming.ts';
import { TemplateCache } from './template-cache.ts';

function reader(config: { readonly [key: string]: string | null }): ConfigReader {
  return new ConfigReader(new Map(Object.entries(config)), 'homeassistant', new TemplateCache(8));
}

describe('baseName', () => {
  it.each<[string, { readonly [key: string]: string | null }, string | undefined, string]>([
    ['sensor', { object_id: 'kitchen_plug_power', name: 'x' }, 'Kitchen Plug', 'power'],
    ['sensor', { default_entity_id: 'sensor.kitchen_power' }, 'kitchen', 'power'],
    ['switch', { object_id: 'kitchen' }, 'kitchen', 'switch'],
    ['switch', { name: null }, 'kitchen', 'switch'],
    ['sensor', { name: 'Kitchen Humidity' }, 'Kitchen', 'humidity'],
    ['sensor', { name: 'Kitchenette' }, 'Kitchen', 'kitchenette'],
    ['sensor', { device_class: 'battery' }, 'Kitchen', 'battery'],
    ['sensor', { name: 'Température °C' }, undefined, 'temperature_c'],
    ['sensor', { name: '温度' }, undefined, 'topic_id'],
    ['sensor', {}, undefined, 'sensor'],
    ['device_automation', { type: 'button_short_press', subtype: 'button_1' }, 'x', 'button_1_button_short_press'],
  ])('%s %j of %s is %s', (component, config, device, name) => {
    expect(baseName(component, 'topic_id', reader(config), device)).toBe(name);
  });

  it('gives names that are allowed, whatever it is given', () => {
    for (const text of ['-a-', 'a/b.c#d', 'Ärger & Öl', '__proto__', 'x'.repeat(500)]) {
      expect(slug(text)).toMatch(/^[a-z0-9_-]{1,64}$/);
    }
  });
});

it('titles leave the name of the device out', () => {
  expect(entityTitle(reader({ name: 'Lamp Power' }), 'Lamp')).toBe('Power');
  expect(entityTitle(reader({ name: 'Lamp' }), 'Lamp')).toBeUndefined();
  expect(entityTitle(reader({ name: null }), 'Lamp')).toBeUndefined();
});

describe('resolveNames', () => {
  const entity = (identity: string, component: string, base: string, roles = ['']): NamedEntity => ({
    identity,
    component,
    base,
    roles,
  });

  it('keeps names apart, whoever came first', () => {
    const entities = [
      entity('1', 'sensor', 'power'),
      entity('2', 'switch', 'power', ['', 'turn_on']),
      entity('3', 'number', 'limit'),
      entity('4', 'sensor', 'rain'),
      entity('5', 'sensor', 'rain'),
    ];
    const names = resolveNames(entities);
    expect(Object.fromEntries(names)).toEqual({
      1: 'power_sensor',
      2: 'power_switch',
      3: 'limit',
      4: expect.stringMatching(/^rain_[0-9a-f]{8}$/),
      5: expect.stringMatching(/^rain_[0-9a-f]{8}$/),
    });
    expect(new Map([...resolveNames(entities.toReversed())].sort())).toEqual(new Map([...names].sort()));
  });

  it('sees that the name of a part meets the name of another entity', () => {
    const names = resolveNames([
      entity('1', 'light', 'lamp', ['', 'brightness']),
      entity('2', 'number', 'lamp_brightness'),
    ]);
    expect(Object.fromEntries(names)).toEqual({ 1: 'lamp_light', 2: 'lamp_brightness_number' });
  });
});
