import { type ErrorCode, PipevineError } from '@pipevine/runtime';

/** Whatever was thrown, as the one error that nodes report. */
export function pipevineFailure(cause: unknown): PipevineError {
  if (cause instanceof PipevineError) return cause;
  return new PipevineError('internal', cause instanceof Error ? cause.message : String(cause), { cause });
}

/** The other side has, or may have, taken the message: whatever the code says, it is not sent again. */
export class DeliveredFailure extends PipevineError {}

/** The same error for a message that was sent. */
export function deliveredFailure(cause: unknown): DeliveredFailure {
  const { code, message } = pipevineFailure(cause);
  return new DeliveredFailure(code, message, { cause });
}

/** Nobody has taken the message: sending it again later cannot double it. */
const UNDELIVERED: ReadonlySet<ErrorCode> = new Set(['unreachable', 'not-found']);

/** Whether the offline policy is asked. A node that cannot know whether a message has come rejects with another code. */
export const isUndelivered = (error: PipevineError): boolean =>
  UNDELIVERED.has(error.code) && !(error instanceof DeliveredFailure);
