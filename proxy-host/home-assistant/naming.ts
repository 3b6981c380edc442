import type { ConfigReader } from './config-reader.ts';

const MAX_NAME = 64;

/** A text as a name of an affordance, `[a-z0-9_-]+`, or '' where nothing of it is left. */
export function slug(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '_')
    .replace(/^[_-]+|[_-]+$/g, '')
    .slice(0, MAX_NAME);
}

function withoutPrefix(name: string, prefix: string): string {
  if (prefix === '' || !name.startsWith(prefix)) return name;
  if (name.length === prefix.length) return '';
  return name[prefix.length] === '_' ? slug(name.slice(prefix.length + 1)) : name;
}

/** The entity's own name without the device's, as people see it; undefined where it has none. */
export function entityTitle(reader: ConfigReader, deviceName: string | undefined): string | undefined {
  const name = reader.text('name')?.trim();
  if (name === undefined || name === '' || name === deviceName) return undefined;
  if (deviceName !== undefined && name.startsWith(`${deviceName} `)) return name.slice(deviceName.length + 1);
  return name;
}

/**
 * What the names of an entity's affordances begin with: from its object id, else its name, else its device class, else
 * its component; without the device's name in front. Made from the entity alone, so it never depends on its neighbours.
 */
export function baseName(
  component: string,
  topicId: string,
  reader: ConfigReader,
  deviceName: string | undefined,
): string {
  if (component === 'device_automation') {
    const trigger = slug(`${reader.textOr('subtype', '')}_${reader.textOr('type', '')}`);
    if (trigger !== '') return trigger;
  }
  const device = slug(deviceName ?? '');
  const entityId = reader.text('default_entity_id');
  const objectId =
    reader.text('object_id') ?? (entityId === undefined ? undefined : entityId.slice(entityId.indexOf('.') + 1));
  if (objectId !== undefined) {
    const name = withoutPrefix(slug(objectId), device);
    return name === '' ? component : name;
  }
  const title = reader.text('name');
  const name = withoutPrefix(slug(title ?? ''), device);
  if (name !== '') return name;
  if (reader.isNull('name') || (title !== undefined && title === deviceName)) return component;
  // A name in letters that names of affordances do not have: the topic says it in plain ones.
  const other = title === undefined ? reader.text('device_class') : topicId;
  return slug(other ?? '') || component;
}

/** A short digest of an identity that stays the same for ever (FNV-1a, 32 bits): keeps equal names apart. */
export function shortDigest(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

export function affordanceName(base: string, role: string): string {
  return role === '' ? base : `${base}_${role}`;
}

export interface NamedEntity {
  readonly identity: string;
  readonly component: string;
  readonly base: string;
  readonly roles: readonly string[];
}

/**
 * The base name that each entity of a device uses. Where names of two entities meet, both get their component behind
 * them, and where they still meet a digest of their identity: whoever came first makes no difference. Entities that
 * even so cannot be told apart are left out.
 */
export function resolveNames(entities: readonly NamedEntity[]): ReadonlyMap<string, string> {
  const names = new Map(entities.map((entity) => [entity.identity, entity.base]));
  const stages: ((entity: NamedEntity) => string | undefined)[] = [
    (entity) => (entity.base === entity.component ? undefined : `${entity.base}_${entity.component}`),
    (entity) => `${entity.base}_${shortDigest(entity.identity)}`,
  ];
  for (const stage of stages) {
    for (const entity of meeting(entities, names)) {
      const name = stage(entity);
      if (name !== undefined) names.set(entity.identity, name);
    }
  }
  for (const entity of meeting(entities, names)) names.delete(entity.identity);
  return names;
}

function meeting(entities: readonly NamedEntity[], names: ReadonlyMap<string, string>): Set<NamedEntity> {
  const owners = new Map<string, NamedEntity>();
  const met = new Set<NamedEntity>();
  for (const entity of entities) {
    const base = names.get(entity.identity);
    if (base === undefined) continue;
    for (const role of new Set(entity.roles)) {
      const name = affordanceName(base, role);
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, entity);
      else if (owner !== entity) met.add(owner).add(entity);
    }
  }
  return met;
}
