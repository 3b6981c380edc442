import { type JsonValue, PipevineError } from '@pipevine/runtime';
import type { Availability } from '../connector.ts';
import { type AvailabilitySource, readSource } from './availability.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { describe, type NamedPlan } from './describe-device.ts';
import { DeviceRegistry, type RegistryChange } from './device-registry.ts';
import { readDiscovery } from './discovery-config.ts';
import { type DiscoveryTopic, discoveryFilters, parseDiscoveryTopic } from './discovery-topic.ts';
import type { Command, EntityPlan, Publish, Schema, StateSink } from './entity-plan.ts';
import { ConfigSource, type Device, DeviceTimer, type Entity, ValueTimer } from './mapped-device.ts';
import type { MappingEffect, Subscription } from './mapping-effect.ts';
import { DEFAULT_MAPPING_LIMITS, type MappingLimits } from './mapping-limits.ts';
import { Message } from './message.ts';
import { affordanceName, resolveNames } from './naming.ts';
import { PlanCache, planAll } from './plan-cache.ts';
import type { PlanContext } from './plan-entity.ts';
import { ConfigFault, quoted, REJECTION_REASONS, type RejectionReason } from './rejection.ts';
import { misfit } from './schema-check.ts';
import { TemplateCache } from './template-cache.ts';

export interface HomeAssistantMappingInit {
  /** First levels of the discovery topics. Default: `homeassistant`. */
  readonly prefix?: string;
  readonly limits?: Partial<MappingLimits>;
  /**
   * How long a device's configuration may go on changing before it is described, in ms; default 100. A device announces
   * itself in a burst of messages, one a component, and each description is signed. 0: at once.
   */
  readonly settleMs?: number;
  /** How long the availability topics of a new device may stay silent before it counts as lost, in ms; default 3,000. */
  readonly silenceMs?: number;
  /** Minutes east of UTC for local times in templates. Default: UTC. */
  readonly utcOffsetMinutes?: (epochMs: number) => number;
}

export interface MessageOptions {
  /** The broker kept this message: it tells a state, but it is no event. */
  readonly retained?: boolean;
}

/** What a write or an invocation comes to. Do the effects once the broker has the messages. */
export interface MappedCommand {
  readonly publishes: readonly Publish[];
  /** Values that hold although the device has not confirmed them, because it never does. */
  readonly optimistic: readonly MappingEffect[];
}

export interface MappingStatus {
  readonly devices: number;
  readonly entities: number;
  readonly configs: number;
  readonly configCharacters: number;
  readonly topics: number;
  readonly deadlines: number;
  readonly plans: number;
  readonly plansRebuilt: number;
  readonly templates: number;
  readonly unknownComponents: number;
  readonly rejected: { readonly [reason in RejectionReason]: number };
  readonly limits: MappingLimits;
}

/**
 * Home Assistant's MQTT discovery as a state machine without I/O: messages in, effects out. It remembers which topics
 * matter to which entities, what to read out of their messages, and how to phrase commands.
 */
export class HomeAssistantMapping {
  readonly #prefix: string;
  readonly #limits: MappingLimits;
  readonly #settleMs: number;
  readonly #silenceMs: number;
  readonly #utcOffsetMinutes: (epochMs: number) => number;
  readonly #context: PlanContext & { readonly templates: TemplateCache };
  readonly #plans: PlanCache;
  readonly #registry: DeviceRegistry;
  readonly #deadlines = new DeadlineQueue<ValueTimer | DeviceTimer>();
  readonly #rejected = new Map<RejectionReason, number>();
  #unknownComponents = 0;

  constructor(init: HomeAssistantMappingInit = {}) {
    this.#prefix = init.prefix ?? 'homeassistant';
    if (this.#prefix === '' || /[+#\0]|^\/|\/$|^\$/.test(this.#prefix)) {
      throw new PipevineError(
        'invalid-argument',
        `expected a discovery prefix such as homeassistant, came ${quoted(this.#prefix)}`,
      );
    }
    this.#limits = { ...DEFAULT_MAPPING_LIMITS, ...init.limits };
    this.#settleMs = init.settleMs ?? 100;
    this.#silenceMs = init.silenceMs ?? 3_000;
    this.#utcOffsetMinutes = init.utcOffsetMinutes ?? (() => 0);
    this.#context = { prefix: this.#prefix, templates: new TemplateCache(this.#limits.maxTemplates) };
    this.#plans = new PlanCache(this.#limits.maxPlans, this.#context);
    this.#registry = new DeviceRegistry(this.#limits, this.#plans);
  }

