import type { Schema } from '../entity-plan.ts';
import { type PlanBuilder, plain } from '../plan-builder.ts';
import {
  choiceReading,
  type Decode,
  filledTextReading,
  IGNORED,
  MISFIT,
  numberReading,
  PAYLOAD_NONE,
  resettable,
  textReading,
} from '../reading.ts';
import { ConfigFault } from '../rejection.ts';
import { patternSchema } from '../schema-check.ts';
import { rangeSchema } from './climate.ts';
import { dateReading, dateTimeReading } from './sensor.ts';

/** A value that the device keeps and others may set: one state topic and one command topic. */
function planSetting(builder: PlanBuilder, schema: Schema, decode: Decode): void {
  const send = builder.requireSender('command_topic', 'command_template');
  builder.state('', schema, 'state_topic', ['value_template'], decode);
  builder.property('', '', schema, builder.write('', send, builder.isOptimistic('state_topic'), plain));
}

export function planNumber(builder: PlanBuilder): void {
  const { reader } = builder;
  const range = rangeSchema(reader.numberOr('min', 1), reader.numberOr('max', 100), reader.positive('step') ?? 1);
  const unit = reader.text('unit_of_measurement');
  const schema: Schema = unit === undefined ? range : { ...range, unit };
  planSetting(builder, schema, resettable(reader, 'payload_reset', numberReading));
}

export function planSelect(builder: PlanBuilder): void {
  const options = builder.reader.texts('options');
  if (options === undefined || options.length === 0) {
    throw new ConfigFault('invalid-value', 'options: expected a list of at least one option');
  }
  const decode = choiceReading(options.map((option): [string, string] => [option, option]));
  planSetting(builder, { type: 'string', enum: options }, decode);
}

/** Home Assistant's own bound on a state. */
const MAX_TEXT_LENGTH = 255;

export function planText(builder: PlanBuilder): void {
  const { reader } = builder;
  const minLength = reader.numberOr('min', 0);
  const maxLength = reader.numberOr('max', MAX_TEXT_LENGTH);
  const pattern = reader.text('pattern');
  if (!Number.isInteger(minLength) || !Number.isInteger(maxLength) || minLength < 0 || maxLength < minLength) {
    throw new ConfigFault('invalid-value', 'min, max: expected lengths of which the first is not the larger');
  }
  const schema: Schema = { type: 'string', minLength, maxLength, ...patternSchema(pattern) };
  planSetting(builder, schema, textReading);
}

export function planDate(builder: PlanBuilder): void {
  planSetting(builder, { type: 'string', format: 'date' }, dateReading);
}

export function planDateTime(builder: PlanBuilder): void {
  planSetting(builder, { type: 'string', format: 'date-time' }, dateTimeReading);
}

const timeReading: Decode = (text) => {
  if (text === '') return IGNORED;
  if (text === PAYLOAD_NONE) return undefined;
  const parts = /(?:^|[T ])(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?:Z|[-+]\d{2}:?\d{2})?$/.exec(text.trim());
  if (parts === null) return MISFIT;
  return `${(parts[1] ?? '').padStart(2, '0')}:${parts[2]}:${parts[3] ?? '00'}`;
};

export function planTime(builder: PlanBuilder): void {
  planSetting(builder, { type: 'string', format: 'time' }, timeReading);
}

/** What is shown of a component that nobody here knows: its state as text, and a text to send. */
export function planUnknown(builder: PlanBuilder): void {
  const schema: Schema = { type: 'string' };
  const heard = builder.state('', schema, 'state_topic', ['value_template'], filledTextReading);
  const send = builder.sender('command_topic', 'command_template');
  if (!heard && send === undefined) {
    throw new ConfigFault('invalid-value', 'expected "state_topic" or "command_topic" in a component of unknown kind');
  }
  const write = send === undefined ? undefined : builder.write('', send, builder.isOptimistic('state_topic'), plain);
  builder.property('', '', schema, write);
}
