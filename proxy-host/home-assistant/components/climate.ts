import type { Schema } from '../entity-plan.ts';
import { enumSchema, type PlanBuilder } from '../plan-builder.ts';
import { filledTextReading, numberReading, onOffReading, resettable } from '../reading.ts';
import { ConfigFault } from '../rejection.ts';
import { BOOLEAN, planOnOff } from './switch.ts';

const HVAC_MODES = ['auto', 'off', 'cool', 'heat', 'dry', 'fan_only'];
const HVAC_ACTIONS = ['off', 'preheating', 'heating', 'cooling', 'drying', 'idle', 'fan', 'defrosting'];
const HUMIDIFIER_ACTIONS = ['off', 'humidifying', 'drying', 'idle'];
const WATER_HEATER_MODES = ['eco', 'electric', 'gas', 'heat_pump', 'high_demand', 'performance', 'off'];

/** A range from the configuration, with the step where every value between lies on it. */
export function rangeSchema(
  minimum: number | undefined,
  maximum: number | undefined,
  step: number | undefined,
): Schema {
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    throw new ConfigFault('invalid-value', `expected a minimum up to the maximum, came ${minimum} and ${maximum}`);
  }
  const steps = step === undefined || minimum === undefined ? undefined : minimum / step;
  const onStep = steps !== undefined && Math.abs(steps - Math.round(steps)) < 1e-6;
  return {
    type: 'number',
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(onStep && step !== undefined ? { multipleOf: step } : {}),
  };
}

function temperatureUnit(builder: PlanBuilder): { unit?: string } {
  const unit = builder.reader.text('temperature_unit');
  return unit === undefined ? {} : { unit: unit.toUpperCase() === 'F' ? '°F' : '°C' };
}

/** A mode that one topic tells and another sets. */
function modeFacet(
  builder: PlanBuilder,
  role: string,
  label: string,
  modes: readonly string[] | undefined,
  templateSuffix = 'state_template',
): void {
  builder.facet({
    role,
    label,
    schema: enumSchema(modes),
    stateTopic: `${role}_state_topic`,
    stateTemplates: [`${role}_${templateSuffix}`, 'value_template'],
    commandTopic: `${role}_command_topic`,
    commandTemplates: [`${role}_command_template`],
    decode: filledTextReading,
  });
}

function measured(builder: PlanBuilder, role: string, label: string, schema: Schema): void {
  builder.facet({
    role,
    label,
    schema,
    stateTopic: `${role}_topic`,
    stateTemplates: [`${role}_template`, 'value_template'],
    decode: numberReading,
  });
}

function target(builder: PlanBuilder, role: string, label: string, schema: Schema): void {
  builder.facet({
    role,
    label,
    schema,
    stateTopic: `${role}_state_topic`,
    stateTemplates: [`${role}_state_template`, 'value_template'],
    commandTopic: `${role}_command_topic`,
    commandTemplates: [`${role}_command_template`],
    decode: numberReading,
  });
}

function planAction(builder: PlanBuilder, actions: readonly string[]): void {
  builder.facet({
    role: 'action',
    label: 'action',
    schema: enumSchema(actions),
    stateTopic: 'action_topic',
    stateTemplates: ['action_template', 'value_template'],
    decode: filledTextReading,
  });
}

function planPower(builder: PlanBuilder): void {
  const { reader } = builder;
  const on = reader.textOr('payload_on', 'ON');
  const off = reader.textOr('payload_off', 'OFF');
  builder.facet({
    role: 'power',
    label: 'power',
    schema: BOOLEAN,
    stateTopic: 'power_state_topic',
    stateTemplates: ['power_state_template', 'value_template'],
    commandTopic: 'power_command_topic',
    commandTemplates: ['power_command_template'],
    decode: onOffReading(on, off),
    encode: (value) => (value === true ? on : off),
  });
  const send = builder.sender('power_command_topic', 'power_command_template');
  if (send === undefined) return;
  const held = builder.isOptimistic('power_state_topic');
  builder.press('turn_on', 'turn on', send, on, held ? [['power', true]] : []);
  builder.press('turn_off', 'turn off', send, off, held ? [['power', false]] : []);
}

