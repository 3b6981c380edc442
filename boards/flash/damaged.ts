import { BoardsError } from '../boards-error.ts';

/** What is said of a packed image that does not unpack. */
export function damaged(path: string, why: string, cause?: unknown): BoardsError {
  const message = `the image ${path} is damaged or not whole (${why}); fetch it again`;
  return new BoardsError('environment', message, { cause });
}
