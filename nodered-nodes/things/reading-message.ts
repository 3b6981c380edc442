import type { Reading, ThingSummary } from '@pipevine/runtime';
import { aboutThing } from './about-thing.ts';

/** What a flow gets with a value. */
export function readingMessage(
  thing: ThingSummary,
  property: string,
  {
    reading,
    lastSeenMs,
    isStale,
  }: { readonly reading: Reading; readonly lastSeenMs: number; readonly isStale: boolean },
): Record<string, unknown> {
  return {
    payload: reading.value,
    topic: `${thing.title}/${property}`,
    property,
    thing: aboutThing(thing),
    /** Whether the value may be out of date: the way to the thing broke, or its device is lost. */
    stale: isStale,
    /** When it was heard of last, ISO 8601. */
    lastSeen: new Date(lastSeenMs).toISOString(),
    /** When the device's side had the value, milliseconds since 1970 by its clock. */
    timestamp: reading.timestampMs,
  };
}
