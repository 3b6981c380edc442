import { PipevineError } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { AdminRequest } from './admin-route.ts';
import { chosenGroup } from './chosen-session.ts';

const READ_TIMEOUT_MS = 4_000;
/** Characters of JSON; what is longer is shown by its beginning. */
const MAX_CHARACTERS = 2_000;
/** Reads at a time: each asks a device. */
const MAX_UNDER_WAY = 16;

let underWay = 0;

/** A property's value as a text, and when the device's side had it, ISO 8601; or why there is none. */
export type ReadValue =
  | { readonly text: string; readonly timestamp: string }
  | { readonly code: string; readonly message: string };

/** That a device does not answer is an answer: a browser would log a failure each time. */
export async function readValue(request: AdminRequest): Promise<ReadValue> {
  const { thing = '', property = '' } = request.params;
  underWay++;
  try {
    if (underWay > MAX_UNDER_WAY) throw new PipevineError('overloaded', 'Too many values are being read; try again.');
    const { group } = await chosenGroup(request);
    const consumed = await group.consume(thing);
    try {
      const wait = { timeoutMs: READ_TIMEOUT_MS, signal: request.signal };
      const { value, timestampMs } = await consumed.readProperty(property, wait);
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)} ...` : text;
      return { text: short, timestamp: new Date(timestampMs).toISOString() };
    } finally {
      await consumed.close();
    }
  } catch (cause) {
    const { code, message } = pipevineFailure(cause);
    return { code, message };
  } finally {
    underWay--;
  }
}
