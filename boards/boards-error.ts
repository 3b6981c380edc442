/** What can go wrong here: `usage` is the caller's, `not-found` names what is missing, `environment` the machine's. */
export type BoardsErrorCode = 'usage' | 'not-found' | 'refused' | 'environment';

/** A failure of this package. The message says what was expected, what came, and what to do. */
export class BoardsError extends Error {
  readonly code: BoardsErrorCode;

  constructor(code: BoardsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BoardsError';
    this.code = code;
  }
}
