import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { LOGIN_GROUPS } from '../setup/login-groups.ts';
import type { FirstBootHost } from './first-boot-host.ts';
import { replaceSystemFile } from './replace-file.ts';

/** The first user of a person, login.defs(5): the one that images come with. */
const FIRST_UID = 1_000;
/** Of the service, which systemd makes while it runs. */
const SERVICE_USER = 'pipevine';

export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * The user of this name, or without one the first of the system. One that is missing is made: without a password, so that only the
 * keys let it in, and allowed to become root without one, as on Raspberry Pi OS: who writes the card rules the board anyway.
 */
export async function systemUser(host: FirstBootHost, name: string | undefined): Promise<SystemUser> {
  const find = () =>
    users(host.root).find((user) => (name === undefined ? user.uid === FIRST_UID : user.name === name));
  const found = find();
  if (found !== undefined) return found;
  if (name === undefined) {
    throw new BoardsError(
      'usage',
      'ssh-key is there without user, and the system has none; add a line such as user: pi',
    );
  }
  if (name === SERVICE_USER) {
    throw new BoardsError('usage', `user: "${name}" is the user of the service; choose another name`);
  }
  // Before the user, so that a power cut between the two leaves none without it.
  replaceSystemFile(join(host.root, `/etc/sudoers.d/010_pipevine-${name}`), `${name} ALL=(ALL) NOPASSWD: ALL\n`, 0o440);
  const groups = groupsOf(host.root).filter((group) => LOGIN_GROUPS.includes(group));
  const inGroups = groups.length === 0 ? [] : ['--groups', groups.join(',')];
  const { code, output } = await host.run('useradd', ['--create-home', '--shell', '/bin/bash', ...inGroups, name]);
  const made = find();
  if (made !== undefined) return made;
  throw new BoardsError('environment', `there is no user "${name}", and useradd failed (${code}): ${output.trim()}`);
}

/** Names of group(5). */
function groupsOf(root: string): string[] {
  return readFileSync(join(root, '/etc/group'), 'utf8')
    .split('\n')
    .map((line) => line.split(':')[0] ?? '');
}

/** passwd(5) */
function users(root: string): SystemUser[] {
  const lines = readFileSync(join(root, '/etc/passwd'), 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) && home.startsWith('/')
      ? [{ name, uid: Number(uid), gid: Number(gid), home }]
      : [];
  });
}
