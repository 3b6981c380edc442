import { PipevineError } from '../error/pipevine-error.ts';
import {
  HIGH_WATER_BYTES,
  KEEP_ALIVE_ATTEMPTS,
  KEEP_ALIVE_MS,
  MAX_RECORD_PLAINTEXT_BYTES,
  REKEY_AGE_MS,
  REKEY_BYTES,
  REKEY_RECORDS,
} from './link-defaults.ts';

/** What may be set about a link; each default and its reason is in link-defaults.ts. */
export interface LinkLimitsInit {
  /** Largest plaintext of a record that this side takes and makes, in bytes: 512 to 65,519. */
  readonly maxRecordBytes?: number;
  /** Queued bytes above which the caller is asked to wait. */
  readonly highWaterBytes?: number;
  /** Silence after which the other side is asked for a sign of life, in ms. */
  readonly keepAliveMs?: number;
  /** Such intervals without a sign of life after which the link is dead. */
  readonly keepAliveAttempts?: number;
  /** Stream links: records, bytes and ms after which a sending key is replaced. At most the defaults. */
  readonly rekeyRecords?: number;
  readonly rekeyBytes?: number;
  readonly rekeyAgeMs?: number;
}

export type LinkLimits = Required<LinkLimitsInit>;

/** Fills in the defaults. Throws `invalid-argument` naming the first value out of range. */
export function resolveLinkLimits(init: LinkLimitsInit = {}): LinkLimits {
  return {
    maxRecordBytes: inRange('maxRecordBytes', init.maxRecordBytes, MAX_RECORD_PLAINTEXT_BYTES, 512),
    highWaterBytes: inRange('highWaterBytes', init.highWaterBytes, HIGH_WATER_BYTES, 1, Number.MAX_SAFE_INTEGER),
    keepAliveMs: inRange('keepAliveMs', init.keepAliveMs, KEEP_ALIVE_MS, 1, 86_400_000),
    keepAliveAttempts: inRange('keepAliveAttempts', init.keepAliveAttempts, KEEP_ALIVE_ATTEMPTS, 1, 100),
    rekeyRecords: inRange('rekeyRecords', init.rekeyRecords, REKEY_RECORDS, 1),
    rekeyBytes: inRange('rekeyBytes', init.rekeyBytes, REKEY_BYTES, 1),
    rekeyAgeMs: inRange('rekeyAgeMs', init.rekeyAgeMs, REKEY_AGE_MS, 1),
  };
}

function inRange(name: string, value: number | undefined, byDefault: number, min: number, max = byDefault): number {
  if (value === undefined) return byDefault;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new PipevineError('invalid-argument', `${name} must be an integer from ${min} to ${max}, not ${value}.`);
}
