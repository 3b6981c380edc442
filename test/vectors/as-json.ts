import { toHex } from './hex.ts';
import type { Json } from './vector-set.ts';

/** How a value of the runtime stands in a vector file: bytes as hex, maps as pairs, what is undefined not at all. */
export function asJson(value: unknown): Json {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Map) return [...value].map(([key, member]) => [asJson(key), asJson(member)]);
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number')
    return Number.isSafeInteger(value) || (!Number.isInteger(value) && Number.isFinite(value)) ? value : String(value);
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return Object.fromEntries(members.map(([name, member]) => [name, asJson(member)]));
  }
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  throw new Error(`A vector cannot hold ${String(value)}`);
}
