import { type EntityConfig, readKept } from './discovery-config.ts';
import { parseDiscoveryTopic } from './discovery-topic.ts';
import type { EntityPlan } from './entity-plan.ts';
import type { ConfigSource, Entity } from './mapped-device.ts';
import { type PlanContext, planEntity } from './plan-entity.ts';
import { ConfigFault } from './rejection.ts';

export type PlanOrFault = EntityPlan | ConfigFault;

/** The plan of each entity, or why it cannot be used. */
export function planAll(
  entities: readonly EntityConfig[],
  configTopic: string,
  context: PlanContext,
): readonly PlanOrFault[] {
  return entities.map((entity) => {
    try {
      return planEntity(entity, configTopic, context);
    } catch (error) {
      if (error instanceof ConfigFault) return error;
      throw error;
    }
  });
}

/** Plans of the config messages that were used last; any other is read again from its text. */
export class PlanCache {
  readonly #maxPlans: number;
  readonly #context: PlanContext;
  readonly #bySource = new Map<ConfigSource, readonly PlanOrFault[]>();
  #rebuilt = 0;

  constructor(maxPlans: number, context: PlanContext) {
    this.#maxPlans = maxPlans;
    this.#context = context;
  }

  get size(): number {
    return this.#bySource.size;
  }

  get rebuilt(): number {
    return this.#rebuilt;
  }

  set(source: ConfigSource, plans: readonly PlanOrFault[]): void {
    this.#bySource.delete(source);
    this.#bySource.set(source, plans);
    if (this.#bySource.size > this.#maxPlans) {
      const [oldest] = this.#bySource.keys();
      if (oldest !== undefined) this.#bySource.delete(oldest);
    }
  }

  delete(source: ConfigSource): void {
    this.#bySource.delete(source);
  }

  /** The plan of an entity that was accepted, so that reading its text again cannot fail. */
  planOf(entity: Entity): EntityPlan | undefined {
    const plan = this.#plansOf(entity.source)[entity.position];
    return plan instanceof ConfigFault ? undefined : plan;
  }

  #plansOf(source: ConfigSource): readonly PlanOrFault[] {
    let plans = this.#bySource.get(source);
    if (plans === undefined) {
      plans = this.#build(source);
      this.#rebuilt += 1;
    }
    this.set(source, plans);
    return plans;
  }

  #build(source: ConfigSource): readonly PlanOrFault[] {
    const topic = parseDiscoveryTopic(this.#context.prefix, source.topic);
    if (topic === undefined) return [];
    const discovery = readKept(topic, source.text);
    return discovery.kind === 'entities' ? planAll(discovery.entities, source.topic, this.#context) : [];
  }
}
