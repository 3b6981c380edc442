import type { Schema } from '../entity-plan.ts';
import { enumSchema, PERCENT, type PlanBuilder } from '../plan-builder.ts';
import { choiceReading, filledTextReading, numberReading, onOffReading, resettable } from '../reading.ts';
import { ConfigFault } from '../rejection.ts';
import { BOOLEAN, planOnOff } from './switch.ts';

export function planFan(builder: PlanBuilder): void {
  const { reader } = builder;
  planOnOff(builder, ['state_value_template', 'value_template'], false);
  const low = reader.numberOr('speed_range_min', 1) - 1;
  const high = reader.numberOr('speed_range_max', 100);
  if (low < 0 || high <= low + 1) {
    throw new ConfigFault('invalid-value', 'speed_range: expected a minimum of at least 1 below the maximum');
  }
  builder.facet({
    role: 'percentage',
    label: 'speed',
    schema: PERCENT,
    stateTopic: 'percentage_state_topic',
    stateTemplates: ['percentage_value_template'],
    commandTopic: 'percentage_command_topic',
    commandTemplates: ['percentage_command_template'],
    decode: resettable(reader, 'payload_reset_percentage', (text) => {
      const reading = numberReading(text);
      // Rounded down, as the fan's speeds are steps of which 0 is off.
      return typeof reading === 'number' ? Math.floor(((reading - low) * 100) / (high - low)) : reading;
    }),
    encode: (percent) => Math.ceil(low + ((high - low) * Number(percent)) / 100),
  });
  const modes = reader.texts('preset_modes');
  builder.facet({
    role: 'preset_mode',
    label: 'preset mode',
    schema: enumSchema(modes),
    stateTopic: 'preset_mode_state_topic',
    stateTemplates: ['preset_mode_value_template'],
    commandTopic: 'preset_mode_command_topic',
    commandTemplates: ['preset_mode_command_template'],
    decode: resettable(reader, 'payload_reset_preset_mode', filledTextReading),
  });
  const oscillating = reader.textOr('payload_oscillation_on', 'oscillate_on');
  const still = reader.textOr('payload_oscillation_off', 'oscillate_off');
  builder.facet({
    role: 'oscillation',
    label: 'oscillation',
    schema: BOOLEAN,
    stateTopic: 'oscillation_state_topic',
    stateTemplates: ['oscillation_value_template'],
    commandTopic: 'oscillation_command_topic',
    commandTemplates: ['oscillation_command_template'],
    decode: onOffReading(oscillating, still),
    encode: (value) => (value === true ? oscillating : still),
  });
  const forward = reader.textOr('payload_direction_forward', 'forward');
  const reverse = reader.textOr('payload_direction_reverse', 'reverse');
  const direction: Schema = { type: 'string', enum: ['forward', 'reverse'] };
  builder.facet({
    role: 'direction',
    label: 'direction',
    schema: direction,
    stateTopic: 'direction_state_topic',
    stateTemplates: ['direction_value_template'],
    commandTopic: 'direction_command_topic',
    commandTemplates: ['direction_command_template'],
    decode: choiceReading([
      [forward, 'forward'],
      [reverse, 'reverse'],
    ]),
    encode: (value) => (value === 'forward' ? forward : reverse),
  });
}
