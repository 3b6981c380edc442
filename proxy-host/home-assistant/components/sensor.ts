import { formatMoment } from '../../template/moment-format.ts';
import { parseMoment } from '../../template/time-filters.ts';
import type { Schema } from '../entity-plan.ts';
import { type PlanBuilder, settle } from '../plan-builder.ts';
import {
  choiceReading,
  type Decode,
  filledTextReading,
  IGNORED,
  MISFIT,
  numberReading,
  onOffReading,
  PAYLOAD_NONE,
} from '../reading.ts';

const NOT_NUMERIC: ReadonlySet<string> = new Set(['date', 'timestamp', 'enum', 'uptime']);

/** A point in time as RFC 3339; without a zone it is taken as UTC. */
export const dateTimeReading: Decode = (text) => {
  if (text === '') return IGNORED;
  if (text === PAYLOAD_NONE) return undefined;
  const moment = parseMoment(text);
  if (moment === undefined) return MISFIT;
  return formatMoment(moment, 'T') + (moment.offsetMinutes === undefined ? '+00:00' : '');
};

export const dateReading: Decode = (text) => {
  if (text === '') return IGNORED;
  if (text === PAYLOAD_NONE) return undefined;
  const moment = parseMoment(text);
  return moment === undefined ? MISFIT : formatMoment(moment, 'T').slice(0, 10);
};

function sensorKind(builder: PlanBuilder): { schema: Schema; decode: Decode } {
  const { reader } = builder;
  const options = reader.texts('options');
  if (options !== undefined && options.length > 0) {
    return { schema: { type: 'string', enum: options }, decode: filledTextReading };
  }
  const deviceClass = reader.text('device_class');
  const unit = reader.text('unit_of_measurement');
  if (deviceClass === 'timestamp' || deviceClass === 'uptime') {
    return { schema: { type: 'string', format: 'date-time' }, decode: dateTimeReading };
  }
  if (deviceClass === 'date') return { schema: { type: 'string', format: 'date' }, decode: dateReading };
  const numeric =
    unit !== undefined || reader.has('state_class') || (deviceClass !== undefined && !NOT_NUMERIC.has(deviceClass));
  if (!numeric) return { schema: { type: 'string' }, decode: filledTextReading };
  return { schema: unit === undefined ? { type: 'number' } : { type: 'number', unit }, decode: numberReading };
}

export function planSensor(builder: PlanBuilder): void {
  const { reader } = builder;
  const { schema, decode } = sensorKind(builder);
  const expireMs = reader.durationMs('expire_after');
  reader.requireTopic('state_topic', 'state');
  builder.property('', '', schema);
  builder.hear('state_topic', ['value_template'], (text, sink, message) => {
    const reading = decode(text);
    if (reading === IGNORED) return;
    settle(sink, '', schema, reading, text);
    if (expireMs !== undefined) sink.later('expire', '', message.nowMs + expireMs, undefined);
  });
}

export function planBinarySensor(builder: PlanBuilder): void {
  const { reader } = builder;
  const schema: Schema = { type: 'boolean' };
  const decode = onOffReading(reader.textOr('payload_on', 'ON'), reader.textOr('payload_off', 'OFF'));
  const expireMs = reader.durationMs('expire_after');
  const offDelayMs = reader.durationMs('off_delay');
  reader.requireTopic('state_topic', 'state');
  builder.property('', '', schema);
  builder.hear('state_topic', ['value_template'], (text, sink, message) => {
    const reading = decode(text);
    if (reading === IGNORED) return;
    settle(sink, '', schema, reading, text);
    if (expireMs !== undefined) sink.later('expire', '', message.nowMs + expireMs, undefined);
    if (offDelayMs !== undefined) {
      sink.later('off', '', reading === true ? message.nowMs + offDelayMs : undefined, false);
    }
  });
}

/** Home, away, or the name of a zone; and the position that the attributes carry. */
export function planDeviceTracker(builder: PlanBuilder): void {
  const { reader } = builder;
  const schema: Schema = { type: 'string' };
  const reset = reader.textOr('payload_reset', PAYLOAD_NONE);
  const decode = choiceReading([
    [reader.textOr('payload_home', 'home'), 'home'],
    [reader.textOr('payload_not_home', 'not_home'), 'not_home'],
  ]);
  if (!reader.has('json_attributes_topic')) reader.requireTopic('state_topic', 'state');
  const heard = builder.state('', schema, 'state_topic', ['value_template'], (text) => {
    if (text === reset) return undefined;
    const reading = decode(text);
    return reading === MISFIT ? text : reading;
  });
  if (heard) builder.property('', '', schema);
}
