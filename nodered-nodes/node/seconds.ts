/** A time from a field of a dialog, which gives texts. Out of range, or no number: the fallback. */
export function seconds(value: unknown, fallback: number, max: number): number {
  const found = typeof value === 'number' ? value : Number.parseFloat(String(value));
  return Number.isFinite(found) && found > 0 && found <= max ? found : fallback;
}
