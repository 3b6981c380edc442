import { BoardsError, type BoardsErrorCode } from '@pipevine/boards';
import { type ErrorCode, PipevineError } from '@pipevine/runtime';

const CODES: Readonly<Record<BoardsErrorCode, ErrorCode>> = {
  usage: 'invalid-argument',
  'not-found': 'not-found',
  refused: 'refused',
  environment: 'unsupported',
};

/** Runs what is of boards; its errors become those of the command line. */
export async function withBoardErrors<T>(run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof BoardsError) throw new PipevineError(CODES[error.code], error.message, { cause: error });
    throw error;
  }
}
