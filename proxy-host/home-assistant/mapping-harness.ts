import type { JsonValue } from '@pipevine/runtime';
import type { DeviceDescription } from '../connector.ts';
import { HomeAssistantMapping, type HomeAssistantMappingInit } from './home-assistant-mapping.ts';
import type { MappingEffect } from './mapping-effect.ts';

/** For tests: a mapping with a clock of its own, and what a proxy host would know after its effects. */
export class MappingHarness {
  readonly mapping: HomeAssistantMapping;
  readonly devices = new Map<string, DeviceDescription>();
  readonly availability = new Map<string, string>();
  readonly values = new Map<string, JsonValue | undefined>();
  readonly events: { event: string; data: JsonValue | undefined }[] = [];
  readonly rejected: { reason: string; topic: string; detail: string }[] = [];
  readonly unknown: string[] = [];
  readonly subscribed = new Set<string>();
  descriptions = 0;
  nowMs = 1_000_000;

  constructor(init: HomeAssistantMappingInit = {}) {
    this.mapping = new HomeAssistantMapping({ settleMs: 0, ...init });
  }

  send(topic: string, payload: JsonValue | Uint8Array, options: { retained?: boolean } = {}): readonly MappingEffect[] {
    const bytes =
      payload instanceof Uint8Array
        ? payload
        : new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload));
    return this.take(this.mapping.apply(topic, bytes, this.nowMs, options));
  }

  sleep(ms: number): readonly MappingEffect[] {
    this.nowMs += ms;
    return this.take(this.mapping.advance(this.nowMs));
  }

  write(property: string, value: JsonValue, key = this.onlyKey): readonly { topic: string; payload: string }[] {
    const { publishes, optimistic } = this.mapping.write(key, property, value, this.nowMs);
    this.take(optimistic);
    return publishes.map(({ topic, payload }) => ({ topic, payload }));
  }

  invoke(action: string, input?: JsonValue, key = this.onlyKey): readonly { topic: string; payload: string }[] {
    const { publishes, optimistic } = this.mapping.invoke(key, action, input, this.nowMs);
    this.take(optimistic);
    return publishes.map(({ topic, payload }) => ({ topic, payload }));
  }

  get onlyKey(): string {
    const [key = 'none'] = this.devices.keys();
    return key;
  }

  get only(): DeviceDescription {
    const [device] = this.devices.values();
    if (device === undefined) throw new Error(`no device: ${JSON.stringify(this.rejected)}`);
    return device;
  }

  value(property: string): JsonValue | undefined {
    return this.values.get(property);
  }

  take(effects: readonly MappingEffect[]): readonly MappingEffect[] {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'device':
          this.devices.set(effect.device.key, effect.device);
          this.descriptions += 1;
          break;
        case 'device-removed':
          this.devices.delete(effect.key);
          break;
        case 'value':
          if (!Object.hasOwn(this.devices.get(effect.key)?.thing.properties ?? {}, effect.property)) {
            throw new Error(`a value of ${effect.property}, which ${effect.key} does not have`);
          }
          this.values.set(effect.property, effect.value);
          break;
        case 'event':
          if (!Object.hasOwn(this.devices.get(effect.key)?.thing.events ?? {}, effect.event)) {
            throw new Error(`an event ${effect.event}, which ${effect.key} does not have`);
          }
          this.events.push({ event: effect.event, data: effect.data });
          break;
        case 'availability':
          this.availability.set(effect.key, effect.availability);
          break;
        case 'rejected':
          this.rejected.push(effect);
          break;
        case 'unknown-component':
          this.unknown.push(effect.component);
          break;
        case 'subscribe':
          for (const { topic } of effect.subscriptions) this.subscribed.add(topic);
          break;
        default:
          for (const topic of effect.topics) this.subscribed.delete(topic);
      }
    }
    return effects;
  }
}
