import type { JsonValue } from '@pipevine/runtime';
import { pythonScalar } from '../template/python-format.ts';
import type { Template } from '../template/template.ts';
import { type ConfigReader, compileTemplate } from './config-reader.ts';
import type { Message } from './message.ts';
import { asObject } from './message.ts';
import { ConfigFault } from './rejection.ts';
import type { TemplateCache } from './template-cache.ts';
import { checkTopic } from './topic-rules.ts';

/** One topic that tells whether something is there. */
export interface AvailabilitySourceConfig {
  readonly topic: string;
  readonly template: string | undefined;
  readonly available: string;
  readonly notAvailable: string;
}

export type AvailabilityMode = 'all' | 'any' | 'latest';

export interface AvailabilityConfig {
  readonly mode: AvailabilityMode;
  readonly sources: readonly AvailabilitySourceConfig[];
}

const MAX_SOURCES = 16;

function text(item: { readonly [key: string]: JsonValue }, key: string): string | undefined {
  const value = Object.hasOwn(item, key) ? (item[key] ?? null) : null;
  if (value === null) return undefined;
  if (typeof value === 'object') throw new ConfigFault('invalid-value', `availability ${key}: expected a string`);
  return typeof value === 'string' ? value : pythonScalar(value);
}

/** The availability of an entity: `availability` or else `availability_topic`. Undefined where it has none. */
export function readAvailability(
  reader: ConfigReader,
  prefix: string,
  templates: TemplateCache,
): AvailabilityConfig | undefined {
  const list = reader.config.get('availability');
  const mode = reader.oneOf<AvailabilityMode>('availability_mode', ['all', 'any', 'latest'], 'latest');
  if (Array.isArray(list) && list.length > 0) {
    if (list.length > MAX_SOURCES) {
      throw new ConfigFault(
        'invalid-value',
        `availability: expected at most ${MAX_SOURCES} topics, came ${list.length}`,
      );
    }
    const sources = list.map((one: JsonValue): AvailabilitySourceConfig => {
      const item = asObject(one) ?? {};
      const template = text(item, 'value_template');
      if (template !== undefined) compileTemplate(templates, template, 'availability value_template');
      return {
        topic: checkTopic(text(item, 'topic') ?? '', 'state', 'availability topic', prefix),
        template,
        available: text(item, 'payload_available') ?? 'online',
        notAvailable: text(item, 'payload_not_available') ?? 'offline',
      };
    });
    return { mode, sources };
  }
  const topic = reader.topic('availability_topic', 'state');
  if (topic === undefined) return undefined;
  reader.template('availability_template');
  const source = {
    topic,
    template: reader.text('availability_template'),
    available: reader.textOr('payload_available', 'online'),
    notAvailable: reader.textOr('payload_not_available', 'offline'),
  };
  return { mode: 'latest', sources: [source] };
}

/** A topic with its payloads, shared by all rules that name it: often thousands of devices name their gateway's. */
export interface AvailabilitySource {
  readonly key: string;
  readonly config: AvailabilitySourceConfig;
  readonly rules: Set<AvailabilityRule>;
  isUp: boolean | undefined;
}

/** Sources and how they combine, shared by all entities that say the same. */
export interface AvailabilityRule {
  readonly key: string;
  readonly mode: AvailabilityMode;
  readonly sources: readonly AvailabilitySource[];
  /** Entities that follow this rule. */
  users: number;
  /** Undefined until it is known. */
  isUp: boolean | undefined;
}

/** What a rule's sources come to. `changed` is the source whose message just came: it decides where the latest does. */
export function combined(rule: AvailabilityRule, changed: AvailabilitySource): boolean | undefined {
  if (rule.mode === 'latest') return changed.isUp;
  const wanted = rule.mode === 'any';
  if (rule.sources.some((source) => source.isUp === wanted)) return wanted;
  return rule.sources.every((source) => source.isUp !== undefined) ? !wanted : undefined;
}

/** Whether the message says up or down; undefined where it says neither. Throws PipevineError from the template. */
export function readSource(
  source: AvailabilitySource,
  template: Template | undefined,
  message: Message,
): boolean | undefined {
  const payload = template === undefined ? message.text : template.render(message, message.environment);
  if (payload === source.config.available) return true;
  return payload === source.config.notAvailable ? false : undefined;
}
