import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { PipevineError } from '@pipevine/runtime';

/** The files of a peer. */
export interface Home {
  readonly path: string;
  readonly identityFile: string;
  readonly databaseFile: string;
}

/** Of the systemd service. */
const SERVICE_HOME = '/var/lib/pipevine';

/**
 * By the XDG Base Directory Specification: $XDG_DATA_HOME/pipevine, or ~/.local/share/pipevine. For root where there is a
 * service, that of the service: `sudo pipevine status` is about it.
 */
export function defaultHome(env: Readonly<Record<string, string | undefined>>): string {
  const data = env.XDG_DATA_HOME;
  if (data === undefined && process.getuid?.() === 0 && existsSync(SERVICE_HOME)) return SERVICE_HOME;
  return join(data?.startsWith('/') ? data : join(env.HOME ?? homedir(), '.local', 'share'), 'pipevine');
}

export function homeAt(path: string): Home {
  return { path, identityFile: join(path, 'identity.key'), databaseFile: join(path, 'pipevine.db') };
}

/** Makes the folder, for its owner alone. Rejects with `permission-denied`, `storage-full` or `storage-failed`. */
export function makeHome(home: Home): void {
  try {
    if (statSync(home.path, { throwIfNoEntry: false })?.isDirectory() === true) return;
    makeFolder(home.path);
    chmodSync(home.path, 0o700);
  } catch (error) {
    throw fileFailure(`the data folder ${home.path} cannot be made`, error);
  }
}

/** One by one: where a file system takes no folders, as /proc, Node's own recursion never ends. */
function makeFolder(path: string): void {
  const parent = dirname(path);
  if (!existsSync(parent)) makeFolder(parent);
  mkdirSync(path, { mode: 0o700 });
}

/** Maps a failure of the file system, once. */
export function fileFailure(what: string, cause: unknown): PipevineError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const reason = cause instanceof Error ? cause.message : String(cause);
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new PipevineError(
        'permission-denied',
        `${what} (${code}); choose another with --home, or change its owner`,
        { cause },
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return new PipevineError('storage-full', `${what}: the disk is full; make room, or choose another with --home`, {
        cause,
      });
    default:
      return new PipevineError('storage-failed', `${what} (${reason}); choose another with --home`, { cause });
  }
}