  /** Takes any message of the broker; one that concerns nobody has no effect. Never throws for what it says. */
  apply(topic: string, payload: Uint8Array, nowMs: number, options: MessageOptions = {}): readonly MappingEffect[] {
    const effects: MappingEffect[] = [];
    const discovery = parseDiscoveryTopic(this.#prefix, topic);
    if (discovery !== undefined) this.#applyConfig(discovery, topic, payload, nowMs, effects);
    else this.#applyState(topic, payload, nowMs, options.retained === true, effects);
    return effects;
  }

  /** Does what has become due. Call it when `nextDeadlineMs` has come. */
  advance(nowMs: number): readonly MappingEffect[] {
    const effects: MappingEffect[] = [];
    for (let due = this.#deadlines.due(nowMs); due !== undefined; due = this.#deadlines.due(nowMs)) {
      if (due.kind === 'value') this.#emitValue(due.entity, due.role, due.value, effects);
      else if (due.kind === 'describe') this.#describe(due.device, nowMs, effects);
      else if (due.device.availability === undefined) this.#setAvailability(due.device, 'lost', effects);
    }
    return effects;
  }

  /** When to call `advance`, on the clock of `nowMs`; undefined while nothing is due. It may come early, never late. */
  nextDeadlineMs(): number | undefined {
    return this.#deadlines.nextMs;
  }

  /** All that has to be subscribed to now: after a reconnection that lost the session. */
  topicsWanted(): readonly Subscription[] {
    const wanted: Subscription[] = discoveryFilters(this.#prefix).map((topic) => ({ topic, qos: 1 }));
    for (const [topic, use] of this.#registry.topics.entries())
      if (use.isSubscribed) wanted.push({ topic, qos: use.qos });
    return wanted;
  }

  /**
   * The messages that set a property. Throws PipevineError: `not-found`, or `invalid-argument` that says what the
   * property takes; whatever the device's command template throws.
   */
  write(key: string, property: string, value: JsonValue, nowMs: number): MappedCommand {
    const { entity, item } = this.#find(key, property, 'property', (plan) => plan.properties);
    if (item.write === undefined) {
      throw new PipevineError(
        'invalid-argument',
        `property "${property}": expected one that can be written, came a read-only one`,
      );
    }
    refuseMisfit(item.init, value, `property "${property}"`);
    return this.#command(entity, item.write(value, this.#environment(nowMs)));
  }

  /** The messages that do an action. Throws as `write` does. */
  invoke(key: string, action: string, input: JsonValue | undefined, nowMs: number): MappedCommand {
    const { entity, item } = this.#find(key, action, 'action', (plan) => plan.actions);
    const schema = item.init.input;
    const given = input ?? (schema?.type === 'object' ? {} : undefined);
    if (schema === undefined && given !== undefined) {
      throw new PipevineError(
        'invalid-argument',
        `action "${action}": expected no input, came ${quoted(JSON.stringify(given))}`,
      );
    }
    if (schema !== undefined) refuseMisfit(schema, given ?? null, `action "${action}"`);
    return this.#command(entity, item.invoke(given, this.#environment(nowMs)));
  }

  status(): MappingStatus {
    // Every reason is a key: REJECTION_REASONS is the union's own list.
    const rejected = Object.fromEntries(
      REJECTION_REASONS.map((reason) => [reason, this.#rejected.get(reason) ?? 0]),
    ) as {
      [reason in RejectionReason]: number;
    };
    return {
      ...this.#registry.counts,
      deadlines: this.#deadlines.size,
      plans: this.#plans.size,
      plansRebuilt: this.#plans.rebuilt,
      templates: this.#context.templates.size,
      unknownComponents: this.#unknownComponents,
      rejected,
      limits: this.#limits,
    };
  }

  #environment(nowMs: number): Message['environment'] {
    return { nowMs, utcOffsetMinutes: this.#utcOffsetMinutes };
  }

  #reject(reason: RejectionReason, topic: string, detail: string, effects: MappingEffect[]): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
    effects.push({ kind: 'rejected', reason, topic, detail });
  }

  // Discovery

  #applyConfig(
    discovery: DiscoveryTopic,
    topic: string,
    payload: Uint8Array,
    nowMs: number,
    effects: MappingEffect[],
  ): void {
    if (payload.length > this.#limits.maxConfigBytes) {
      const detail = `expected at most ${this.#limits.maxConfigBytes} bytes of discovery, came ${payload.length}`;
      this.#reject('config-too-large', topic, detail, effects);
      return;
    }
    const text = new TextDecoder().decode(payload);
    const before = this.#registry.source(topic);
    if (before?.says(text) === true) {
      before.isMigrating = false;
      return;
    }
    try {
      const read = readDiscovery(discovery, text);
      if (read.kind === 'removal') {
        if (before !== undefined) this.#applyChange(topic, this.#registry.remove(before), nowMs, effects);
      } else if (read.kind === 'migration') {
        if (before !== undefined) before.isMigrating = true;
      } else {
        for (const fault of read.faults) this.#reject(fault.reason, topic, fault.message, effects);
        const plans = planAll(read.entities, topic, this.#context);
        this.#applyChange(topic, this.#registry.put(new ConfigSource(topic, text), plans), nowMs, effects);
      }
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error;
      this.#reject(error.reason, topic, error.message, effects);
    }
  }

  #applyChange(topic: string, change: RegistryChange, nowMs: number, effects: MappingEffect[]): void {
    for (const fault of change.faults) this.#reject(fault.reason, topic, fault.message, effects);
    for (const { component, key } of change.unknown) {
      this.#unknownComponents += 1;
      effects.push({ kind: 'unknown-component', component, topic, key });
    }
    if (change.unsubscribed.length > 0) effects.push({ kind: 'unsubscribe', topics: change.unsubscribed });
    for (const device of change.touched) this.#touch(device, nowMs, effects);
  }

  /** A device gained or lost entities: it is gone, or will be described again. */
  #touch(device: Device, nowMs: number, effects: MappingEffect[]): void {
    if (device.entities.length === 0) {
      forget(device.describe);
      forget(device.silence);
      if (device.isDescribed) effects.push({ kind: 'device-removed', key: device.key });
      return;
    }
    if (this.#settleMs <= 0) {
      this.#describe(device, nowMs, effects);
      return;
    }
    if (device.describe !== undefined) return;
    device.describe = new DeviceTimer('describe', device);
    this.#deadlines.schedule(device.describe, nowMs + this.#settleMs);
  }

  #describe(device: Device, nowMs: number, effects: MappingEffect[]): void {
    forget(device.describe);
    device.describe = undefined;
    const ordered = [...device.entities].sort((left, right) => (left.identity < right.identity ? -1 : 1));
    const planned = ordered.flatMap((entity): { entity: Entity; plan: EntityPlan }[] => {
      const plan = this.#plans.planOf(entity);
      return plan === undefined ? [] : [{ entity, plan }];
    });
    const names = resolveNames(
      planned.map(({ plan }) => ({
        identity: plan.identity,
        component: plan.component,
        base: plan.base,
        roles: [...plan.properties, ...plan.actions, ...plan.events].map((one) => one.role),
      })),
    );
    const named: NamedPlan[] = [];
    for (const { entity, plan } of planned) {
      entity.name = names.get(plan.identity);
      if (entity.name !== undefined) named.push({ plan, name: entity.name });
      else {
        const detail = `expected a name that no other entity has, came ${quoted(plan.base)}`;
        this.#reject('duplicate-name', entity.source.topic, detail, effects);
      }
    }
    const isNew = !device.isDescribed;
    device.isDescribed = true;
    effects.push({ kind: 'device', device: describe(device.key, named) });
    this.#subscribePending(device, effects);
    this.#updateAvailability(device, effects);
    if (isNew && device.availability === undefined) {
      device.silence = new DeviceTimer('silence', device);
      this.#deadlines.schedule(device.silence, nowMs + this.#silenceMs);
    }
  }

  #subscribePending(device: Device, effects: MappingEffect[]): void {
    const subscriptions: Subscription[] = [];
    for (const topic of device.pendingTopics ?? []) {
      const use = this.#registry.topics.get(topic);
      if (use === undefined) continue;
      use.isSubscribed = true;
      subscriptions.push({ topic, qos: use.qos });
    }
    device.pendingTopics = undefined;
    if (subscriptions.length > 0) effects.push({ kind: 'subscribe', subscriptions });
  }

