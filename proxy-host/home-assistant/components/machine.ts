import type { JsonValue } from '@pipevine/runtime';
import type { Schema } from '../entity-plan.ts';
import { asObject, memberOf, parseJson } from '../message.ts';
import { enumSchema, type PlanBuilder, plain, settle } from '../plan-builder.ts';
import { choiceReading, MISFIT } from '../reading.ts';

const VACUUM_STATE: Schema = {
  type: 'string',
  enum: ['cleaning', 'docked', 'paused', 'idle', 'returning', 'error'],
};

/** Feature of a vacuum, the configuration's key for its payload, and the usual payload. */
const VACUUM_ACTIONS = [
  ['start', 'start', 'start'],
  ['pause', 'pause', 'pause'],
  ['stop', 'stop', 'stop'],
  ['return_home', 'return_to_base', 'return_to_base'],
  ['clean_spot', 'clean_spot', 'clean_spot'],
  ['locate', 'locate', 'locate'],
] as const;

export function planVacuum(builder: PlanBuilder): void {
  const { reader } = builder;
  const features = reader.texts('supported_features') ?? ['start', 'stop', 'return_home', 'battery', 'clean_spot'];
  const speeds = enumSchema(reader.texts('fan_speed_list'));
  const battery: Schema = { type: 'number', minimum: 0, maximum: 100, unit: '%' };
  const setSpeed = features.includes('fan_speed') ? builder.sender('set_fan_speed_topic') : undefined;
  const hasSpeed = features.includes('fan_speed');
  const hasBattery = features.includes('battery') && reader.has('state_topic');
  builder.property('', '', VACUUM_STATE);
  if (hasSpeed) {
    const write = setSpeed === undefined ? undefined : builder.write('fan_speed', setSpeed, false, plain);
    builder.property('fan_speed', 'fan speed', speeds, write);
  }
  if (hasBattery) builder.property('battery_level', 'battery', battery);
  builder.hear('state_topic', ['value_template'], (text, sink) => {
    if (text === '') return;
    const object = asObject(parseJson(text));
    if (object === undefined) return settle(sink, '', VACUUM_STATE, MISFIT, text);
    const tell = (role: string, member: string, schema: Schema): void => {
      const value = memberOf(object, member);
      if (value !== undefined) settle(sink, role, schema, value ?? undefined, String(value));
    };
    tell('', 'state', VACUUM_STATE);
    if (hasSpeed) tell('fan_speed', 'fan_speed', speeds);
    if (hasBattery) tell('battery_level', 'battery_level', battery);
  });
  const send = builder.sender('command_topic');
  if (send !== undefined) {
    for (const [feature, key, usual] of VACUUM_ACTIONS) {
      if (!features.includes(feature)) continue;
      builder.press(key, key.replaceAll('_', ' '), send, reader.textOr(`payload_${key}`, usual));
    }
  }
  const sendCommand = features.includes('send_command') ? builder.sender('send_command_topic') : undefined;
  if (sendCommand === undefined) return;
  const input: Schema = {
    type: 'object',
    properties: { command: { type: 'string', minLength: 1 }, params: { type: 'object' } },
    required: ['command'],
  };
  builder.action('send_command', 'send command', { input }, (given, environment) => {
    const object = asObject(given) ?? {};
    const command: JsonValue = memberOf(object, 'command') ?? '';
    const params = asObject(memberOf(object, 'params'));
    const payload = params === undefined ? String(command) : JSON.stringify({ ...params, command });
    return { publishes: [sendCommand(payload, environment)], optimistic: [] };
  });
}

const MOWER_ACTIVITY: Schema = { type: 'string', enum: ['error', 'paused', 'mowing', 'docked', 'returning'] };

const MOWER_ACTIONS = [
  ['start_mowing', 'mowing'],
  ['pause', 'paused'],
  ['dock', 'docked'],
] as const;

export function planLawnMower(builder: PlanBuilder): void {
  const decode = choiceReading((MOWER_ACTIVITY.enum ?? []).map((state): [string, JsonValue] => [String(state), state]));
  builder.property('', '', MOWER_ACTIVITY);
  builder.state('', MOWER_ACTIVITY, 'activity_state_topic', ['activity_value_template'], (text) =>
    text.toLowerCase() === 'none' ? undefined : decode(text),
  );
  const optimistic = builder.isOptimistic('activity_state_topic');
  for (const [role, activity] of MOWER_ACTIONS) {
    const send = builder.sender(`${role}_command_topic`, `${role}_command_template`);
    if (send !== undefined) {
      builder.press(role, role.replaceAll('_', ' '), send, role, optimistic ? [['', activity]] : []);
    }
  }
}
