import {
  type AvailabilityConfig,
  type AvailabilityRule,
  type AvailabilitySource,
  type AvailabilitySourceConfig,
  combined,
} from './availability.ts';
import type { Device } from './mapped-device.ts';

function sourceKey(source: AvailabilitySourceConfig): string {
  return JSON.stringify([source.topic, source.template ?? null, source.available, source.notAvailable]);
}

function ruleKey(config: AvailabilityConfig): string {
  return `${config.mode} ${config.sources.map(sourceKey).join(' ')}`;
}

/**
 * Availability rules and their sources, each once however many entities share it: when a gateway that ten thousand
 * devices name goes down, its message is read once.
 */
export class AvailabilityRegistry {
  readonly #sources = new Map<string, AvailabilitySource>();
  readonly #rules = new Map<string, AvailabilityRule>();
  readonly #devices = new Map<AvailabilityRule, Map<Device, number>>();

  /** The rule of a device, and those of its sources that nobody named before. */
  acquire(
    config: AvailabilityConfig,
    device: Device,
  ): { rule: AvailabilityRule; fresh: readonly AvailabilitySource[] } {
    const key = ruleKey(config);
    const fresh: AvailabilitySource[] = [];
    let rule = this.#rules.get(key);
    if (rule === undefined) {
      const sources = config.sources.map((source) => this.#source(source, fresh));
      rule = { key, mode: config.mode, sources, users: 0, isUp: undefined };
      for (const source of sources) {
        source.rules.add(rule);
        if (source.isUp !== undefined) rule.isUp = combined(rule, source);
      }
      this.#rules.set(key, rule);
    }
    rule.users += 1;
    const devices = this.#devices.get(rule) ?? new Map<Device, number>();
    devices.set(device, (devices.get(device) ?? 0) + 1);
    this.#devices.set(rule, devices);
    return { rule, fresh };
  }

  #source(config: AvailabilitySourceConfig, fresh: AvailabilitySource[]): AvailabilitySource {
    const key = sourceKey(config);
    let source = this.#sources.get(key);
    if (source === undefined) {
      source = { key, config, rules: new Set(), isUp: undefined };
      this.#sources.set(key, source);
      fresh.push(source);
    }
    return source;
  }

  /** Gives a rule back; the sources that nobody names any more. */
  release(rule: AvailabilityRule, device: Device): readonly AvailabilitySource[] {
    rule.users -= 1;
    const devices = this.#devices.get(rule);
    const count = (devices?.get(device) ?? 1) - 1;
    if (count > 0) devices?.set(device, count);
    else devices?.delete(device);
    if (rule.users > 0) return [];
    this.#rules.delete(rule.key);
    this.#devices.delete(rule);
    const unused: AvailabilitySource[] = [];
    for (const source of new Set(rule.sources)) {
      source.rules.delete(rule);
      if (source.rules.size > 0) continue;
      this.#sources.delete(source.key);
      unused.push(source);
    }
    return unused;
  }

  /** Takes what a source's message said; the devices whose rules say something else now. */
  update(source: AvailabilitySource, isUp: boolean): ReadonlySet<Device> {
    source.isUp = isUp;
    const changed = new Set<Device>();
    for (const rule of source.rules) {
      const now = combined(rule, source);
      if (now === undefined || now === rule.isUp) continue;
      rule.isUp = now;
      for (const device of this.#devices.get(rule)?.keys() ?? []) changed.add(device);
    }
    return changed;
  }
}
