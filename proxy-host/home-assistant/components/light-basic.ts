import { type JsonValue, PipevineError } from '@pipevine/runtime';
import type { TemplateEnvironment } from '../../template/template.ts';
import type { TemplateValue } from '../../template/value.ts';
import type { Command, Schema } from '../entity-plan.ts';
import { asObject, memberOf } from '../message.ts';
import type { PlanBuilder, Send, Write } from '../plan-builder.ts';
import { type Decode, filledTextReading, listReading, numberReading, onOffReading } from '../reading.ts';
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

const CHANNEL_NAMES: Readonly<Record<ColorModel, readonly string[]>> = {
  rgb: ['red', 'green', 'blue'],
  rgbw: ['red', 'green', 'blue', 'white'],
  rgbww: ['red', 'green', 'blue', 'cold_white', 'warm_white'],
  hs: ['hue', 'sat'],
  xy: ['x', 'y'],
};

function clampedReading(schema: Schema): Decode {
  return (text) => {
    const reading = numberReading(text);
    return typeof reading === 'number' ? clamped(schema, reading) : reading;
  };
}

/** The schema with a topic for each thing: on/off, brightness, colour temperature, each colour model, effect, white. */
export function planBasicLight(builder: PlanBuilder): void {
  const { reader } = builder;
  const on = reader.textOr('payload_on', 'ON');
  const off = reader.textOr('payload_off', 'OFF');
  const onCommand = reader.oneOf('on_command_type', ['first', 'last', 'brightness'], 'last');
  const send = builder.requireSender('command_topic');
  const optimistic = builder.isOptimistic('state_topic');
  const facets = new Map<string, { schema: Schema; write: Write }>();

  const addFacet = (
    role: string,
    label: string,
    schema: Schema,
    prefix: string,
    decode: Decode,
    encode: (value: JsonValue, sender: Send, environment: TemplateEnvironment) => ReturnType<Send>,
  ): void => {
    const sender = builder.sender(`${prefix}_command_topic`, `${prefix}_command_template`);
    const heard = builder.state(role, schema, `${prefix}_state_topic`, [`${prefix}_value_template`], decode);
    if (sender === undefined) {
      if (heard) builder.property(role, label, schema);
      return;
    }
    const holds = builder.isOptimistic(`${prefix}_state_topic`);
    const write: Write = (value, environment) => ({
      publishes: [encode(value, sender, environment)],
      optimistic: holds ? [[role, value]] : [],
    });
    facets.set(role, { schema, write });
    builder.property(role, label, schema, write);
  };
  // JSON values are template values.
  const direct = (value: JsonValue, sender: Send, environment: TemplateEnvironment): ReturnType<Send> =>
    sender(value as TemplateValue, environment);

  builder.state('', BOOLEAN, 'state_topic', ['state_value_template', 'value_template'], onOffReading(on, off));
  const brightness = brightnessSchema(builder);
  const sendBrightness = builder.sender('brightness_command_topic', 'brightness_command_template');
  const onOff: Write = (value, environment) => {
    const full = onCommand === 'brightness' && value === true ? sendBrightness : undefined;
    return {
      publishes: [
        full === undefined
          ? send(value === true ? on : off, environment)
          : full(brightness.maximum ?? 255, environment),
      ],
      optimistic: optimistic ? [['', value]] : [],
    };
  };
  builder.property('', '', BOOLEAN, onOff);
  addFacet('brightness', 'brightness', brightness, 'brightness', clampedReading(brightness), direct);
  const temperature = colorTempSchema(builder);
  addFacet('color_temp', 'colour temperature', temperature, 'color_temp', clampedReading(temperature), direct);
  for (const model of COLOR_MODELS) {
    const schema: Schema = COLOR_SCHEMAS[model];
    addFacet(
      model,
      COLOR_LABELS[model],
      schema,
      model,
      listReading(schema.minItems ?? 0),
      (value, sender, environment) => {
        // The schema allows lists of numbers only.
        const numbers = value as readonly number[];
        const more = CHANNEL_NAMES[model].map((name, index): [string, TemplateValue] => [name, numbers[index] ?? 0]);
        return sender(numbers.join(','), environment, more);
      },
    );
  }
  addFacet('effect', 'effect', effectSchema(builder), 'effect', filledTextReading, direct);
  const white = builder.sender('white_command_topic');
  if (white !== undefined) {
    const scale = Math.max(1, Math.round(reader.positive('white_scale') ?? 255));
    const schema: Schema = { type: 'integer', minimum: 0, maximum: scale };
    const write: Write = (value, environment) => ({
      publishes: [direct(value, white, environment)],
      optimistic: [['white', value]],
    });
    facets.set('white', { schema, write });
    builder.property('white', 'white', schema, write);
  }
  const mode: Schema = { type: 'string' };
  if (builder.state('color_mode', mode, 'color_mode_state_topic', ['color_mode_value_template'], filledTextReading)) {
    builder.property('color_mode', 'colour mode', mode);
  }
  addLightActions(builder, facets, onOff, onCommand);
}

/** `turn_on` takes any of the light's facets; where the device wants it, "on" goes first. */
function addLightActions(
  builder: PlanBuilder,
  facets: ReadonlyMap<string, { schema: Schema; write: Write }>,
  onOff: Write,
  onCommand: 'first' | 'last' | 'brightness',
): void {
  const properties = Object.fromEntries([...facets].map(([role, { schema }]) => [role, schema]));
  const init = facets.size === 0 ? {} : { input: { type: 'object', properties } as const };
  builder.action('turn_on', 'turn on', init, (input, environment) => {
    const given = asObject(input) ?? {};
    const commands: Command[] = [];
    for (const [role, { write }] of facets) {
      const value = memberOf(given, role);
      if (value !== undefined) commands.push(write(value, environment));
    }
    const hasBrightness = memberOf(given, 'brightness') !== undefined;
    const turnOn = onCommand === 'brightness' && hasBrightness ? [] : [onOff(true, environment)];
    const ordered = onCommand === 'first' ? [...turnOn, ...commands] : [...commands, ...turnOn];
    return joined(ordered);
  });
  builder.action('turn_off', 'turn off', {}, (_input, environment) => onOff(false, environment));
}

export function joined(commands: readonly Command[]): Command {
  if (commands.length === 0) throw new PipevineError('internal', 'expected a command to send, came none');
  return {
    publishes: commands.flatMap((command) => command.publishes),
    optimistic: commands.flatMap((command) => command.optimistic),
  };
}
