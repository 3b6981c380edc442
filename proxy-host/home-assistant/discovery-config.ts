import type { JsonValue } from '@pipevine/runtime';
import { COMPONENT_KEYS, DEVICE_KEYS, ORIGIN_KEYS } from './abbreviations.ts';
import type { DiscoveryTopic } from './discovery-topic.ts';
import { ConfigFault, quoted } from './rejection.ts';

/** A Map, not an object: the keys are a stranger's. */
export type Config = ReadonlyMap<string, JsonValue>;

/** One entity as its discovery message describes it: every key in full, every `~` resolved. */
export interface EntityConfig {
  readonly component: string;
  /** Names the entity within its config topic: the bundle's key, or the topic's object id. */
  readonly objectId: string;
  readonly config: Config;
  readonly device: Config | undefined;
}

/** What a discovery message says. */
export type Discovery =
  | { readonly kind: 'removal' }
  /** The publisher is about to move these entities to another topic. */
  | { readonly kind: 'migration' }
  | {
      readonly kind: 'entities';
      readonly entities: readonly EntityConfig[];
      /** Components of a bundle that cannot be read; the others stand. */
      readonly faults: readonly ConfigFault[];
    };

const MAX_DEPTH = 8;

/** Options of a bundle's root that its components inherit. */
const SHARED = [
  'availability',
  'availability_mode',
  'availability_template',
  'availability_topic',
  'command_topic',
  'encoding',
  'payload_available',
  'payload_not_available',
  'qos',
  'retain',
  'state_topic',
  '~',
];

