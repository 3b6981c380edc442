import { isDeepStrictEqual } from 'node:util';
import { type JsonValue, PipevineError } from '@pipevine/runtime';

/** How far a number must move to count as changed: so much, or with `%` that part of the last one sent. */
export interface Deadband {
  readonly amount: number;
  readonly isPercent: boolean;
}

/** From a field of the dialog: "", "0.5", "5%". Throws `invalid-argument`. */
export function readDeadband(text: string | number | undefined): Deadband {
  const given = String(text ?? '').trim();
  if (given === '') return { amount: 0, isPercent: false };
  const isPercent = given.endsWith('%');
  const amount = Number(isPercent ? given.slice(0, -1) : given);
  if (Number.isFinite(amount) && amount >= 0) return { amount, isPercent };
  throw new PipevineError('invalid-argument', `A deadband is a number like 0.5, or a share like 5%; not "${given}".`);
}

/** Whether `value` is another than `last`, by the deadband when both are numbers. */
export function isChanged(last: JsonValue | undefined, value: JsonValue, { amount, isPercent }: Deadband): boolean {
  if (last === undefined) return true;
  if (typeof last !== 'number' || typeof value !== 'number' || amount === 0) return !isDeepStrictEqual(last, value);
  return Math.abs(value - last) >= (isPercent ? (Math.abs(last) * amount) / 100 : amount) && value !== last;
}
