import type { JsonValue } from '@pipevine/runtime';
import { toFloat } from '../../template/number-conversion.ts';
import type { TemplateEnvironment } from '../../template/template.ts';
import type { TemplateValue } from '../../template/value.ts';
import type { Command, Schema, StateSink } from '../entity-plan.ts';
import { asObject, memberOf, parseJson } from '../message.ts';
import { PERCENT, type PlanBuilder, type Send, settle } from '../plan-builder.ts';
import { choiceReading, fromPercent, MISFIT, PAYLOAD_NONE, percentOf } from '../reading.ts';
import { ConfigFault } from '../rejection.ts';

const COVER_STATE: Schema = { type: 'string', enum: ['open', 'opening', 'closed', 'closing', 'stopped'] };

interface Range {
  readonly low: number;
  readonly high: number;
}

function range(builder: PlanBuilder, lowKey: string, highKey: string): Range {
  const low = builder.reader.numberOr(lowKey, 0);
  const high = builder.reader.numberOr(highKey, 100);
  if (low === high) throw new ConfigFault('invalid-value', `${lowKey}, ${highKey}: expected two different numbers`);
  return { low, high };
}

function scalar(value: JsonValue | undefined): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

/** `payload` of an action: absent means the usual one, null that there is no such action. */
function actionPayload(builder: PlanBuilder, key: string, usual: string): string | undefined {
  return builder.reader.isNull(key) ? undefined : builder.reader.textOr(key, usual);
}

export function planCover(builder: PlanBuilder): void {
  const { reader } = builder;
  const position = range(builder, 'position_closed', 'position_open');
  const tilt = range(builder, 'tilt_min', 'tilt_max');
  const optimistic = builder.isOptimistic('state_topic', 'position_topic');
  const hasState = reader.has('state_topic');
  const decode = choiceReading([
    [reader.textOr('state_open', 'open'), 'open'],
    [reader.textOr('state_opening', 'opening'), 'opening'],
    [reader.textOr('state_closed', 'closed'), 'closed'],
    [reader.textOr('state_closing', 'closing'), 'closing'],
    [reader.textOr('state_stopped', 'stopped'), 'stopped'],
  ]);
  builder.property('', '', COVER_STATE);
  builder.state('', COVER_STATE, 'state_topic', ['value_template', 'state_template'], decode);

  const readPosition = (value: JsonValue | undefined, sink: StateSink): void => {
    const text = scalar(value);
    const raw = toFloat(text);
    if (text === PAYLOAD_NONE || value === null) return sink.value('position', undefined);
    if (raw === undefined) return settle(sink, 'position', PERCENT, MISFIT, text);
    const percent = percentOf(raw, position.low, position.high);
    sink.value('position', percent);
    if (!hasState) sink.value('', percent === 0 ? 'closed' : 'open');
  };
  builder.hear('position_topic', ['position_template', 'value_template'], (text, sink) => {
    if (text === '') return;
    const object = asObject(parseJson(text));
    if (object === undefined) return readPosition(text, sink);
    const reported = memberOf(object, 'position');
    if (reported !== undefined) readPosition(reported, sink);
    const reportedTilt = memberOf(object, 'tilt_position');
    if (reportedTilt !== undefined) readTilt(reportedTilt, tilt, sink);
  });
  builder.hear('tilt_status_topic', ['tilt_status_template'], (text, sink) => {
    if (text !== '') readTilt(text, tilt, sink);
  });

  const send = builder.sender('command_topic', 'command_template');
  const setPosition = builder.sender('set_position_topic', 'set_position_template');
  const limits = [
    ['position_open', position.high],
    ['position_closed', position.low],
    ['tilt_min', tilt.low],
    ['tilt_max', tilt.high],
  ] as const;
  const moveTo = (percent: number, sender: Send, environment: TemplateEnvironment): Command => ({
    publishes: [
      sender(fromPercent(percent, position.low, position.high), environment, [['position', percent], ...limits]),
    ],
    optimistic: optimistic
      ? [
          ['position', percent],
          ['', percent === 0 ? 'closed' : 'open'],
        ]
      : [],
  });
  if (setPosition !== undefined || reader.has('position_topic')) {
    builder.property(
      'position',
      'position',
      PERCENT,
      setPosition === undefined ? undefined : (value, environment) => moveTo(Number(value), setPosition, environment),
    );
  }
  if (send !== undefined) planMoves(builder, send, optimistic);
  planTilt(builder, tilt, limits);
}

function planMoves(builder: PlanBuilder, send: Send, optimistic: boolean): void {
  const open = actionPayload(builder, 'payload_open', 'OPEN');
  const close = actionPayload(builder, 'payload_close', 'CLOSE');
  const stop = actionPayload(builder, 'payload_stop', 'STOP');
  if (open !== undefined) builder.press('open', 'open', send, open, optimistic ? [['', 'open']] : []);
  if (close !== undefined) builder.press('close', 'close', send, close, optimistic ? [['', 'closed']] : []);
  if (stop !== undefined) builder.press('stop', 'stop', send, stop);
}

