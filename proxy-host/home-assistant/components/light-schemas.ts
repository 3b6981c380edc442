import type { Schema } from '../entity-plan.ts';
import type { PlanBuilder } from '../plan-builder.ts';

const channel: Schema = { type: 'integer', minimum: 0, maximum: 255 };

function channels(count: number): Schema {
  return { type: 'array', items: channel, minItems: count, maxItems: count };
}

/** Colours are lists, in the order of their letters. */
export const COLOR_SCHEMAS = {
  rgb: channels(3),
  rgbw: channels(4),
  rgbww: channels(5),
  hs: { type: 'array', items: { type: 'number', minimum: 0, maximum: 360 }, minItems: 2, maxItems: 2 },
  xy: { type: 'array', items: { type: 'number', minimum: 0, maximum: 1 }, minItems: 2, maxItems: 2 },
} as const satisfies Readonly<Record<string, Schema>>;

export type ColorModel = keyof typeof COLOR_SCHEMAS;

export const COLOR_MODELS: readonly ColorModel[] = ['rgb', 'rgbw', 'rgbww', 'hs', 'xy'];

export const COLOR_LABELS: Readonly<Record<ColorModel, string>> = {
  rgb: 'colour (red, green, blue)',
  rgbw: 'colour (red, green, blue, white)',
  rgbww: 'colour (red, green, blue, cold white, warm white)',
  hs: 'colour (hue, saturation)',
  xy: 'colour (x, y)',
};

/** Brightness in the device's own scale. */
export function brightnessSchema(builder: PlanBuilder): Schema {
  const scale = Math.max(1, Math.round(builder.reader.positive('brightness_scale') ?? 255));
  return { type: 'integer', minimum: 0, maximum: scale };
}

/** Colour temperature in mireds or, where the device says so, in kelvin; with a range where it says one. */
export function colorTempSchema(builder: PlanBuilder): Schema {
  const { reader } = builder;
  const kelvin = reader.flag('color_temp_kelvin', false);
  const minimum = reader.positive(kelvin ? 'min_kelvin' : 'min_mireds');
  const maximum = reader.positive(kelvin ? 'max_kelvin' : 'max_mireds');
  const schema: Schema = { type: 'integer', unit: kelvin ? 'K' : 'mired' };
  if (minimum === undefined || maximum === undefined || minimum > maximum) return schema;
  return { ...schema, minimum, maximum };
}

export function effectSchema(builder: PlanBuilder): Schema {
  const effects = builder.reader.texts('effect_list');
  return effects === undefined || effects.length === 0 ? { type: 'string' } : { type: 'string', enum: effects };
}

/** A number within the range of a schema: a light may report a little more than it says it can. */
export function clamped(schema: Schema, value: number): number {
  return Math.max(schema.minimum ?? value, Math.min(schema.maximum ?? value, Math.round(value)));
}
