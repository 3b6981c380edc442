import type { JsonValue } from '@pipevine/runtime';
import type { Schema, StateSink } from '../entity-plan.ts';
import { asObject, type Message, memberOf, parseJson } from '../message.ts';
import { type PlanBuilder, settle } from '../plan-builder.ts';
import { filledTextReading, MISFIT } from '../reading.ts';
import { ConfigFault } from '../rejection.ts';

const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;
const CHUNK = 0x8000;

function base64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

/** A picture as base64 text, whichever way it comes. */
function planPicture(builder: PlanBuilder, topicKey: string, mediaType: string): void {
  const { reader } = builder;
  const topic = reader.requireTopic(topicKey, 'state');
  const encoded = reader.text('image_encoding') === 'b64';
  const schema: Schema = { type: 'string', contentEncoding: 'base64', contentMediaType: mediaType };
  builder.property('', '', schema);
  builder.input(topic, (message: Message, sink: StateSink) => {
    if (message.bytes.length === 0) return;
    if (!encoded) sink.value('', base64(message.bytes));
    else if (BASE64.test(message.text)) sink.value('', message.text.replace(/\s+/g, ''));
    else settle(sink, '', schema, MISFIT, message.text);
  });
}

export function planCamera(builder: PlanBuilder): void {
  planPicture(builder, 'topic', 'image/jpeg');
}

export function planImage(builder: PlanBuilder): void {
  const { reader } = builder;
  if (reader.has('image_topic')) {
    planPicture(builder, 'image_topic', reader.textOr('content_type', 'image/jpeg'));
    return;
  }
  if (!reader.has('url_topic'))
    throw new ConfigFault('invalid-value', 'expected "image_topic" or "url_topic", came none');
  const schema: Schema = { type: 'string', format: 'uri' };
  builder.property('', '', schema);
  builder.state('', schema, 'url_topic', ['url_template'], filledTextReading);
}

/** Member of a state message, role, label and schema of what an update tells. */
const UPDATE_FACETS: readonly (readonly [role: string, label: string, schema: Schema])[] = [
  ['installed_version', 'installed version', { type: 'string' }],
  ['latest_version', 'latest version', { type: 'string' }],
  ['title', 'title of the software', { type: 'string' }],
  ['release_summary', 'release summary', { type: 'string' }],
  ['release_url', 'release notes', { type: 'string', format: 'uri' }],
  ['in_progress', 'update in progress', { type: 'boolean' }],
  ['update_percentage', 'progress of the update', { type: 'number', minimum: 0, maximum: 100, unit: '%' }],
];

export function planUpdate(builder: PlanBuilder): void {
  const { reader } = builder;
  if (!reader.has('state_topic') && !reader.has('latest_version_topic')) {
    throw new ConfigFault('invalid-value', 'expected "state_topic" or "latest_version_topic", came none');
  }
  const told = reader.has('state_topic') ? UPDATE_FACETS : UPDATE_FACETS.slice(1, 2);
  for (const [role, label, schema] of told) builder.property(role, label, schema);
  builder.hear('state_topic', ['value_template'], (text, sink) => {
    if (text === '' || text === '{}') return;
    const object = asObject(parseJson(text));
    if (object === undefined) {
      sink.value('installed_version', text);
      return;
    }
    for (const [role, , schema] of UPDATE_FACETS) {
      const value: JsonValue | undefined = memberOf(object, role);
      if (value === undefined) continue;
      const isVersion = role.endsWith('_version') && typeof value === 'number';
      settle(sink, role, schema, isVersion ? String(value) : (value ?? undefined), String(value));
    }
  });
  builder.state(
    'latest_version',
    { type: 'string' },
    'latest_version_topic',
    ['latest_version_template'],
    filledTextReading,
  );
  const send = builder.sender('command_topic');
  const install = reader.text('payload_install');
  if (send !== undefined && install !== undefined) builder.press('install', 'install', send, install);
}
