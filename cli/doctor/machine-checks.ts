import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PipevineError } from '@pipevine/runtime';
import { homeAt } from '../home/home.ts';
import { readIdentitySeed } from '../home/identity-key.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** Below the first a peer still runs for a while, below the second it stops storing soon. */
const LOW_DISK_BYTES = 200e6;
const MIN_DISK_BYTES = 20e6;
/** The wall clock of a board without battery starts in 1970, or at its image's date. Before this release it must be wrong. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);

export function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 13)) return ok('node', `Node ${process.versions.node}`);
  return fail('node', `Node ${process.versions.node} is too old`, 'install Node 22.13 or newer');
}

export function checkHome(path: string): Finding[] {
  const home = homeAt(path);
  if (!existsSync(path)) {
    return [ok('home', `${path} is not there yet; the first start makes it`), checkDisk(nearestFolder(path))];
  }
  const findings: Finding[] = [];
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const mode = statSync(path).mode & 0o777;
    findings.push(
      (mode & 0o022) === 0
        ? ok('home', `${path} (mode ${mode.toString(8)})`)
        : warn('home', `${path} can be changed by others (mode ${mode.toString(8)})`, `chmod 700 ${path}`),
    );
  } catch {
    findings.push(fail('home', `${path} cannot be read or written`, 'change its owner, or choose another with --home'));
  }
  findings.push(checkIdentity(home.identityFile), checkDisk(path));
  return findings;
}

function checkIdentity(file: string): Finding {
  try {
    return readIdentitySeed(file) === undefined
      ? ok('identity', 'none yet; the first start makes one')
      : ok('identity', `${file} is whole, and for its owner alone`);
  } catch (error) {
    const [message = '', advice = 'restore it from a backup'] =
      error instanceof PipevineError ? error.message.split('; ') : [String(error)];
    return fail('identity', message, advice);
  }
}

function checkDisk(path: string): Finding {
  try {
    const { bavail, bsize } = statfsSync(path);
    const free = bavail * bsize;
    const text = `${Math.round(free / 1e6)} MB free at ${path}`;
    if (free < MIN_DISK_BYTES) return fail('disk', text, 'make room: nothing can be stored soon');
    return free < LOW_DISK_BYTES ? warn('disk', text, 'make room') : ok('disk', text);
  } catch (error) {
    return warn(
      'disk',
      `cannot be asked (${error instanceof Error ? error.message : error})`,
      'check that the disk is there',
    );
  }
}

export function checkClock(nowMs: number): Finding {
  const text = new Date(nowMs).toISOString();
  return nowMs > EARLIEST_MS && nowMs < LATEST_MS
    ? ok('clock', text)
    : fail(
        'clock',
        `${text} cannot be right`,
        'set the clock (timedatectl set-ntp true): credentials are checked against it',
      );
}

function nearestFolder(path: string): string {
  let folder = dirname(path);
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
