import type { JsonValue } from '@pipevine/runtime';
import type { TemplateValue } from '../../template/value.ts';
import type { Schema } from '../entity-plan.ts';
import { asObject, memberOf, parseJson } from '../message.ts';
import { type PlanBuilder, rendered } from '../plan-builder.ts';
import { PAYLOAD_NONE } from '../reading.ts';
import { ConfigFault, quoted } from '../rejection.ts';

export function planButton(builder: PlanBuilder): void {
  const send = builder.requireSender('command_topic', 'command_template');
  builder.press('', '', send, builder.reader.textOr('payload_press', 'PRESS'));
}

export function planScene(builder: PlanBuilder): void {
  const send = builder.requireSender('command_topic', 'command_template');
  builder.press('', '', send, builder.reader.textOr('payload_on', 'ON'));
}

export function planNotify(builder: PlanBuilder): void {
  const send = builder.requireSender('command_topic', 'command_template');
  const input: Schema = { type: 'string', maxLength: 16_384 };
  builder.action('', '', { input }, (message, environment) => ({
    // The schema allows texts only; text is a template value.
    publishes: [send((message ?? '') as TemplateValue, environment)],
    optimistic: [],
  }));
}

/** The state of an event is a JSON object whose `event_type` is one of the announced. A kept message is no event. */
export function planEvent(builder: PlanBuilder): void {
  const { reader } = builder;
  const types = reader.texts('event_types');
  if (types === undefined || types.length === 0) {
    throw new ConfigFault('invalid-value', 'event_types: expected a list of at least one type');
  }
  reader.requireTopic('state_topic', 'state');
  const data: Schema = {
    type: 'object',
    properties: { event_type: { type: 'string', enum: types } },
    required: ['event_type'],
  };
  builder.event('', '', { data });
  builder.hear('state_topic', ['value_template'], (text, sink, message) => {
    if (message.retained || text === '' || text === PAYLOAD_NONE || text === '{}') return;
    const object = asObject(parseJson(text));
    const type = object === undefined ? undefined : memberOf(object, 'event_type');
    if (object === undefined || typeof type !== 'string' || !types.includes(type)) {
      sink.misfit(
        `expected a JSON object with "event_type", one of ${types.slice(0, 20).join(', ')}, came ${quoted(text)}`,
      );
      return;
    }
    sink.event('', object);
  });
}

/** A button or the like that is told only by its trigger: an event without a state. */
export function planDeviceAutomation(builder: PlanBuilder): void {
  const { reader } = builder;
  if (reader.text('automation_type') !== 'trigger') {
    throw new ConfigFault('invalid-value', 'automation_type: expected "trigger"');
  }
  const topic = reader.requireTopic('topic', 'state');
  const type = reader.text('type');
  const subtype = reader.text('subtype');
  if (type === undefined || subtype === undefined) {
    throw new ConfigFault('invalid-value', 'type, subtype: expected both in a trigger');
  }
  const payload = reader.text('payload');
  const template = reader.template('value_template');
  const data: Schema = {
    type: 'object',
    properties: { type: { type: 'string', const: type }, subtype: { type: 'string', const: subtype } },
  };
  builder.event('', '', { data });
  builder.input(topic, (message, sink) => {
    if (message.retained) return;
    const text = rendered(template, message);
    if (payload === undefined || text === payload) sink.event('', { type, subtype });
  });
}

export function planTag(builder: PlanBuilder): void {
  const topic = builder.reader.requireTopic('topic', 'state');
  const template = builder.reader.template('value_template');
  builder.event('', '', { data: { type: 'string' } });
  builder.input(topic, (message, sink) => {
    if (message.retained) return;
    const tag: JsonValue = rendered(template, message).trim();
    if (tag !== '' && tag !== PAYLOAD_NONE) sink.event('', tag);
  });
}
