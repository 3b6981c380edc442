import type { JsonValue } from '@pipevine/runtime';
import type { TemplateEnvironment } from '../../template/template.ts';
import type { TemplateValue } from '../../template/value.ts';
import type { Command, Schema } from '../entity-plan.ts';
import { asObject, type JsonObject } from '../message.ts';
import { type PlanBuilder, rendered, settle } from '../plan-builder.ts';
import { choiceReading, type Decode, filledTextReading, integerReading, MISFIT } from '../reading.ts';
import { ConfigFault } from '../rejection.ts';
import { COLOR_LABELS, COLOR_SCHEMAS, clamped, colorTempSchema, effectSchema } from './light-schemas.ts';
import { BOOLEAN } from './switch.ts';

/** The schema whose command is one template, and whose state several templates take apart. */
export function planTemplateLight(builder: PlanBuilder): void {
  const { reader } = builder;
  for (const key of ['command_on_template', 'command_off_template']) {
    if (!reader.has(key)) throw new ConfigFault('invalid-value', `${key}: expected a template, came none`);
  }
  const sendOn = builder.requireSender('command_topic', 'command_on_template');
  const sendOff = builder.requireSender('command_topic', 'command_off_template');
  const optimistic = builder.isOptimistic('state_topic') || !reader.has('state_template');
  const facets = new Map<string, { label: string; schema: Schema; decode: Decode; templateKey: string }>();
  const add = (role: string, label: string, schema: Schema, decode: Decode): void => {
    if (reader.has(`${role}_template`)) facets.set(role, { label, schema, decode, templateKey: `${role}_template` });
  };
  const brightness: Schema = { type: 'integer', minimum: 0, maximum: 255 };
  const temperature = colorTempSchema(builder);
  const within =
    (schema: Schema): Decode =>
    (text) => {
      const reading = integerReading(text);
      return typeof reading === 'number' ? clamped(schema, reading) : reading;
    };
  add('brightness', 'brightness', brightness, within(brightness));
  add('color_temp', 'colour temperature', temperature, within(temperature));
  add('effect', 'effect', effectSchema(builder), filledTextReading);
  const hasColor = ['red_template', 'green_template', 'blue_template'].every((key) => reader.has(key));

  const schemas = new Map<string, Schema>([...facets].map(([role, { schema }]) => [role, schema]));
  if (hasColor) schemas.set('rgb', COLOR_SCHEMAS.rgb);
  const turnOn = (given: JsonObject, environment: TemplateEnvironment): Command => {
    const variables: [string, TemplateValue][] = [['state', 'on']];
    for (const [role, value] of Object.entries(given)) {
      if (role === 'rgb' && Array.isArray(value)) {
        // The schema allows lists of three numbers only.
        const [red = 0, green = 0, blue = 0] = value as readonly number[];
        variables.push(['red', red], ['green', green], ['blue', blue]);
      } else variables.push([role, value as TemplateValue]);
    }
    const held = Object.entries(given).filter(([role]) => schemas.has(role));
    return { publishes: [sendOn('on', environment, variables)], optimistic: optimistic ? [['', true], ...held] : [] };
  };
  const turnOff = (given: JsonObject, environment: TemplateEnvironment): Command => {
    // JSON values are template values.
    const variables = [['state', 'off'], ...Object.entries(given)] as [string, TemplateValue][];
    return { publishes: [sendOff('off', environment, variables)], optimistic: optimistic ? [['', false]] : [] };
  };

  builder.property('', '', BOOLEAN, (value, environment) =>
    value === true ? turnOn({}, environment) : turnOff({}, environment),
  );
  for (const [role, { label, schema }] of facets) {
    builder.property(role, label, schema, (value, environment) => turnOn({ [role]: value }, environment));
  }
  if (hasColor) {
    builder.property('rgb', COLOR_LABELS.rgb, COLOR_SCHEMAS.rgb, (value, environment) =>
      turnOn({ rgb: value }, environment),
    );
  }
  if (reader.has('state_template')) {
    builder.state(
      '',
      BOOLEAN,
      'state_topic',
      ['state_template'],
      choiceReading([
        ['on', true],
        ['off', false],
      ]),
    );
  }
  for (const [role, { schema, decode, templateKey }] of facets) {
    builder.state(role, schema, 'state_topic', [templateKey], decode);
  }
  if (hasColor) hearColor(builder);
  const transition: Schema = { type: 'number', minimum: 0, unit: 's' };
  const properties = {
    ...Object.fromEntries(schemas),
    transition,
    flash: { type: 'string', enum: ['short', 'long'] },
  } as const;
  const given = (input: JsonValue | undefined): JsonObject => asObject(input) ?? {};
  builder.action('turn_on', 'turn on', { input: { type: 'object', properties } }, (input, environment) =>
    turnOn(given(input), environment),
  );
  builder.action(
    'turn_off',
    'turn off',
    { input: { type: 'object', properties: { transition } } },
    (input, environment) => turnOff(given(input), environment),
  );
}

function hearColor(builder: PlanBuilder): void {
  const { reader } = builder;
  const topic = reader.topic('state_topic', 'state');
  const templates = ['red_template', 'green_template', 'blue_template'].map((key) => reader.template(key));
  if (topic === undefined) return;
  builder.input(topic, (message, sink) => {
    const values = templates.map((template) => integerReading(rendered(template, message)));
    const numbers = values.filter((value): value is number => typeof value === 'number');
    if (numbers.length === 3) settle(sink, 'rgb', COLOR_SCHEMAS.rgb, numbers, 'a colour');
    else if (values.includes(MISFIT)) settle(sink, 'rgb', COLOR_SCHEMAS.rgb, MISFIT, 'a colour');
  });
}
