import { type JsonValue, PipevineError } from '@pipevine/runtime';
import { pythonScalar } from '../template/python-format.ts';
import type { Template } from '../template/template.ts';
import type { Config } from './discovery-config.ts';
import { ConfigFault, quoted } from './rejection.ts';
import type { TemplateCache } from './template-cache.ts';
import { checkTopic } from './topic-rules.ts';

const MAX_TEXT = 4_096;
const MAX_LIST = 512;

function describe(value: JsonValue): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** Typed access to an entity's configuration. A null counts as absent. Every method throws ConfigFault. */
export class ConfigReader {
  readonly config: Config;
  readonly #prefix: string;
  readonly #templates: TemplateCache;

  constructor(config: Config, prefix: string, templates: TemplateCache) {
    this.config = config;
    this.#prefix = prefix;
    this.#templates = templates;
  }

  has(key: string): boolean {
    return (this.config.get(key) ?? null) !== null;
  }

  /** Present, though it may be null: how a device says that it has no such payload or name. */
  isNull(key: string): boolean {
    return this.config.get(key) === null;
  }

  #refuse(key: string, expected: string): never {
    throw new ConfigFault(
      'invalid-value',
      `${key}: expected ${expected}, came ${describe(this.config.get(key) ?? null)}`,
    );
  }

  /** A text. Numbers and booleans count as Python prints them: `true` as `True`. */
  text(key: string): string | undefined {
    const value = this.config.get(key) ?? null;
    if (value === null) return undefined;
    if (typeof value === 'object') return this.#refuse(key, 'a string');
    const text = typeof value === 'string' ? value : pythonScalar(value);
    return text.length > MAX_TEXT ? this.#refuse(key, `at most ${MAX_TEXT} characters`) : text;
  }

  textOr(key: string, fallback: string): string {
    return this.text(key) ?? fallback;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], fallback: T): T {
    const text = this.text(key);
    if (text === undefined) return fallback;
    return allowed.find((one) => one === text) ?? this.#refuse(key, `one of ${allowed.join(', ')}`);
  }

  number(key: string): number | undefined {
    const value = this.config.get(key) ?? null;
    if (value === null) return undefined;
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : this.#refuse(key, 'a number');
  }

  numberOr(key: string, fallback: number): number {
    return this.number(key) ?? fallback;
  }

  /** A number above zero. */
  positive(key: string): number | undefined {
    const number = this.number(key);
    return number === undefined || number > 0 ? number : this.#refuse(key, 'a number above 0');
  }

  /** Seconds, as whole milliseconds. At most ten years, so that a deadline stays a safe integer. */
  durationMs(key: string): number | undefined {
    const seconds = this.number(key);
    if (seconds === undefined || seconds === 0) return undefined;
    return seconds > 0 && seconds <= 315_360_000 ? Math.ceil(seconds * 1000) : this.#refuse(key, 'a number of seconds');
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.config.get(key) ?? null;
    if (value === null) return fallback;
    if (typeof value === 'boolean') return value;
    const text = String(value).toLowerCase();
    if (['true', 'yes', 'on', 'enable', '1'].includes(text)) return true;
    return ['false', 'no', 'off', 'disable', '0'].includes(text) ? false : this.#refuse(key, 'true or false');
  }

  /** A list of texts, each once; one text counts as a list of one. */
  texts(key: string): readonly string[] | undefined {
    const value = this.config.get(key) ?? null;
    if (value === null) return undefined;
    const items: readonly JsonValue[] = Array.isArray(value) ? value : [value];
    if (items.length > MAX_LIST) return this.#refuse(key, `at most ${MAX_LIST} items`);
    const texts = items.map((item) => {
      if (typeof item === 'object' && item !== null) return this.#refuse(key, 'a list of strings');
      const text = typeof item === 'string' ? item : pythonScalar(item);
      return text.length > MAX_TEXT ? this.#refuse(key, `items of at most ${MAX_TEXT} characters`) : text;
    });
    return [...new Set(texts)];
  }

  topic(key: string, use: 'state' | 'command'): string | undefined {
    const value = this.config.get(key) ?? null;
    if (value === null) return undefined;
    if (typeof value !== 'string')
      throw new ConfigFault('invalid-topic', `${key}: expected a string, came ${describe(value)}`);
    return checkTopic(value, use, key, this.#prefix);
  }

  requireTopic(key: string, use: 'state' | 'command'): string {
    return this.topic(key, use) ?? this.#refuse(key, 'a topic');
  }

  /** The template at the first of `keys` that has one. */
  template(...keys: readonly string[]): Template | undefined {
    for (const key of keys) {
      const source = this.config.get(key) ?? null;
      if (source === null) continue;
      if (typeof source !== 'string') return this.#refuse(key, 'a template');
      return compileTemplate(this.#templates, source, key);
    }
    return undefined;
  }

  get qos(): 0 | 1 | 2 {
    const qos = this.numberOr('qos', 0);
    return qos === 0 || qos === 1 || qos === 2 ? qos : this.#refuse('qos', '0, 1 or 2');
  }
}

export function compileTemplate(templates: TemplateCache, source: string, key: string): Template {
  try {
    return templates.compile(source);
  } catch (error) {
    if (!(error instanceof PipevineError)) throw error;
    throw new ConfigFault('invalid-template', `${key}: ${error.message}`);
  }
}
