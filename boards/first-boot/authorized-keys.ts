import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { replaceFile } from './replace-file.ts';
import type { SystemUser } from './system-user.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const FILE = 'authorized_keys';
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Adds keys to those of a user, sshd(8). The folder is the user's, who may put links into it while root writes: each step goes
 * by an open folder and follows none, so that nothing but this folder is ever written to.
 */
export function authorizeKeys(root: string, user: SystemUser, keys: readonly string[]): void {
  const { uid, gid } = user;
  const path = join(root, user.home);
  within(path, uid, (home) => {
    try {
      mkdirSync(`${home}/.ssh`, { mode: 0o700 });
    } catch (error) {
      if (!isError(error, 'EEXIST')) throw error;
    }
    within(`${home}/.ssh`, undefined, (folder, owner) => {
      // One that was just made, now or before a power cut, is root's still. No other one of root's is handed over.
      const isNew = owner === process.getuid?.() && readdirSync(folder).length === 0;
      if (owner !== uid && !isNew) throw foreign(`${path}/.ssh`);
      chownSync(folder, uid, gid);
      chmodSync(folder, 0o700);
      const before = present(`${folder}/${FILE}`, uid);
      const lines = before.toString().split('\n');
      const missing = keys.filter((key) => !lines.includes(key));
      if (missing.length === 0) return;
      const added = [...(lines.at(-1) === '' ? [] : ['']), ...missing, ''].join('\n');
      const content = Buffer.concat([before, Buffer.from(added)]);
      replaceFile(`${folder}/${FILE}`, content, { mode: 0o600, owner: { uid, gid } });
    });
  });
}

/** Runs with a name of the folder that stays the same whatever happens to its path: /proc/self/fd, proc(5). */
function within(path: string, owner: number | undefined, run: (folder: string, owner: number) => void): void {
  const folder = opened(path, O_DIRECTORY);
  try {
    const { uid } = fstatSync(folder);
    if (owner !== undefined && uid !== owner) throw foreign(path);
    run(`/proc/self/fd/${folder}/.`, uid);
  } finally {
    closeSync(folder);
  }
}

function present(path: string, owner: number): Buffer {
  let file: number;
  try {
    file = opened(path, O_NONBLOCK);
  } catch (error) {
    if (error instanceof BoardsError || !isError(error, 'ENOENT')) throw error;
    return Buffer.alloc(0);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.uid !== owner || stat.size > MAX_FILE_BYTES) throw foreign(FILE);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function opened(path: string, flags: number): number {
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW | flags);
  } catch (error) {
    if (isError(error, 'ELOOP') || isError(error, 'ENOTDIR')) throw foreign(path);
    throw error;
  }
}

const isError = (error: unknown, code: string) => error instanceof Error && 'code' in error && error.code === code;

const foreign = (path: string) =>
  new BoardsError('refused', `the SSH keys were not put in place: ${path} is a link, or not the user's own`);
