const UNITS: readonly (readonly [suffix: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

/** For people: the two largest units, `2 d 3 h`. */
export function humanDuration(ms: number): string {
  let rest = ms;
  const parts: string[] = [];
  for (const [suffix, unit] of UNITS) {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) parts.push(`${count} ${suffix}`);
  }
  return parts.slice(0, 2).join(' ') || '0 s';
}

/** Reads `90`, `90s`, `15min`, `24h`, `7d` as milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?$/.exec(text.trim());
  if (match === null) return undefined;
  const suffix = match[2] === 'm' ? 'min' : (match[2] ?? 's');
  const unit = UNITS.find(([name]) => name === suffix)?.[1] ?? 1_000;
  return Number(match[1]) * unit;
}
