import { type JsonValue, PipevineError } from '@pipevine/runtime';
import type { Schema } from '../entity-plan.ts';
import { asObject, memberOf } from '../message.ts';
import type { PlanBuilder } from '../plan-builder.ts';
import { choiceReading, resettable } from '../reading.ts';
import { patternSchema } from '../schema-check.ts';

function codeOf(input: JsonValue | undefined): string | null {
  const code = memberOf(asObject(input) ?? {}, 'code');
  return typeof code === 'string' ? code : null;
}

const LOCK_STATE: Schema = {
  type: 'string',
  enum: ['locked', 'unlocked', 'locking', 'unlocking', 'jammed', 'open', 'opening'],
};

export function planLock(builder: PlanBuilder): void {
  const { reader } = builder;
  const send = builder.requireSender('command_topic', 'command_template');
  const optimistic = builder.isOptimistic('state_topic');
  const decode = choiceReading([
    [reader.textOr('state_locked', 'LOCKED'), 'locked'],
    [reader.textOr('state_unlocked', 'UNLOCKED'), 'unlocked'],
    [reader.textOr('state_locking', 'LOCKING'), 'locking'],
    [reader.textOr('state_unlocking', 'UNLOCKING'), 'unlocking'],
    [reader.textOr('state_jammed', 'JAMMED'), 'jammed'],
    [reader.textOr('state_open', 'OPEN'), 'open'],
    [reader.textOr('state_opening', 'OPENING'), 'opening'],
  ]);
  builder.property('', '', LOCK_STATE);
  builder.state('', LOCK_STATE, 'state_topic', ['value_template'], resettable(reader, 'payload_reset', decode));
  const codeFormat = reader.text('code_format');
  const input: Schema = {
    type: 'object',
    properties: { code: { type: 'string', ...patternSchema(codeFormat) } },
    ...(codeFormat === undefined ? {} : { required: ['code'] }),
  };
  const add = (role: string, payload: string, state: string): void => {
    builder.action(role, role, { input }, (given, environment) => ({
      publishes: [send(payload, environment, [['code', codeOf(given)]])],
      optimistic: optimistic ? [['', state]] : [],
    }));
  };
  add('lock', reader.textOr('payload_lock', 'LOCK'), 'locked');
  add('unlock', reader.textOr('payload_unlock', 'UNLOCK'), 'unlocked');
  const open = reader.text('payload_open');
  if (open !== undefined) add('open', open, 'open');
}

const ALARM_STATE: Schema = {
  type: 'string',
  enum: [
    'disarmed',
    'armed_home',
    'armed_away',
    'armed_night',
    'armed_vacation',
    'armed_custom_bypass',
    'pending',
    'arming',
    'disarming',
    'triggered',
  ],
};

const ALARM_FEATURES = ['arm_home', 'arm_away', 'arm_night', 'arm_vacation', 'arm_custom_bypass', 'trigger'];

export function planAlarmControlPanel(builder: PlanBuilder): void {
  const { reader } = builder;
  reader.requireTopic('state_topic', 'state');
  const send = builder.requireSender('command_topic', 'command_template');
  const features = reader.texts('supported_features') ?? ALARM_FEATURES;
  const code = reader.text('code');
  const isRemote = code === 'REMOTE_CODE' || code === 'REMOTE_CODE_TEXT';
  const decode = choiceReading((ALARM_STATE.enum ?? []).map((state): [string, JsonValue] => [String(state), state]));
  builder.property('', '', ALARM_STATE);
  builder.state('', ALARM_STATE, 'state_topic', ['value_template'], decode);

  const add = (role: string, requiredKey: string): void => {
    const needsCode = code !== undefined && reader.flag(requiredKey, true);
    const payload = reader.textOr(`payload_${role}`, role.toUpperCase());
    const input: Schema = {
      type: 'object',
      properties: { code: { type: 'string' } },
      ...(needsCode ? { required: ['code'] } : {}),
    };
    builder.action(role, role.replaceAll('_', ' '), { input }, (given, environment) => {
      const entered = codeOf(given);
      if (needsCode && !isRemote && entered !== code) {
        throw new PipevineError(
          'refused',
          `${role}: expected the code of the alarm, came another: enter the right one`,
        );
      }
      const command = send(payload, environment, [
        ['action', payload],
        ['code', entered],
      ]);
      return { publishes: [command], optimistic: [] };
    });
  };
  for (const feature of ALARM_FEATURES) {
    if (!features.includes(feature)) continue;
    add(feature, feature === 'trigger' ? 'code_trigger_required' : 'code_arm_required');
  }
  add('disarm', 'code_disarm_required');
}
