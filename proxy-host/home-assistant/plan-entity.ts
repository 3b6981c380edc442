import { readAvailability } from './availability.ts';
import { COMPONENT_PLANS } from './component-plans.ts';
import { planUnknown } from './components/setting.ts';
import { ConfigReader } from './config-reader.ts';
import { describeDevice, deviceKey, viaKey } from './device-identity.ts';
import type { EntityConfig } from './discovery-config.ts';
import type { EntityPlan, Schema } from './entity-plan.ts';
import { asObject, memberOf, parseJson } from './message.ts';
import { baseName, entityTitle } from './naming.ts';
import { PlanBuilder, settle } from './plan-builder.ts';
import { MISFIT } from './reading.ts';
import { ConfigFault } from './rejection.ts';
import type { TemplateCache } from './template-cache.ts';

const MAX_IDENTITY = 512;

export interface PlanContext {
  readonly prefix: string;
  readonly templates: TemplateCache;
}

/** Name of the device that an entity says it belongs to. */
export function deviceName(entity: EntityConfig): string | undefined {
  const name = entity.device?.get('name');
  return typeof name === 'string' && name.trim() !== '' ? name.trim().slice(0, 256) : undefined;
}

/** Everything about an entity from its configuration. Throws ConfigFault where that cannot be used. */
export function planEntity(entity: EntityConfig, configTopic: string, context: PlanContext): EntityPlan {
  const reader = new ConfigReader(entity.config, context.prefix, context.templates);
  const builder = new PlanBuilder(entity.component, reader);
  const plan = COMPONENT_PLANS.get(entity.component);
  (plan ?? planUnknown)(builder);
  planAttributes(builder, entity.component);
  const name = deviceName(entity);
  const uniqueId = reader.text('unique_id');
  const identity = uniqueId === undefined ? `${configTopic} ${entity.objectId}` : `${entity.component} ${uniqueId}`;
  if (identity.length > MAX_IDENTITY + 1_024) {
    throw new ConfigFault('invalid-value', `unique_id: expected at most ${MAX_IDENTITY} characters`);
  }
  return {
    component: entity.component,
    isKnown: plan !== undefined,
    identity,
    title: entityTitle(reader, name),
    base: baseName(entity.component, entity.objectId, reader, name),
    qos: reader.qos,
    properties: builder.properties,
    actions: builder.actions,
    events: builder.events,
    inputs: builder.inputs,
    availability: readAvailability(reader, context.prefix, context.templates),
    device: {
      key: deviceKey(entity, identity),
      name,
      description: describeDevice(entity.device),
      via: viaKey(entity.device),
    },
  };
}

const ATTRIBUTES: Schema = { type: 'object' };
const POSITION: Schema = {
  type: 'object',
  properties: {
    latitude: { type: 'number', minimum: -90, maximum: 90 },
    longitude: { type: 'number', minimum: -180, maximum: 180 },
    accuracy: { type: 'number', minimum: 0, unit: 'm' },
  },
  required: ['latitude', 'longitude'],
};

/** `json_attributes_topic`: whatever else the device tells, and for a tracker its position. */
function planAttributes(builder: PlanBuilder, component: string): void {
  const isTracker = component === 'device_tracker';
  const heard = builder.hear('json_attributes_topic', ['json_attributes_template'], (text, sink) => {
    if (text === '') return;
    const object = asObject(parseJson(text));
    settle(sink, 'attributes', ATTRIBUTES, object ?? MISFIT, text);
    if (!isTracker || object === undefined) return;
    const latitude = memberOf(object, 'latitude');
    const longitude = memberOf(object, 'longitude');
    if (latitude === undefined || longitude === undefined) return;
    const accuracy = memberOf(object, 'gps_accuracy');
    const position = { latitude, longitude, ...(typeof accuracy === 'number' ? { accuracy } : {}) };
    settle(sink, 'position', POSITION, position, text);
  });
  if (!heard) return;
  builder.property('attributes', 'attributes', ATTRIBUTES);
  if (isTracker) builder.property('position', 'position', POSITION);
}
