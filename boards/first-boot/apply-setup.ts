import { dirname } from 'node:path';
import { messageOf } from '../message-of.ts';
import { type BoardSetup, SETUP_FILE } from '../setup/board-setup.ts';
import { authorizeKeys } from './authorized-keys.ts';
import { enableSsh } from './enable-ssh.ts';
import type { FirstBootHost } from './first-boot-host.ts';
import { fingerprintOf, type JoinedState, markDone, readState, writeState } from './first-boot-state.ts';
import { setConfiguration } from './set-configuration.ts';
import { hostnameOf, setHostname } from './set-hostname.ts';
import { setWifi } from './set-wifi.ts';
import { findSetupFile, readSetupFile } from './setup-file.ts';
import { type BoardStatus, JOINED, StatusFile, type StatusTimes } from './status-file.ts';
import { systemUser } from './system-user.ts';

export interface ApplySetupInit {
  readonly host: FirstBootHost;
  /** Throws for a configuration with which the service would not start. */
  readonly checkConfiguration: (text: string) => void;
  readonly now: () => StatusTimes;
}

export interface AppliedSetup {
  /** Parts that were applied now. */
  readonly changed: readonly string[];
  /** What could not be done, for people; none of it keeps the others from being done. */
  readonly problems: readonly string[];
}

/**
 * Applies what the setup file asks for and was not applied yet: hostname, SSH keys, Wi-Fi, configuration. A part that fails is
 * tried again at the next boot; one that was cut off by a loss of power is done once more, which changes nothing. Never throws.
 */
export async function applySetup({ host, checkConfiguration, now }: ApplySetupInit): Promise<AppliedSetup> {
  const { root } = host;
  const path = findSetupFile(root);
  if (path === undefined) return { changed: [], problems: [] };
  const changed: string[] = [];
  const problems: string[] = [];
  const attempt = async (run: () => Promise<void> | void) => {
    try {
      await run();
      return true;
    } catch (error) {
      problems.push(messageOf(error));
      return false;
    }
  };
  const setup = readSetup(path, problems);
  const { hostname, user, sshKeys, wifi, configuration, joinCode } = setup ?? {};
  const state = readState(root);
  const applied = { ...state.applied };
  const part = async <T>(name: string, value: T | undefined, apply: (value: T) => Promise<void> | void) => {
    if (value === undefined) return;
    const fingerprint = fingerprintOf(value);
    if (applied[name] === fingerprint || !(await attempt(() => apply(value)))) return;
    applied[name] = fingerprint;
    changed.push(name);
  };
  await part('hostname', hostname, (value) => setHostname(host, value));
  await part('configuration', configuration, (value) => {
    checkConfiguration(value);
    setConfiguration(host, value);
  });
  await part('wifi', wifi, (value) => setWifi(host, value));
  await part('ssh-keys', sshKeys && { user, sshKeys }, async (value) => {
    authorizeKeys(root, await systemUser(host, value.user), value.sshKeys);
    await enableSsh(host);
  });
  const isNews = changed.length + problems.length + state.problems.length > 0;
  if (isNews) await attempt(() => writeState(root, { ...state, applied, problems }));
  if (problems.length === 0 && joinCode === undefined) await attempt(() => markDone(root, path));
  if (!isNews) return { changed, problems };
  const status = statusOf(setup, problems, state.joined);
  await attempt(() => new StatusFile(dirname(path)).write({ ...status, hostname: hostnameOf(root) }, now()));
  return { changed, problems };
}

function statusOf(
  setup: BoardSetup | undefined,
  problems: readonly string[],
  joined: JoinedState | undefined,
): BoardStatus {
  const next = problems.length > 0 && { next: `Correct ${SETUP_FILE} on this card, then start the board again.` };
  if (setup === undefined) return { state: 'The setup file cannot be used.', problems, ...next };
  if (setup.joinCode !== undefined) return { state: 'Set up; the peer starts, and joins then.', problems, ...next };
  if (joined === undefined) return { state: 'Set up. There is no code to join a group by.', problems, ...next };
  return { state: JOINED, peer: joined.peer, group: joined.group, problems, ...next };
}

function readSetup(path: string, problems: string[]): BoardSetup | undefined {
  try {
    return readSetupFile(path);
  } catch (error) {
    problems.push(`${SETUP_FILE}: ${messageOf(error)}`);
    return undefined;
  }
}