/** Refuses an entity of which nothing can be heard or set. */
function requireFacet(builder: PlanBuilder): void {
  if (builder.properties.length === 0) {
    throw new ConfigFault('invalid-value', 'expected at least one state or command topic, came none');
  }
}

export function planClimate(builder: PlanBuilder): void {
  const { reader } = builder;
  const range = rangeSchema(reader.number('min_temp'), reader.number('max_temp'), reader.positive('temp_step'));
  const temperature: Schema = { ...range, ...temperatureUnit(builder) };
  modeFacet(builder, 'mode', 'mode', reader.texts('modes') ?? HVAC_MODES);
  target(builder, 'temperature', 'target temperature', temperature);
  target(builder, 'temperature_high', 'upper target temperature', temperature);
  target(builder, 'temperature_low', 'lower target temperature', temperature);
  measured(builder, 'current_temperature', 'temperature', { type: 'number', ...temperatureUnit(builder) });
  const humidity = rangeSchema(reader.numberOr('min_humidity', 30), reader.numberOr('max_humidity', 99), undefined);
  target(builder, 'target_humidity', 'target humidity', { ...humidity, unit: '%' });
  measured(builder, 'current_humidity', 'humidity', { type: 'number', unit: '%' });
  modeFacet(builder, 'fan_mode', 'fan mode', reader.texts('fan_modes') ?? ['auto', 'low', 'medium', 'high']);
  modeFacet(builder, 'swing_mode', 'swing mode', reader.texts('swing_modes') ?? ['on', 'off']);
  modeFacet(
    builder,
    'swing_horizontal_mode',
    'horizontal swing mode',
    reader.texts('swing_horizontal_modes') ?? ['on', 'off'],
  );
  const presets = reader.texts('preset_modes');
  modeFacet(
    builder,
    'preset_mode',
    'preset mode',
    presets === undefined ? undefined : [...new Set(['none', ...presets])],
    'value_template',
  );
  planAction(builder, HVAC_ACTIONS);
  planPower(builder);
  requireFacet(builder);
}

export function planWaterHeater(builder: PlanBuilder): void {
  const { reader } = builder;
  const temperature: Schema = {
    ...rangeSchema(reader.number('min_temp'), reader.number('max_temp'), undefined),
    ...temperatureUnit(builder),
  };
  modeFacet(builder, 'mode', 'mode', reader.texts('modes') ?? WATER_HEATER_MODES);
  target(builder, 'temperature', 'target temperature', temperature);
  measured(builder, 'current_temperature', 'temperature', { type: 'number', ...temperatureUnit(builder) });
  planPower(builder);
  requireFacet(builder);
}

export function planHumidifier(builder: PlanBuilder): void {
  const { reader } = builder;
  planOnOff(builder, ['state_value_template', 'value_template'], false);
  const humidity = rangeSchema(reader.numberOr('min_humidity', 0), reader.numberOr('max_humidity', 100), undefined);
  builder.facet({
    role: 'target_humidity',
    label: 'target humidity',
    schema: { ...humidity, unit: '%' },
    stateTopic: 'target_humidity_state_topic',
    stateTemplates: ['target_humidity_state_template'],
    commandTopic: 'target_humidity_command_topic',
    commandTemplates: ['target_humidity_command_template'],
    decode: resettable(reader, 'payload_reset_humidity', numberReading),
  });
  builder.facet({
    role: 'mode',
    label: 'mode',
    schema: enumSchema(reader.texts('modes')),
    stateTopic: 'mode_state_topic',
    stateTemplates: ['mode_state_template'],
    commandTopic: 'mode_command_topic',
    commandTemplates: ['mode_command_template'],
    decode: resettable(reader, 'payload_reset_mode', filledTextReading),
  });
  builder.facet({
    role: 'current_humidity',
    label: 'humidity',
    schema: { type: 'number', unit: '%' },
    stateTopic: 'current_humidity_topic',
    stateTemplates: ['current_humidity_template'],
    decode: numberReading,
  });
  builder.facet({
    role: 'action',
    label: 'action',
    schema: enumSchema(HUMIDIFIER_ACTIONS),
    stateTopic: 'action_topic',
    stateTemplates: ['action_template'],
    decode: filledTextReading,
  });
}