function isObject(value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkDepth(value: JsonValue, left: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (left === 0) throw new ConfigFault('malformed-config', `expected JSON nested at most ${MAX_DEPTH} deep`);
  for (const item of Object.values(value)) checkDepth(item, left - 1);
}

function spellOut(
  object: { readonly [key: string]: JsonValue },
  keys: ReadonlyMap<string, string>,
): Map<string, JsonValue> {
  const full = new Map<string, JsonValue>();
  // A key in full wins over its short form.
  for (const [key, value] of Object.entries(object)) {
    const name = keys.get(key) ?? key;
    if (name === key || !full.has(name)) full.set(name, value);
  }
  return full;
}

function resolveBase(value: JsonValue, base: string): JsonValue {
  if (typeof value !== 'string') return value;
  let topic = value;
  if (topic.endsWith('~') && topic.length > 1) topic = topic.slice(0, -1) + base;
  return topic.startsWith('~') ? base + topic.slice(1) : topic;
}

/** Spells out an item of the availability list and resolves its `~`. */
function availabilityItem(item: JsonValue, base: string | undefined): JsonValue {
  if (!isObject(item)) throw new ConfigFault('invalid-value', 'availability: expected a list of objects');
  const full = spellOut(item, COMPONENT_KEYS);
  const topic = full.get('topic');
  if (base !== undefined && topic !== undefined) full.set('topic', resolveBase(topic, base));
  return Object.fromEntries(full);
}

function finished(config: Map<string, JsonValue>): Config {
  const base = config.get('~');
  config.delete('~');
  if (base !== undefined && typeof base !== 'string') throw new ConfigFault('invalid-value', '~: expected a string');
  if (base !== undefined) {
    for (const [key, value] of config) if (key.endsWith('topic')) config.set(key, resolveBase(value, base));
  }
  const availability = config.get('availability');
  if (availability !== undefined && availability !== null) {
    const items = Array.isArray(availability) ? availability : [availability];
    config.set(
      'availability',
      items.map((item: JsonValue) => availabilityItem(item, base)),
    );
  }
  return config;
}

function objectAt(config: Config, key: string, keys: ReadonlyMap<string, string>): Config | undefined {
  const value = config.get(key);
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new ConfigFault('invalid-value', `${key}: expected an object`);
  return spellOut(value, keys);
}

function parseJson(payload: string): { readonly [key: string]: JsonValue } {
  let parsed: JsonValue;
  try {
    // JSON.parse gives nothing but JSON values.
    parsed = JSON.parse(payload) as JsonValue;
  } catch {
    throw new ConfigFault('malformed-config', `expected JSON, came ${quoted(payload)}`);
  }
  if (!isObject(parsed)) throw new ConfigFault('malformed-config', `expected a JSON object, came ${quoted(payload)}`);
  checkDepth(parsed, MAX_DEPTH);
  return parsed;
}

/** A discovery message as it is kept: the device apart, so that the entities of a device can share that text. */
export interface KeptConfig {
  readonly root: string;
  device: string | undefined;
}

/** Keys that mean nothing here, often a third of a message. */
const NOT_KEPT: ReadonlySet<string> = new Set(['en', 'ent_pic', 'frc_upd', 'ic', 'o', 'sug_dsp_prc']);

/** The shortest key for each full one. */
const SHORT_KEYS: ReadonlyMap<string, string> = new Map([...COMPONENT_KEYS].map(([short, full]) => [full, short]));

function shortened(object: { readonly [key: string]: JsonValue }): Map<string, JsonValue> {
  return new Map([...spellOut(object, COMPONENT_KEYS)].map(([key, value]) => [SHORT_KEYS.get(key) ?? key, value]));
}

/** Makes a message that has been read as small as it can be kept: what it means stays the same. */
export function keepConfig(payload: string): KeptConfig {
  const root = shortened(parseJson(payload));
  for (const key of NOT_KEPT) root.delete(key);
  const device = root.get('dev');
  root.delete('dev');
  const availability = root.get('avty');
  if (Array.isArray(availability)) {
    root.set(
      'avty',
      availability.map((item: JsonValue) => (isObject(item) ? Object.fromEntries(shortened(item)) : item)),
    );
  }
  return {
    root: JSON.stringify(Object.fromEntries(root)),
    device: device === undefined ? undefined : JSON.stringify(device),
  };
}

/** Reads a discovery message that was kept. */
export function readKept(topic: DiscoveryTopic, kept: KeptConfig): Discovery {
  const root = parseJson(kept.root);
  // JSON.stringify wrote it.
  return readRoot(topic, kept.device === undefined ? root : { ...root, dev: JSON.parse(kept.device) as JsonValue });
}

/** Reads a discovery message. Throws ConfigFault. */
export function readDiscovery(topic: DiscoveryTopic, payload: string): Discovery {
  return payload.trim() === '' ? { kind: 'removal' } : readRoot(topic, parseJson(payload));
}

function readRoot(topic: DiscoveryTopic, object: { readonly [key: string]: JsonValue }): Discovery {
  const root = spellOut(object, COMPONENT_KEYS);
  if (root.get('migrate_discovery') === true) return { kind: 'migration' };
  root.delete('migrate_discovery');
  const device = objectAt(root, 'device', DEVICE_KEYS);
  objectAt(root, 'origin', ORIGIN_KEYS);
  if (!topic.isBundle) {
    const entity = { component: topic.component, objectId: topic.objectId, config: finished(root), device };
    return { kind: 'entities', entities: [entity], faults: [] };
  }
  if (device === undefined)
    throw new ConfigFault('malformed-config', 'expected "device" in a device bundle, came none');
  const components = root.get('components');
  if (!isObject(components)) {
    throw new ConfigFault('malformed-config', 'expected "components", an object, in a device bundle');
  }
  return { kind: 'entities', ...readComponents(root, device, components) };
}

function readComponents(
  root: Config,
  device: Config,
  components: { readonly [key: string]: JsonValue },
): { entities: EntityConfig[]; faults: ConfigFault[] } {
  const entities: EntityConfig[] = [];
  const faults: ConfigFault[] = [];
  for (const [objectId, component] of Object.entries(components)) {
    try {
      const entity = readComponent(root, device, objectId, component);
      if (entity !== undefined) entities.push(entity);
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error;
      faults.push(new ConfigFault(error.reason, `component ${quoted(objectId)}: ${error.message}`));
    }
  }
  return { entities, faults };
}

/** Undefined where the component is only named, to remove it. */
function readComponent(root: Config, device: Config, objectId: string, value: JsonValue): EntityConfig | undefined {
  if (!isObject(value)) throw new ConfigFault('malformed-config', 'expected an object');
  const own = spellOut(value, COMPONENT_KEYS);
  const component = own.get('platform');
  if (typeof component !== 'string' || !/^[a-zA-Z0-9_]{1,64}$/.test(component)) {
    throw new ConfigFault('malformed-config', 'expected "platform", the name of a component');
  }
  own.delete('platform');
  if (own.size === 0) return undefined;
  const hasAvailability = own.has('availability') || own.has('availability_topic');
  for (const key of SHARED) {
    const shared = root.get(key);
    const inherits = !own.has(key) && !(hasAvailability && key.startsWith('availability'));
    if (shared !== undefined && inherits) own.set(key, shared);
  }
  return { component, objectId, config: finished(own), device: objectAt(own, 'device', DEVICE_KEYS) ?? device };
}
