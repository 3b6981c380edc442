import type { JsonValue } from '@pipevine/runtime';
import type { TemplateEnvironment } from '../../template/template.ts';
import type { Command, Schema, StateSink } from '../entity-plan.ts';
import { asObject, type JsonObject, memberOf } from '../message.ts';
import { type PlanBuilder, settle } from '../plan-builder.ts';
import { MISFIT } from '../reading.ts';
import {
  brightnessSchema,
  COLOR_LABELS,
  COLOR_MODELS,
  COLOR_SCHEMAS,
  type ColorModel,
  clamped,
  colorTempSchema,
  effectSchema,
} from './light-schemas.ts';
import { BOOLEAN } from './switch.ts';

/** Members of `color` in a message, in the order of the property's list. */
const COLOR_MEMBERS: Readonly<Record<ColorModel, readonly string[]>> = {
  rgb: ['r', 'g', 'b'],
  rgbw: ['r', 'g', 'b', 'w'],
  rgbww: ['r', 'g', 'b', 'c', 'w'],
  hs: ['h', 's'],
  xy: ['x', 'y'],
};

/** The schema with one JSON message for all. A message tells and sets only the members that it has. */
export function planJsonLight(builder: PlanBuilder): void {
  const { reader } = builder;
  const modes = reader.texts('supported_color_modes') ?? [];
  const has = (mode: string): boolean => modes.includes(mode) || (modes.length === 0 && reader.flag(mode, false));
  const send = builder.requireSender('command_topic');
  const optimistic = builder.isOptimistic('state_topic');
  const facets = new Map<string, { label: string; schema: Schema }>();
  if (reader.flag('brightness', false) || modes.some((mode) => mode !== 'onoff')) {
    facets.set('brightness', { label: 'brightness', schema: brightnessSchema(builder) });
  }
  if (has('color_temp')) facets.set('color_temp', { label: 'colour temperature', schema: colorTempSchema(builder) });
  for (const model of COLOR_MODELS) {
    if (has(model)) facets.set(model, { label: COLOR_LABELS[model], schema: COLOR_SCHEMAS[model] });
  }
  if (modes.includes('white')) {
    const scale = Math.max(1, Math.round(reader.positive('white_scale') ?? 255));
    facets.set('white', { label: 'white', schema: { type: 'integer', minimum: 0, maximum: scale } });
  }
  if (reader.flag('effect', false) || reader.has('effect_list')) {
    facets.set('effect', { label: 'effect', schema: effectSchema(builder) });
  }

  const command = (given: JsonObject, environment: TemplateEnvironment): Command => {
    const message: { [key: string]: JsonValue } = { state: 'ON' };
    for (const [role, value] of Object.entries(given)) putMember(message, role, value);
    const held = Object.entries(given).filter(([role]) => facets.has(role));
    return {
      publishes: [send(JSON.stringify(message), environment)],
      optimistic: optimistic ? [['', true], ...held] : [],
    };
  };
  const turnOff = (given: JsonObject, environment: TemplateEnvironment): Command => ({
    publishes: [send(JSON.stringify({ state: 'OFF', ...given }), environment)],
    optimistic: optimistic ? [['', false]] : [],
  });

  builder.property('', '', BOOLEAN, (value, environment) =>
    value === true ? command({}, environment) : turnOff({}, environment),
  );
  for (const [role, { label, schema }] of facets) {
    builder.property(role, label, schema, (value, environment) => command({ [role]: value }, environment));
  }
  const schemas = new Map([...facets].map(([role, { schema }]) => [role, schema]));
  builder.hear('state_topic', ['state_value_template', 'value_template'], (text, sink, message) => {
    const object = asObject(reader.has('value_template') ? undefined : message.json) ?? parsed(text);
    if (object !== undefined) readState(object, schemas, sink);
    else if (text !== '') settle(sink, '', BOOLEAN, MISFIT, text);
  });
  const transition: Schema = { type: 'number', minimum: 0, unit: 's' };
  const flash: Schema = { type: 'integer', minimum: 0, unit: 's' };
  const properties = { ...Object.fromEntries(schemas), transition, flash };
  builder.action('turn_on', 'turn on', { input: { type: 'object', properties } }, (input, environment) =>
    command(asObject(input) ?? {}, environment),
  );
  builder.action(
    'turn_off',
    'turn off',
    { input: { type: 'object', properties: { transition } } },
    (input, environment) => turnOff(asObject(input) ?? {}, environment),
  );
}

function parsed(text: string): JsonObject | undefined {
  try {
    // JSON.parse gives nothing but JSON values.
    return asObject(JSON.parse(text) as JsonValue);
  } catch {
    return undefined;
  }
}

function isColorModel(role: string): role is ColorModel {
  return Object.hasOwn(COLOR_MEMBERS, role);
}

function putMember(message: { [key: string]: JsonValue }, role: string, value: JsonValue): void {
  if (!isColorModel(role) || !Array.isArray(value)) {
    message[role] = value;
    return;
  }
  // Array.isArray narrows a JsonValue to any[]: its items are JSON values.
  const items = value as readonly JsonValue[];
  message.color = Object.fromEntries(COLOR_MEMBERS[role].map((name, index) => [name, items[index] ?? 0]));
}

function readState(object: JsonObject, schemas: ReadonlyMap<string, Schema>, sink: StateSink): void {
  const state = memberOf(object, 'state');
  if (state !== undefined) {
    const reading = state === 'ON' ? true : state === 'OFF' ? false : state === null ? undefined : MISFIT;
    settle(sink, '', BOOLEAN, reading, String(state));
  }
  const color = asObject(memberOf(object, 'color'));
  for (const [role, schema] of schemas) {
    if (isColorModel(role)) {
      const values = color === undefined ? [] : COLOR_MEMBERS[role].map((name) => memberOf(color, name));
      const numbers = values.filter((value): value is number => typeof value === 'number');
      if (values.length > 0 && numbers.length === values.length) settle(sink, role, schema, numbers, 'a colour');
      continue;
    }
    const value = memberOf(object, role);
    if (value === undefined) continue;
    const reading = typeof value === 'number' ? clamped(schema, value) : (value ?? undefined);
    settle(sink, role, schema, reading, String(value));
  }
}
