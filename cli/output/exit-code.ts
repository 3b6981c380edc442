import { type ErrorCode, PipevineError } from '@pipevine/runtime';

/** What a command exits with; part of the interface, see docs/cli.md. */
export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3, timedOut: 4, refused: 5 } as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  'invalid-argument': EXIT.usage,
  'invalid-address': EXIT.usage,
  ambiguous: EXIT.usage,
  'not-found': EXIT.notFound,
  timeout: EXIT.timedOut,
  refused: EXIT.refused,
  expired: EXIT.refused,
  revoked: EXIT.refused,
  forged: EXIT.refused,
};

export function exitCodeOf(error: unknown): number {
  return (error instanceof PipevineError ? BY_CODE[error.code] : undefined) ?? EXIT.failed;
}
