/** Any value that JSON can carry: what properties, action inputs and outputs, and events hold. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** W3C WoT Thing Description 1.1, section 5.3.2.1: the members that Pipevine reads. Others are carried as they are. */
export interface DataSchema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';
  readonly unit?: string;
  readonly const?: JsonValue;
  readonly default?: JsonValue;
  readonly enum?: readonly JsonValue[];
  readonly oneOf?: readonly DataSchema[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly contentEncoding?: string;
  readonly contentMediaType?: string;
  readonly items?: DataSchema | readonly DataSchema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: { readonly [name: string]: DataSchema };
  readonly required?: readonly string[];
  readonly readOnly?: boolean;
  readonly writeOnly?: boolean;
}

/** TD 1.1, section 5.3.4.2. */
export interface Form {
  readonly href: string;
  readonly contentType?: string;
  readonly op?: string | readonly string[];
  readonly subprotocol?: string;
}

interface InteractionAffordance {
  readonly '@type'?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly forms: readonly Form[];
}

/** TD 1.1, section 5.3.1.3. */
export interface PropertyAffordance extends InteractionAffordance, DataSchema {
  readonly title?: string;
  readonly description?: string;
  readonly observable?: boolean;
}

/** TD 1.1, section 5.3.1.4. */
export interface ActionAffordance extends InteractionAffordance {
  readonly input?: DataSchema;
  readonly output?: DataSchema;
  readonly safe?: boolean;
  readonly idempotent?: boolean;
  readonly synchronous?: boolean;
}

/** TD 1.1, section 5.3.1.5. */
export interface EventAffordance extends InteractionAffordance {
  readonly data?: DataSchema;
}

/** TD 1.1, section 5.3.1.1. */
export interface ThingDescription {
  readonly '@context': string | readonly JsonValue[];
  readonly '@type'?: string | readonly string[];
  readonly id: string;
  readonly title: string;
  readonly description?: string;
  /** What relative references in forms are relative to. */
  readonly base?: string;
  readonly version?: { readonly instance: string; readonly model?: string };
  readonly properties?: { readonly [name: string]: PropertyAffordance };
  readonly actions?: { readonly [name: string]: ActionAffordance };
  readonly events?: { readonly [name: string]: EventAffordance };
  readonly links?: readonly { readonly href: string; readonly rel?: string }[];
  readonly security: string | readonly string[];
  readonly securityDefinitions: { readonly [name: string]: { readonly scheme: string } };
}

/** An affordance as somebody who exposes a thing writes it: the forms are the runtime's to fill in. */
export type WithoutForms<T> = Omit<T, 'forms'>;

/** What `expose` takes: a Thing Description less all that the runtime fills in (context, id, security, forms). */
export interface ThingInit {
  readonly title: string;
  readonly '@type'?: string | readonly string[];
  readonly description?: string;
  readonly version?: { readonly instance: string; readonly model?: string };
  readonly properties?: { readonly [name: string]: WithoutForms<PropertyAffordance> };
  readonly actions?: { readonly [name: string]: WithoutForms<ActionAffordance> };
  readonly events?: { readonly [name: string]: WithoutForms<EventAffordance> };
  readonly links?: readonly { readonly href: string; readonly rel?: string }[];
}
