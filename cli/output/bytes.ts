import type { JsonValue } from '@pipevine/runtime';

/** For people: `900 B`, `12 kB`, `50 MB`. */
export function humanBytes(value: JsonValue | undefined): string {
  const count = Number(value ?? 0);
  if (count < 10_000) return `${count} B`;
  return count < 10_000_000 ? `${Math.round(count / 1e3)} kB` : `${Math.round(count / 1e6)} MB`;
}