  // State

  #applyState(topic: string, payload: Uint8Array, nowMs: number, retained: boolean, effects: MappingEffect[]): void {
    const use = this.#registry.topics.get(topic);
    if (use === undefined) return;
    if (payload.length > this.#limits.maxStateBytes) {
      const detail = `expected at most ${this.#limits.maxStateBytes} bytes of state, came ${payload.length}`;
      this.#reject('state-too-large', topic, detail, effects);
      return;
    }
    const message = new Message(topic, payload, retained, this.#environment(nowMs));
    for (const source of use.sources ?? []) this.#applyAvailability(source, message, effects);
    // Describing a device does not change who listens.
    for (const entity of use.entities ?? []) this.#applyToEntity(entity, message, effects);
  }

  #applyAvailability(source: AvailabilitySource, message: Message, effects: MappingEffect[]): void {
    const { template } = source.config;
    const isUp = this.#tried(message.topic, effects, () =>
      readSource(source, template === undefined ? undefined : this.#context.templates.compile(template), message),
    );
    if (isUp === undefined) return;
    for (const device of this.#registry.availability.update(source, isUp)) {
      if (device.isDescribed) this.#updateAvailability(device, effects);
    }
  }

  /** A device is up while any of its entities is; those without availability topics follow the others. */
  #updateAvailability(device: Device, effects: MappingEffect[]): void {
    let knowsLost = false;
    let hasRule = false;
    let isUp = false;
    for (const { rule } of device.entities) {
      if (rule === undefined) continue;
      hasRule = true;
      if (rule.isUp === true) isUp = true;
      if (rule.isUp === false) knowsLost = true;
    }
    if (!hasRule || isUp) this.#setAvailability(device, 'up', effects);
    else if (knowsLost) this.#setAvailability(device, 'lost', effects);
  }

  #setAvailability(device: Device, availability: Availability, effects: MappingEffect[]): void {
    forget(device.silence);
    device.silence = undefined;
    if (device.availability === availability) return;
    device.availability = availability;
    effects.push({ kind: 'availability', key: device.key, availability });
  }

  #applyToEntity(entity: Entity, message: Message, effects: MappingEffect[]): void {
    const { device } = entity;
    if (entity.name === undefined && (!device.isDescribed || device.describe !== undefined)) {
      this.#describe(device, message.nowMs, effects);
    }
    if (entity.name === undefined) return;
    const sink = this.#sink(entity, message.topic, effects);
    for (const input of this.#plans.planOf(entity)?.inputs ?? []) {
      if (input.topic === message.topic) this.#tried(message.topic, effects, () => input.receive(message, sink));
    }
  }

  /** Runs what may fail on a foreign message; a failure is counted and has no other effect. */
  #tried<T>(topic: string, effects: MappingEffect[], work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#reject('template-failed', topic, error.message, effects);
      return undefined;
    }
  }

  #sink(entity: Entity, topic: string, effects: MappingEffect[]): StateSink {
    return {
      value: (role, value) => this.#emitValue(entity, role, value, effects),
      event: (role, data) => {
        const event = affordanceName(entity.name ?? '', role);
        effects.push({ kind: 'event', key: entity.device.key, event, data });
      },
      misfit: (detail) => this.#reject('state-misfit', topic, detail, effects),
      later: (slot, role, atMs, value) => {
        let timer = entity.timers?.find((one) => one.slot === slot && one.role === role);
        if (timer === undefined) {
          if (atMs === undefined) return;
          timer = new ValueTimer(entity, slot, role);
          entity.timers = [...(entity.timers ?? []), timer];
        }
        timer.value = value;
        this.#deadlines.schedule(timer, atMs);
      },
    };
  }

  #emitValue(entity: Entity, role: string, value: JsonValue | undefined, effects: MappingEffect[]): void {
    if (entity.name === undefined) return;
    effects.push({ kind: 'value', key: entity.device.key, property: affordanceName(entity.name, role), value });
  }

  // Commands

  #find<T extends { readonly role: string }>(
    key: string,
    name: string,
    what: string,
    of: (plan: EntityPlan) => readonly T[],
  ): { entity: Entity; item: T } {
    const device = this.#registry.device(key);
    if (device === undefined)
      throw new PipevineError('not-found', `expected a known device, came ${quoted(key)}: it may have been removed`);
    for (const entity of device.entities) {
      if (entity.name === undefined || (name !== entity.name && !name.startsWith(`${entity.name}_`))) continue;
      const role = name.slice(entity.name.length + 1);
      const plan = this.#plans.planOf(entity);
      const item = plan === undefined ? undefined : of(plan).find((one) => one.role === role);
      if (item !== undefined) return { entity, item };
    }
    throw new PipevineError(
      'not-found',
      `expected ${what === 'action' ? 'an action' : 'a property'} of the device, came ${quoted(name)}: see its description`,
    );
  }

  #command(entity: Entity, command: Command): MappedCommand {
    const optimistic: MappingEffect[] = [];
    for (const [role, value] of command.optimistic) this.#emitValue(entity, role, value, optimistic);
    return { publishes: command.publishes, optimistic };
  }
}

/** Calls a timer off; the queue drops it when its time comes. */
function forget(timer: DeviceTimer | undefined): void {
  if (timer !== undefined) timer.atMs = undefined;
}

function refuseMisfit(schema: Schema, value: JsonValue, what: string): void {
  const wrong = misfit(schema, value);
  if (wrong !== undefined) throw new PipevineError('invalid-argument', `${what}: ${wrong}`);
}
