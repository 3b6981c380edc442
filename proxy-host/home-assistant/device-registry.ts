import { AvailabilityRegistry } from './availability-registry.ts';
import { appended, removed } from './compact-list.ts';
import type { EntityPlan } from './entity-plan.ts';
import { type ConfigSource, Device, Entity } from './mapped-device.ts';
import type { MappingLimits } from './mapping-limits.ts';
import type { PlanCache, PlanOrFault } from './plan-cache.ts';
import { ConfigFault, quoted } from './rejection.ts';
import { TopicIndex } from './topic-index.ts';

/** What came of putting a config message in force or taking it out. */
export interface RegistryChange {
  /** Devices that gained or lost entities; one without any is not in the registry any more. */
  readonly touched: ReadonlySet<Device>;
  readonly unsubscribed: readonly string[];
  readonly faults: readonly ConfigFault[];
  /** New entities of which nobody knows the component. */
  readonly unknown: readonly { readonly component: string; readonly key: string }[];
}

interface Candidate {
  readonly plan: EntityPlan;
  readonly position: number;
}

/** Which config messages are in force, which devices and entities they make, and who listens to which topic. */
export class DeviceRegistry {
  readonly topics = new TopicIndex();
  readonly availability = new AvailabilityRegistry();
  readonly #limits: MappingLimits;
  readonly #plans: PlanCache;
  readonly #sources = new Map<string, ConfigSource>();
  readonly #devices = new Map<string, Device>();
  readonly #entityByIdentity = new Map<string, Entity>();
  #entities = 0;
  #configCharacters = 0;

  constructor(limits: MappingLimits, plans: PlanCache) {
    this.#limits = limits;
    this.#plans = plans;
  }

  get counts(): { devices: number; entities: number; configs: number; configCharacters: number; topics: number } {
    return {
      devices: this.#devices.size,
      entities: this.#entities,
      configs: this.#sources.size,
      configCharacters: this.#configCharacters,
      topics: this.topics.size,
    };
  }

  device(key: string): Device | undefined {
    return this.#devices.get(key);
  }

  source(topic: string): ConfigSource | undefined {
    return this.#sources.get(topic);
  }

  /**
   * Puts a config message in force, as far as it can be used, in place of the earlier one of its topic. A message of
   * which nothing can be used leaves the earlier one in force.
   */
  put(source: ConfigSource, plans: readonly PlanOrFault[]): RegistryChange {
    const before = this.#sources.get(source.topic);
    const faults: ConfigFault[] = [];
    const candidates = this.#candidates(source, plans, before, faults);
    const characters = this.#configCharacters + source.characters - (before?.characters ?? 0);
    if (characters > this.#limits.maxConfigCharacters) {
      const expected = `expected at most ${this.#limits.maxConfigCharacters} characters of discovery in all`;
      faults.push(new ConfigFault('too-many-configs', expected));
    } else if (candidates.length > 0 || plans.length === 0) {
      return this.#replace(before, source, plans, candidates, faults);
    }
    return { touched: new Set(), unsubscribed: [], faults, unknown: [] };
  }

  remove(source: ConfigSource): RegistryChange {
    return this.#replace(source, undefined, [], [], []);
  }

