import { PipevineError } from '@pipevine/runtime';
import type { Arguments } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';
import { parseDuration } from '../output/duration.ts';

/** The option --lifetime as a control method takes it. Throws `invalid-argument`. */
export function lifetimeParam(local: Arguments['local']): Params {
  const text = local.lifetime?.[0];
  if (text === undefined) return {};
  const lifetimeMs = parseDuration(text);
  if (lifetimeMs) return { lifetimeMs };
  throw new PipevineError('invalid-argument', `--lifetime: expected a time such as 15min, 24h or 7d, not "${text}"`);
}
