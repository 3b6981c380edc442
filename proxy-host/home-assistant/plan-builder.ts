import { type JsonValue, PipevineError } from '@pipevine/runtime';
import { pythonScalar } from '../template/python-format.ts';
import type { Template, TemplateEnvironment } from '../template/template.ts';
import type { TemplateValue } from '../template/value.ts';
import type { ConfigReader } from './config-reader.ts';
import type {
  ActionInit,
  ActionPlan,
  Command,
  EventInit,
  EventPlan,
  InputPlan,
  PropertyInit,
  PropertyPlan,
  Publish,
  Schema,
  StateSink,
} from './entity-plan.ts';
import type { Message } from './message.ts';
import { type Decode, IGNORED, MISFIT, type Reading } from './reading.ts';
import { quoted } from './rejection.ts';
import { misfit } from './schema-check.ts';

/** Sends a value to a command topic, its template applied. `more` are further variables of the template. */
export type Send = (
  value: TemplateValue,
  environment: TemplateEnvironment,
  more?: readonly (readonly [string, TemplateValue])[],
) => Publish;

export type Write = (value: JsonValue, environment: TemplateEnvironment) => Command;

const MAX_COMMAND_LENGTH = 65_536;

export function payloadText(value: TemplateValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return pythonScalar(value);
  return JSON.stringify(value);
}

/** Collects what an entity can do. One for each reading of a configuration; its methods throw ConfigFault. */
export class PlanBuilder {
  readonly reader: ConfigReader;
  readonly properties: PropertyPlan[] = [];
  readonly actions: ActionPlan[] = [];
  readonly events: EventPlan[] = [];
  readonly inputs: InputPlan[] = [];
  readonly #qos: 0 | 1 | 2;
  readonly #retain: boolean;
  readonly #types: readonly string[];
  readonly #category: string | undefined;

  constructor(component: string, reader: ConfigReader) {
    this.reader = reader;
    this.#qos = reader.qos;
    this.#retain = reader.flag('retain', false);
    const deviceClass = reader.text('device_class');
    this.#types = deviceClass === undefined ? [component] : [component, deviceClass];
    const category = reader.text('entity_category');
    this.#category = category === 'config' || category === 'diagnostic' ? category : undefined;
  }

  /** `@type` and category of an affordance. Only the entity's own (`role` '') is of its device class. */
  #tags(role: string): { '@type': string[]; 'pipevine:category'?: string } {
    const types = (role === '' ? this.#types : this.#types.slice(0, 1)).map((type) => `pipevine:${type}`);
    return this.#category === undefined ? { '@type': types } : { '@type': types, 'pipevine:category': this.#category };
  }

  property(role: string, label: string, schema: Schema, write?: Write): void {
    const init: PropertyInit = {
      ...this.#tags(role),
      ...schema,
      observable: true,
      readOnly: write === undefined,
    };
    this.properties.push({ role, label, init, write });
  }

