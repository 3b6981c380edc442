/**
 * Every way in which Pipevine says no. The documented, closed set: a program may switch over it.
 *
 * The caller's: invalid-argument, invalid-address, not-found, ambiguous, aborted, closed, busy.
 * The other peer's: malformed, protocol, wrong-peer, forged, expired, replayed, refused, revoked, too-large, unsupported.
 * The environment's: unreachable, timeout, address-in-use, permission-denied, multicast-unavailable, storage-full,
 * storage-failed, overloaded.
 * Ours: internal.
 */
export type ErrorCode =
  | 'invalid-argument'
  | 'invalid-address'
  | 'not-found'
  | 'ambiguous'
  | 'aborted'
  | 'closed'
  | 'busy'
  | 'malformed'
  | 'protocol'
  | 'wrong-peer'
  | 'forged'
  | 'expired'
  | 'replayed'
  | 'refused'
  | 'revoked'
  | 'too-large'
  | 'unsupported'
  | 'unreachable'
  | 'timeout'
  | 'address-in-use'
  | 'permission-denied'
  | 'multicast-unavailable'
  | 'storage-full'
  | 'storage-failed'
  | 'overloaded'
  | 'internal';

/** The one error that Pipevine throws. The message says what was expected, what came, and what to do. */
export class PipevineError extends Error {
  override readonly name: string = 'PipevineError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