  #candidates(
    source: ConfigSource,
    plans: readonly PlanOrFault[],
    before: ConfigSource | undefined,
    faults: ConfigFault[],
  ): Candidate[] {
    const candidates: Candidate[] = [];
    const identities = new Set<string>();
    for (const [position, plan] of plans.entries()) {
      const fault =
        plan instanceof ConfigFault
          ? plan
          : (this.#claimFault(plan, identities, source.topic, before) ?? this.#roomFault(plan, candidates, before));
      if (fault !== undefined) faults.push(fault);
      else if (!(plan instanceof ConfigFault)) {
        identities.add(plan.identity);
        candidates.push({ plan, position });
      }
    }
    return candidates;
  }

  /** Refuses an entity whose unique id another config topic holds, unless that one is about to give it up. */
  #claimFault(
    plan: EntityPlan,
    identities: ReadonlySet<string>,
    topic: string,
    before: ConfigSource | undefined,
  ): ConfigFault | undefined {
    const reason = 'duplicate-unique-id';
    if (identities.has(plan.identity)) {
      return new ConfigFault(
        reason,
        `expected each unique_id once, came ${quoted(plan.identity)} twice in ${quoted(topic)}`,
      );
    }
    const owner = this.#entityByIdentity.get(plan.identity);
    if (owner === undefined || owner.source === before || owner.source.isMigrating) return undefined;
    const claim = `came ${quoted(plan.identity)} from ${quoted(topic)}, which ${quoted(owner.source.topic)} has`;
    return new ConfigFault(reason, `expected a unique_id of its own, ${claim}: the first keeps it`);
  }

  #roomFault(
    plan: EntityPlan,
    accepted: readonly Candidate[],
    before: ConfigSource | undefined,
  ): ConfigFault | undefined {
    const { maxDevices, maxEntities, maxEntitiesPerDevice, maxTopics } = this.#limits;
    const { key } = plan.device;
    const device = this.#devices.get(key);
    if (device === undefined) {
      const added = new Set(accepted.map((one) => one.plan.device.key).filter((other) => !this.#devices.has(other)));
      if (this.#devices.size + added.add(key).size > maxDevices) {
        return new ConfigFault('too-many-devices', `expected at most ${maxDevices} devices, came one more`);
      }
    }
    const leaving = before?.entities?.filter((entity) => entity.device.key === key).length ?? 0;
    const joining = accepted.filter((one) => one.plan.device.key === key).length;
    const inDevice = (device?.entities.length ?? 0) - leaving + joining;
    const inAll = this.#entities - (before?.entities?.length ?? 0) + accepted.length;
    if (inDevice >= maxEntitiesPerDevice || inAll >= maxEntities) {
      const bound = `${maxEntitiesPerDevice} entities in a device and ${maxEntities} in all`;
      return new ConfigFault('too-many-entities', `expected at most ${bound}, came one more`);
    }
    const more = topicsOf(plan).filter((topic) => this.topics.get(topic) === undefined).length;
    const planned = accepted.reduce((count, one) => count + topicsOf(one.plan).length, 0);
    if (more === 0 || this.topics.size + planned + more <= maxTopics) return undefined;
    return new ConfigFault('too-many-topics', `expected at most ${maxTopics} topics, came more`);
  }

  /** The successor comes into force first, so that what both have in common (topics, availability) stays as it is. */
  #replace(
    before: ConfigSource | undefined,
    source: ConfigSource | undefined,
    plans: readonly PlanOrFault[],
    candidates: readonly Candidate[],
    faults: readonly ConfigFault[],
  ): RegistryChange {
    const touched = new Set<Device>();
    const unsubscribed: string[] = [];
    const unknown: { component: string; key: string }[] = [];
    const migrated: Entity[] = [];
    if (source !== undefined) {
      this.#plans.set(source, plans);
      for (const { plan, position } of candidates) {
        const former = this.#entityByIdentity.get(plan.identity);
        const entity = this.#attach(source, plan, position);
        touched.add(entity.device);
        if (former === undefined && !plan.isKnown) unknown.push({ component: plan.component, key: plan.device.key });
        if (former !== undefined) inheritTimers(entity, former);
        if (former !== undefined && former.source !== before) migrated.push(former);
      }
    }
    for (const former of migrated) {
      former.source.entities = removed(former.source.entities ?? [], former);
      touched.add(this.#detach(former, unsubscribed));
    }
    if (before !== undefined) {
      for (const entity of before.entities ?? []) touched.add(this.#detach(entity, unsubscribed));
      this.#configCharacters -= before.characters;
      this.#plans.delete(before);
      this.#sources.delete(before.topic);
    }
    if (source !== undefined) {
      this.#sources.set(source.topic, source);
      this.#configCharacters += source.characters;
    }
    for (const device of touched) if (device.entities.length === 0) this.#devices.delete(device.key);
    return { touched, unsubscribed, faults, unknown };
  }

  #attach(source: ConfigSource, plan: EntityPlan, position: number): Entity {
    let device = this.#devices.get(plan.device.key);
    if (device === undefined) {
      device = new Device(plan.device.key);
      this.#devices.set(device.key, device);
    }
    device.pendingTopics ??= new Set();
    const acquired = plan.availability === undefined ? undefined : this.availability.acquire(plan.availability, device);
    for (const fresh of acquired?.fresh ?? []) {
      this.topics.addSource(fresh.config.topic, fresh, plan.qos);
      device.pendingTopics.add(fresh.config.topic);
    }
    const entity = new Entity(source, position, plan.identity, device, acquired?.rule);
    for (const topic of new Set(plan.inputs.map((input) => input.topic))) {
      this.topics.addEntity(topic, entity, plan.qos);
      device.pendingTopics.add(topic);
    }
    source.entities = appended(source.entities, entity);
    const neighbour = device.entities.find((one) => one.source.text.device === source.text.device);
    if (neighbour !== undefined) source.text.device = neighbour.source.text.device;
    device.entities = appended(device.entities, entity);
    this.#entityByIdentity.set(plan.identity, entity);
    this.#entities += 1;
    return entity;
  }

  #detach(entity: Entity, unsubscribed: string[]): Device {
    const inputs = this.#plans.planOf(entity)?.inputs ?? [];
    for (const topic of new Set(inputs.map((input) => input.topic))) {
      if (this.topics.removeEntity(topic, entity)) unsubscribed.push(topic);
    }
    if (entity.rule !== undefined) {
      for (const unused of this.availability.release(entity.rule, entity.device)) {
        if (this.topics.removeSource(unused.config.topic, unused)) unsubscribed.push(unused.config.topic);
      }
    }
    if (this.#entityByIdentity.get(entity.identity) === entity) this.#entityByIdentity.delete(entity.identity);
    for (const timer of entity.timers ?? []) timer.atMs = undefined;
    entity.device.entities = removed(entity.device.entities, entity);
    this.#entities -= 1;
    return entity.device;
  }
}

function topicsOf(plan: EntityPlan): string[] {
  const topics = new Set(plan.inputs.map((input) => input.topic));
  for (const source of plan.availability?.sources ?? []) topics.add(source.topic);
  return [...topics];
}

/** A value that was about to expire still does, though its entity was described anew. */
function inheritTimers(entity: Entity, former: Entity): void {
  entity.timers = former.timers;
  former.timers = undefined;
  for (const timer of entity.timers ?? []) timer.entity = entity;
}
