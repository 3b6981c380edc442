import type {
  ActionAffordance,
  DataSchema,
  EventAffordance,
  JsonValue,
  PropertyAffordance,
  WithoutForms,
} from '@pipevine/runtime';
import type { TemplateEnvironment } from '../template/template.ts';
import type { AvailabilityConfig } from './availability.ts';
import type { Message } from './message.ts';

export type Schema = DataSchema;

export interface PropertyInit extends WithoutForms<PropertyAffordance> {
  readonly 'pipevine:category'?: string;
}

export interface ActionInit extends WithoutForms<ActionAffordance> {
  readonly 'pipevine:category'?: string;
}

export interface EventInit extends WithoutForms<EventAffordance> {
  readonly 'pipevine:category'?: string;
}

/** An MQTT message to send. */
export interface Publish {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** What a command comes to: messages, and values of roles that hold from now on without the device's word. */
export interface Command {
  readonly publishes: readonly Publish[];
  readonly optimistic: readonly (readonly [role: string, value: JsonValue])[];
}

/** Where an input puts what it read. A role names a property or event of the entity; '' is the entity's own. */
export interface StateSink {
  value(role: string, value: JsonValue | undefined): void;
  event(role: string, data: JsonValue | undefined): void;
  misfit(detail: string): void;
  /** Sets the role to `value` at `atMs`, unless called again with the same slot before; undefined calls it off. */
  later(slot: 'expire' | 'off', role: string, atMs: number | undefined, value: JsonValue | undefined): void;
}

export interface PropertyPlan {
  readonly role: string;
  readonly label: string;
  readonly init: PropertyInit;
  /** The value has been checked against the schema. Throws PipevineError. */
  readonly write: ((value: JsonValue, environment: TemplateEnvironment) => Command) | undefined;
}

export interface ActionPlan {
  readonly role: string;
  readonly label: string;
  readonly init: ActionInit;
  /** The input has been checked against the schema. Throws PipevineError. */
  readonly invoke: (input: JsonValue | undefined, environment: TemplateEnvironment) => Command;
}

export interface EventPlan {
  readonly role: string;
  readonly label: string;
  readonly init: EventInit;
}

export interface InputPlan {
  readonly topic: string;
  /** Throws PipevineError where a template fails. */
  readonly receive: (message: Message, sink: StateSink) => void;
}

/** All that can be done with one entity, made from its configuration and dropped again when memory is short. */
export interface EntityPlan {
  readonly component: string;
  readonly isKnown: boolean;
  /** `unique_id` within its component, or else the config topic: what nobody else may claim. */
  readonly identity: string;
  readonly title: string | undefined;
  /** What the names of its affordances begin with, unless another entity of the device has the same. */
  readonly base: string;
  readonly qos: 0 | 1 | 2;
  readonly properties: readonly PropertyPlan[];
  readonly actions: readonly ActionPlan[];
  readonly events: readonly EventPlan[];
  readonly inputs: readonly InputPlan[];
  readonly availability: AvailabilityConfig | undefined;
  /** The device that it belongs to, as this entity describes it. */
  readonly device: {
    readonly key: string;
    readonly name: string | undefined;
    readonly description: string | undefined;
    readonly via: string | undefined;
  };
}
