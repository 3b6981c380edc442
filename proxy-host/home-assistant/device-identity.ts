import type { JsonValue } from '@pipevine/runtime';
import { pythonScalar } from '../template/python-format.ts';
import type { Config, EntityConfig } from './discovery-config.ts';
import { shortDigest } from './naming.ts';
import { ConfigFault } from './rejection.ts';

/** DeviceDescription allows 256 characters. */
const MAX_KEY = 256;

function bounded(key: string): string {
  if (key.length <= MAX_KEY) return key;
  // Two digests over different texts make an accidental meeting of two long keys all but impossible.
  return `${key.slice(0, MAX_KEY - 18)}~${shortDigest(key)}${shortDigest(`${key}~`)}`;
}

function scalarText(value: JsonValue | undefined, what: string): string {
  if (value === undefined || value === null || typeof value === 'object') {
    throw new ConfigFault('invalid-value', `device ${what}: expected strings`);
  }
  return typeof value === 'string' ? value : pythonScalar(value);
}

function identifiers(device: Config): string[] {
  const value = device.get('identifiers') ?? null;
  if (value === null) return [];
  const items: readonly JsonValue[] = Array.isArray(value) ? value : [value];
  return items.map((item) => scalarText(item, 'identifiers'));
}

function connections(device: Config): string[] {
  const value = device.get('connections') ?? null;
  if (value === null) return [];
  if (!Array.isArray(value)) throw new ConfigFault('invalid-value', 'device connections: expected a list of pairs');
  return value.map((pair: JsonValue) => {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new ConfigFault('invalid-value', 'device connections: expected a list of pairs');
    }
    // Array.isArray narrows a JsonValue to any[]: its items are JSON values.
    const [kind, address] = pair as readonly JsonValue[];
    const text = scalarText(address, 'connections');
    return `${scalarText(kind, 'connections')}:${kind === 'mac' ? text.toLowerCase() : text}`;
  });
}

/**
 * Names the device for ever: the first of its identifiers in sorted order, else of its connections, else the entity
 * itself. Entities that agree on it are one device. Throws ConfigFault.
 */
export function deviceKey(entity: EntityConfig, identity: string): string {
  const device = entity.device;
  if (device !== undefined) {
    const [identifier] = identifiers(device).sort();
    if (identifier !== undefined && identifier !== '') return bounded(`id:${identifier}`);
    const [connection] = connections(device).sort();
    if (connection !== undefined) return bounded(`cn:${connection}`);
  }
  return bounded(`entity:${identity}`);
}

/** Key of the device behind which this one is reached. */
export function viaKey(device: Config | undefined): string | undefined {
  const via = device?.get('via_device') ?? null;
  return via === null || typeof via === 'object' ? undefined : bounded(`id:${scalarText(via, 'via_device')}`);
}

/** Maker, model and software, for people. */
export function describeDevice(device: Config | undefined): string | undefined {
  const part = (key: string): string => {
    const value = device?.get(key) ?? '';
    return typeof value === 'object' ? '' : String(value).slice(0, 200);
  };
  const maker = [part('manufacturer'), part('model')].filter((text) => text !== '').join(' ');
  const software = part('sw_version');
  const parts = [maker, software === '' ? '' : `software ${software}`].filter((text) => text !== '');
  return parts.length === 0 ? undefined : parts.join(', ');
}