function readTilt(value: JsonValue | undefined, tilt: Range, sink: StateSink): void {
  const text = scalar(value);
  if (text === PAYLOAD_NONE || value === null) return sink.value('tilt', undefined);
  const raw = toFloat(text);
  if (raw === undefined) settle(sink, 'tilt', PERCENT, MISFIT, text);
  else sink.value('tilt', percentOf(raw, tilt.low, tilt.high));
}

function planTilt(builder: PlanBuilder, tilt: Range, limits: readonly (readonly [string, TemplateValue])[]): void {
  const { reader } = builder;
  const send = builder.sender('tilt_command_topic', 'tilt_command_template');
  const heard = reader.has('tilt_status_topic');
  if (send === undefined) {
    if (heard) builder.property('tilt', 'tilt', PERCENT);
    return;
  }
  const held = reader.flag('tilt_optimistic', false) || reader.flag('optimistic', false) || !heard;
  const to = (raw: number, environment: TemplateEnvironment): Command => {
    const percent = percentOf(raw, tilt.low, tilt.high);
    return {
      publishes: [send(raw, environment, [['tilt_position', percent], ...limits])],
      optimistic: held ? [['tilt', percent]] : [],
    };
  };
  builder.property('tilt', 'tilt', PERCENT, (value, environment) =>
    to(fromPercent(Number(value), tilt.low, tilt.high), environment),
  );
  const opened = reader.numberOr('tilt_opened_value', 100);
  const closed = reader.numberOr('tilt_closed_value', 0);
  builder.action('tilt_open', 'open tilt', {}, (_input, environment) => to(opened, environment));
  builder.action('tilt_close', 'close tilt', {}, (_input, environment) => to(closed, environment));
  const stop = reader.text('payload_stop_tilt');
  if (stop !== undefined) builder.press('tilt_stop', 'stop tilt', send, stop);
}

const VALVE_STATE: Schema = { type: 'string', enum: ['open', 'opening', 'closed', 'closing'] };

export function planValve(builder: PlanBuilder): void {
  const { reader } = builder;
  const position = range(builder, 'position_closed', 'position_open');
  const reports = reader.flag('reports_position', false);
  const optimistic = builder.isOptimistic('state_topic');
  const decode = choiceReading([
    [reader.textOr('state_open', 'open'), 'open'],
    [reader.textOr('state_opening', 'opening'), 'opening'],
    [reader.textOr('state_closed', 'closed'), 'closed'],
    [reader.textOr('state_closing', 'closing'), 'closing'],
  ]);
  const moving = choiceReading([
    [reader.textOr('state_opening', 'opening'), 'opening'],
    [reader.textOr('state_closing', 'closing'), 'closing'],
  ]);
  builder.property('', '', VALVE_STATE);
  builder.hear('state_topic', ['value_template'], (text, sink) => {
    if (text === '') return;
    const object = asObject(parseJson(text));
    const state = object === undefined ? text : memberOf(object, 'state');
    if (!reports) {
      if (state !== undefined) settle(sink, '', VALVE_STATE, state === null ? undefined : decode(scalar(state)), text);
      return;
    }
    if (state === PAYLOAD_NONE) {
      sink.value('position', undefined);
      sink.value('', undefined);
      return;
    }
    const motion = state === undefined || state === null ? MISFIT : moving(scalar(state));
    const raw = toFloat(scalar(object === undefined ? text : memberOf(object, 'position')));
    if (raw !== undefined) {
      const percent = percentOf(raw, position.low, position.high);
      sink.value('position', percent);
      if (typeof motion !== 'string') sink.value('', percent === 0 ? 'closed' : 'open');
    }
    if (typeof motion === 'string') sink.value('', motion);
    else if (raw === undefined) settle(sink, 'position', PERCENT, MISFIT, text);
  });
  const send = builder.sender('command_topic', 'command_template');
  if (reports) {
    const moveTo = (percent: number, sender: Send, environment: TemplateEnvironment): Command => ({
      publishes: [
        sender(fromPercent(percent, position.low, position.high), environment, [
          ['position', percent],
          ['position_open', position.high],
          ['position_closed', position.low],
        ]),
      ],
      optimistic: optimistic
        ? [
            ['position', percent],
            ['', percent === 0 ? 'closed' : 'open'],
          ]
        : [],
    });
    builder.property(
      'position',
      'position',
      PERCENT,
      send === undefined ? undefined : (value, environment) => moveTo(Number(value), send, environment),
    );
    if (send !== undefined) {
      builder.action('open', 'open', {}, (_input, environment) => moveTo(100, send, environment));
      builder.action('close', 'close', {}, (_input, environment) => moveTo(0, send, environment));
    }
  } else if (send !== undefined) {
    const open = actionPayload(builder, 'payload_open', 'OPEN');
    const close = actionPayload(builder, 'payload_close', 'CLOSE');
    if (open !== undefined) builder.press('open', 'open', send, open, optimistic ? [['', 'open']] : []);
    if (close !== undefined) builder.press('close', 'close', send, close, optimistic ? [['', 'closed']] : []);
  }
  const stop = reader.text('payload_stop');
  if (send !== undefined && stop !== undefined) builder.press('stop', 'stop', send, stop);
}