  action(role: string, label: string, init: ActionInit, invoke: ActionPlan['invoke']): void {
    this.actions.push({ role, label, init: { ...this.#tags(role), ...init }, invoke });
  }

  event(role: string, label: string, init: EventInit): void {
    this.events.push({ role, label, init: { ...this.#tags(role), ...init } });
  }

  input(topic: string, receive: InputPlan['receive']): void {
    this.inputs.push({ topic, receive });
  }

  /** Hears `topicKey`, if the configuration has it, and gives its payload with the template applied. */
  hear(
    topicKey: string,
    templateKeys: readonly string[],
    receive: (text: string, sink: StateSink, message: Message) => void,
  ): boolean {
    const topic = this.reader.topic(topicKey, 'state');
    const template = this.reader.template(...templateKeys);
    if (topic === undefined) return false;
    this.input(topic, (message, sink) => receive(rendered(template, message), sink, message));
    return true;
  }

  /** Hears the property's state at `topicKey`. Whether it has one. */
  state(role: string, schema: Schema, topicKey: string, templateKeys: readonly string[], decode: Decode): boolean {
    return this.hear(topicKey, templateKeys, (text, sink) => settle(sink, role, schema, decode(text), text));
  }

  /** How values go to `topicKey`; undefined where the configuration has none. */
  sender(topicKey: string, ...templateKeys: readonly string[]): Send | undefined {
    const topic = this.reader.topic(topicKey, 'command');
    const template = this.reader.template(...templateKeys);
    return topic === undefined ? undefined : this.#send(topic, template);
  }

  requireSender(topicKey: string, ...templateKeys: readonly string[]): Send {
    return this.#send(this.reader.requireTopic(topicKey, 'command'), this.reader.template(...templateKeys));
  }

  #send(topic: string, template: Template | undefined): Send {
    return (value, environment, more = []) => {
      const variables = new Map<string, TemplateValue>([['value', value], ...more]);
      const payload = template === undefined ? payloadText(value) : template.render(variables, environment);
      if (payload.length > MAX_COMMAND_LENGTH) {
        throw new PipevineError(
          'too-large',
          `expected a command of at most ${MAX_COMMAND_LENGTH} characters: shorten it`,
        );
      }
      return { topic, payload, qos: this.#qos, retain: this.#retain };
    };
  }

  /** Whether a write holds without the device's word: it is said so, or there is no topic to hear it on. */
  isOptimistic(...stateTopicKeys: readonly string[]): boolean {
    return this.reader.flag('optimistic', false) || !stateTopicKeys.some((key) => this.reader.has(key));
  }

  /** A write that sends `encode(value)`, and holds at once where it is optimistic. */
  write(role: string, send: Send, optimistic: boolean, encode: (value: JsonValue) => TemplateValue): Write {
    return (value, environment) => ({
      publishes: [send(encode(value), environment)],
      optimistic: optimistic ? [[role, value]] : [],
    });
  }

  /** An action without input that sends one payload. */
  press(
    role: string,
    label: string,
    send: Send,
    payload: TemplateValue,
    optimistic: Command['optimistic'] = [],
    more: readonly (readonly [string, TemplateValue])[] = [],
  ): void {
    this.action(role, label, {}, (_input, environment) => ({
      publishes: [send(payload, environment, more)],
      optimistic,
    }));
  }

  /** A property that one topic tells and another sets, either of which may be missing. */
  facet(facet: {
    readonly role: string;
    readonly label: string;
    readonly schema: Schema;
    readonly stateTopic: string;
    readonly stateTemplates: readonly string[];
    readonly commandTopic?: string;
    readonly commandTemplates?: readonly string[];
    readonly decode: Decode;
    readonly encode?: (value: JsonValue) => TemplateValue;
  }): void {
    const heard = this.state(facet.role, facet.schema, facet.stateTopic, facet.stateTemplates, facet.decode);
    const send =
      facet.commandTopic === undefined ? undefined : this.sender(facet.commandTopic, ...(facet.commandTemplates ?? []));
    if (!heard && send === undefined) return;
    const encode = facet.encode ?? plain;
    const optimistic = this.isOptimistic(facet.stateTopic);
    this.property(
      facet.role,
      facet.label,
      facet.schema,
      send === undefined ? undefined : this.write(facet.role, send, optimistic, encode),
    );
  }
}

/** JSON values are template values. */
export function plain(value: JsonValue): TemplateValue {
  return value as TemplateValue;
}

export function rendered(template: Template | undefined, message: Message): string {
  return template === undefined ? message.text : template.render(message, message.environment);
}

/** Gives a reading to the sink, unless it does not fit the property: then it is counted and the value unknown. */
export function settle(sink: StateSink, role: string, schema: Schema, reading: Reading, text: string): void {
  if (reading === IGNORED) return;
  if (reading === undefined) {
    sink.value(role, undefined);
    return;
  }
  const wrong =
    reading === MISFIT
      ? `expected a state that the property can have, came ${quoted(text)}`
      : misfit(schema, reading, true);
  if (wrong === undefined && reading !== MISFIT) {
    sink.value(role, reading);
    return;
  }
  sink.value(role, undefined);
  sink.misfit(wrong ?? '');
}

export function integerSchema(minimum: number, maximum: number): Schema {
  return { type: 'integer', minimum, maximum };
}

/** A text that is one of a list, or any text where the list is missing. */
export function enumSchema(values: readonly string[] | undefined): Schema {
  return values === undefined || values.length === 0 ? { type: 'string' } : { type: 'string', enum: values };
}

export const PERCENT: Schema = { type: 'integer', minimum: 0, maximum: 100, unit: '%' };
