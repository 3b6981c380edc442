import { PipevineError } from '@pipevine/runtime';

/** Primary result codes of SQLite (sqlite.org/rescode.html); the low byte of an extended code. */
const Result = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
};

/** What SQLite threw, as an error that names the file and says what to do. */
export function sqliteFailure(file: string, cause: unknown): PipevineError {
  if (cause instanceof PipevineError) return cause;
  const result = resultCode(cause);
  const reason = cause instanceof Error ? cause.message : String(cause);
  const failed = (text: string): PipevineError => new PipevineError('storage-failed', text, { cause });
  switch (result) {
    case Result.full:
      return new PipevineError(
        'storage-full',
        `There is no space left for ${file}: nothing of this commit was kept. Free some space on its disk, then try again.`,
        { cause },
      );
    case Result.busy:
    case Result.locked:
      return new PipevineError(
        'busy',
        `${file} is in use by another process. Stop it, or give this one another home directory.`,
        { cause },
      );
    case Result.corrupt:
    case Result.notADatabase:
      return failed(
        `${file} is damaged or no Pipevine database (${reason}). Move it away to start afresh, or restore it from a backup; ` +
          'the identity is in another file and stays.',
      );
    case Result.readOnly:
    case Result.cannotOpen:
      return failed(
        `${file} cannot be opened for writing (${reason}). Check that its directory exists and who may write there.`,
      );
    case Result.ioError:
      return failed(`Reading or writing ${file} failed (${reason}): nothing of this commit was kept. Check the disk.`);
    default:
      return failed(`${file}: ${reason}`);
  }
}

function resultCode(cause: unknown): number | undefined {
  const errcode = cause instanceof Error && 'errcode' in cause ? cause.errcode : undefined;
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}
