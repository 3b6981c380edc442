import type { JsonValue } from '@pipevine/runtime';
import type { TemplateEnvironment } from '../../template/template.ts';
import type { TemplateValue } from '../../template/value.ts';
import type { Command, Schema, StateSink } from '../entity-plan.ts';
import { asObject, memberOf, parseJson } from '../message.ts';
import { type PlanBuilder, settle } from '../plan-builder.ts';
import { onOffReading, PAYLOAD_NONE } from '../reading.ts';

export const BOOLEAN: Schema = { type: 'boolean' };

/** The on/off property of whatever has `payload_on`, `payload_off` and one command topic, with its two actions. */
export function planOnOff(builder: PlanBuilder, stateTemplates: readonly string[], stateKeys = true): void {
  const { reader } = builder;
  const on = reader.textOr('payload_on', 'ON');
  const off = reader.textOr('payload_off', 'OFF');
  const decode = onOffReading(
    stateKeys ? reader.textOr('state_on', on) : on,
    stateKeys ? reader.textOr('state_off', off) : off,
  );
  const send = builder.requireSender('command_topic', 'command_template');
  const optimistic = builder.isOptimistic('state_topic');
  builder.state('', BOOLEAN, 'state_topic', stateTemplates, decode);
  builder.property(
    '',
    '',
    BOOLEAN,
    builder.write('', send, optimistic, (value) => (value === true ? on : off)),
  );
  builder.press('turn_on', 'turn on', send, on, optimistic ? [['', true]] : []);
  builder.press('turn_off', 'turn off', send, off, optimistic ? [['', false]] : []);
}

export function planSwitch(builder: PlanBuilder): void {
  planOnOff(builder, ['value_template', 'state_template']);
}

/** Home Assistant's siren: JSON on both topics unless templates say otherwise. */
export function planSiren(builder: PlanBuilder): void {
  const { reader } = builder;
  const on = reader.textOr('payload_on', 'ON');
  const off = reader.textOr('payload_off', 'OFF');
  const stateOn = reader.textOr('state_on', on);
  const stateOff = reader.textOr('state_off', off);
  const optimistic = builder.isOptimistic('state_topic');
  const sendOn = builder.requireSender('command_topic', 'command_template');
  const sendOff = builder.requireSender('command_topic', 'command_off_template', 'command_template');
  const asJson = !reader.has('command_template');
  const offAsJson = asJson && !reader.has('command_off_template');
  const extras = sirenExtras(builder);
  const onOff = onOffReading(stateOn, stateOff);

  const turnOn = (input: JsonValue | undefined, environment: TemplateEnvironment): Command => {
    const given = Object.entries(asObject(input) ?? {});
    // JSON values are template values.
    const more = [['state', on], ...given] as (readonly [string, TemplateValue])[];
    const value = asJson ? JSON.stringify(Object.fromEntries(more)) : on;
    const optimisticExtras = given.filter(([name]) => extras.has(name));
    return {
      publishes: [sendOn(value, environment, more)],
      optimistic: optimistic ? [['', true], ...optimisticExtras] : [],
    };
  };
  const turnOff = (environment: TemplateEnvironment): Command => ({
    publishes: [sendOff(offAsJson ? JSON.stringify({ state: off }) : off, environment, [['state', off]])],
    optimistic: optimistic ? [['', false]] : [],
  });

  builder.hear('state_topic', ['state_value_template', 'value_template'], (text, sink) => {
    if (text === '' || text === '{}') return;
    const object = [stateOn, stateOff, PAYLOAD_NONE].includes(text) ? { state: text } : asObject(parseJson(text));
    if (object === undefined) {
      settle(sink, '', BOOLEAN, onOff(text), text);
      return;
    }
    const state = memberOf(object, 'state');
    if (state !== undefined)
      settle(sink, '', BOOLEAN, state === null ? undefined : onOff(String(state)), String(state));
    readExtras(object, extras, sink);
  });
  builder.property('', '', BOOLEAN, (value, environment) =>
    value === true ? turnOn(undefined, environment) : turnOff(environment),
  );
  for (const [role, schema] of extras) builder.property(role, role.replace('_', ' '), schema);
  const input: Schema = { type: 'object', properties: Object.fromEntries(extras) };
  builder.action('turn_on', 'turn on', extras.size === 0 ? {} : { input }, turnOn);
  builder.action('turn_off', 'turn off', {}, (_input, environment) => turnOff(environment));
}

function sirenExtras(builder: PlanBuilder): Map<string, Schema> {
  const { reader } = builder;
  const extras = new Map<string, Schema>();
  const tones = reader.texts('available_tones');
  if (tones !== undefined && tones.length > 0) extras.set('tone', { type: 'string', enum: tones });
  if (reader.flag('support_duration', true)) extras.set('duration', { type: 'number', minimum: 0, unit: 's' });
  if (reader.flag('support_volume_set', true)) extras.set('volume_level', { type: 'number', minimum: 0, maximum: 1 });
  return extras;
}

function readExtras(
  object: { readonly [key: string]: JsonValue },
  extras: ReadonlyMap<string, Schema>,
  sink: StateSink,
): void {
  for (const [role, schema] of extras) {
    const value = memberOf(object, role);
    if (value !== undefined) settle(sink, role, schema, value ?? undefined, String(value));
  }
}
