import type { AvailabilitySource } from './availability.ts';
import { appended, removed } from './compact-list.ts';
import type { Entity } from './mapped-device.ts';

/** Who listens to a topic. */
export interface TopicUse {
  entities: Entity[] | undefined;
  sources: AvailabilitySource[] | undefined;
  qos: 0 | 1 | 2;
  /** The connector has been told to subscribe. */
  isSubscribed: boolean;
}

/** From a topic to all that listen to it, in one step. Topics have no wildcards. */
export class TopicIndex {
  readonly #uses = new Map<string, TopicUse>();

  get size(): number {
    return this.#uses.size;
  }

  get(topic: string): TopicUse | undefined {
    return this.#uses.get(topic);
  }

  entries(): IterableIterator<[string, TopicUse]> {
    return this.#uses.entries();
  }

  addEntity(topic: string, entity: Entity, qos: 0 | 1 | 2): void {
    const use = this.#use(topic, qos);
    use.entities = appended(use.entities, entity);
  }

  addSource(topic: string, source: AvailabilitySource, qos: 0 | 1 | 2): void {
    const use = this.#use(topic, qos);
    use.sources = appended(use.sources, source);
  }

  #use(topic: string, qos: 0 | 1 | 2): TopicUse {
    let use = this.#uses.get(topic);
    if (use === undefined) {
      use = { entities: undefined, sources: undefined, qos, isSubscribed: false };
      this.#uses.set(topic, use);
    }
    if (qos > use.qos) use.qos = qos;
    return use;
  }

  /** Whether the connector has to unsubscribe. */
  removeEntity(topic: string, entity: Entity): boolean {
    const use = this.#uses.get(topic);
    if (use?.entities === undefined) return false;
    use.entities = removed(use.entities, entity);
    return this.#dropUnused(topic, use);
  }

  /** Whether the connector has to unsubscribe. */
  removeSource(topic: string, source: AvailabilitySource): boolean {
    const use = this.#uses.get(topic);
    if (use?.sources === undefined) return false;
    use.sources = removed(use.sources, source);
    return this.#dropUnused(topic, use);
  }

  #dropUnused(topic: string, use: TopicUse): boolean {
    if ((use.entities?.length ?? 0) > 0 || (use.sources?.length ?? 0) > 0) return false;
    this.#uses.delete(topic);
    return use.isSubscribed;
  }
}
