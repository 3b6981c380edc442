import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { COMPONENT_PLANS } from './component-plans.ts';
import { DEVICE_CASES } from './device-cases.ts';
import { readDiscovery } from './discovery-config.ts';
import { parseDiscoveryTopic } from './discovery-topic.ts';
import { MappingHarness } from './mapping-harness.ts';

const schema: object = createRequire(import.meta.url)(
  'wot-thing-description-types/schema/td-json-schema-validation.json',
);
const isThingDescription = new Ajv({ strict: false, validateFormats: false }).compile(schema);

type Affordances = { readonly [name: string]: object } | undefined;

function withForms(affordances: Affordances, op: readonly string[]): Affordances {
  if (affordances === undefined) return undefined;
  const form = { href: 'pipevine://peer/affordance', op };
  return Object.fromEntries(Object.entries(affordances).map(([name, one]) => [name, { ...one, forms: [form] }]));
}

describe.each(DEVICE_CASES)('$name', (device) => {
  const announced = (): MappingHarness => {
    const harness = new MappingHarness();
    for (const [topic, payload] of device.configs) harness.send(topic, payload);
    return harness;
  };

  it('becomes one device with its key and title', () => {
    const harness = announced();
    expect(harness.rejected).toEqual([]);
    expect([...harness.devices.keys()]).toEqual([device.key]);
    expect(harness.only.thing.title).toBe(device.title);
  });

  it('has a description that the W3C schema accepts', () => {
    const { thing } = announced().only;
    const description = JSON.parse(
      JSON.stringify({
        ...thing,
        '@context': ['https://www.w3.org/2022/wot/td/v1.1', { pipevine: 'https://pipevine.example/ns#' }],
        id: 'urn:pipevine:peer:test',
        security: 'nosec',
        securityDefinitions: { nosec: { scheme: 'nosec' } },
        properties: withForms(thing.properties, ['readproperty']),
        actions: withForms(thing.actions, ['invokeaction']),
        events: withForms(thing.events, ['subscribeevent']),
      }),
    );
    expect(isThingDescription(description) ? [] : isThingDescription.errors).toEqual([]);
    const names = [thing.properties, thing.actions, thing.events].flatMap((one) => Object.keys(one ?? {}));
    expect(names.filter((name) => !/^[a-zA-Z0-9_-]+$/.test(name))).toEqual([]);
  });

  it('reads what it says', () => {
    const harness = announced();
    for (const [topic, payload] of device.states ?? []) {
      expect(harness.subscribed.has(topic)).toBe(true);
      harness.send(topic, payload);
    }
    expect(harness.rejected).toEqual([]);
    for (const [property, value] of Object.entries(device.values ?? {})) {
      expect([property, harness.value(property)]).toEqual([property, value]);
    }
    expect(harness.events).toEqual((device.events ?? []).map(([event, data]) => ({ event, data })));
  });

  it('phrases what is asked of it', () => {
    const harness = announced();
    for (const [property, value, topic, payload] of device.writes ?? []) {
      expect([property, harness.write(property, value)]).toEqual([property, [{ topic, payload }]]);
    }
    for (const [action, input, topic, payload] of device.actions ?? []) {
      expect([action, harness.invoke(action, input)]).toEqual([action, [{ topic, payload }]]);
    }
  });

  it('is described alike whatever the order of its messages', () => {
    const backwards = new MappingHarness();
    for (const [topic, payload] of [...device.configs].reverse()) backwards.send(topic, payload);
    expect(backwards.only).toEqual(announced().only);
  });

  it('leaves nothing behind when its messages are emptied', () => {
    const harness = announced();
    for (const [topic, payload] of device.states ?? []) harness.send(topic, payload);
    for (const [topic] of device.configs) harness.send(topic, '');
    harness.sleep(10_000);
    expect([harness.devices.size, harness.subscribed.size]).toEqual([0, 0]);
    const { devices, entities, configs, configCharacters, topics } = harness.mapping.status();
    expect({ devices, entities, configs, configCharacters, topics }).toEqual({
      devices: 0,
      entities: 0,
      configs: 0,
      configCharacters: 0,
      topics: 0,
    });
  });
});

it('covers every component', () => {
  const seen = new Set(
    DEVICE_CASES.flatMap(({ configs }) =>
      configs.flatMap(([topic, payload]) => {
        const parsed = parseDiscoveryTopic('homeassistant', topic);
        if (parsed === undefined) return [];
        const read = readDiscovery(parsed, JSON.stringify(payload));
        return read.kind === 'entities' ? read.entities.map((entity) => entity.component) : [];
      }),
    ),
  );
  expect([...COMPONENT_PLANS.keys()].filter((component) => !seen.has(component))).toEqual([]);
});
