import type { JsonValue } from '@pipevine/runtime';
import type { TemplateScope } from '../template/interpreter.ts';
import type { TemplateEnvironment } from '../template/template.ts';
import type { TemplateValue } from '../template/value.ts';

/** An MQTT message. Text and JSON are made once, when first asked for, for all entities that listen to its topic. */
export class Message implements TemplateScope {
  readonly topic: string;
  readonly bytes: Uint8Array;
  /** Delivered because the broker kept it, not because it was just sent. */
  readonly retained: boolean;
  readonly environment: TemplateEnvironment;
  #text: string | undefined;
  #json: JsonValue | undefined;
  #jsonTried = false;

  constructor(topic: string, bytes: Uint8Array, retained: boolean, environment: TemplateEnvironment) {
    this.topic = topic;
    this.bytes = bytes;
    this.retained = retained;
    this.environment = environment;
  }

  get nowMs(): number {
    return this.environment.nowMs;
  }

  /** The payload as UTF-8; bytes that are none become U+FFFD. */
  get text(): string {
    this.#text ??= new TextDecoder().decode(this.bytes);
    return this.#text;
  }

  get json(): JsonValue | undefined {
    if (!this.#jsonTried) {
      this.#jsonTried = true;
      this.#json = parseJson(this.text);
    }
    return this.#json;
  }

  /** The variables of a value template. */
  get(name: string): TemplateValue | undefined {
    if (name === 'value') return this.text;
    // JSON values are template values; null is Python's None.
    return name === 'value_json' ? (this.json as TemplateValue | undefined) : undefined;
  }
}

export function parseJson(text: string): JsonValue | undefined {
  try {
    // JSON.parse gives nothing but JSON values.
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

export type JsonObject = { readonly [key: string]: JsonValue };

export function asObject(value: JsonValue | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** An own member: never one that objects inherit. */
export function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
