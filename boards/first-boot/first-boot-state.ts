import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFile } from './replace-file.ts';

/** In the StateDirectory= of both units, for root alone. */
export const STATE_FOLDER = '/var/lib/pipevine-first-boot';
/** As sha256sum(1) checks it. */
export const DONE_FILE = `${STATE_FOLDER}/done`;
const stateFile = (root: string) => join(root, STATE_FOLDER, 'state.json');

export interface JoinedState {
  /** Fingerprint of the code. */
  readonly code: string;
  readonly peer: string;
  readonly group: string;
}

/** What was done with the setup file, so that each of its parts is done once and a later change by hand stays. */
export interface FirstBootState {
  /** Fingerprints of the parts as they were last applied. */
  readonly applied: Readonly<Record<string, string>>;
  /** What could not be applied, for people. */
  readonly problems: readonly string[];
  /** What the board has joined by a code. */
  readonly joined?: JoinedState;
}

export const fingerprintOf = (part: unknown): string =>
  createHash('sha256').update(JSON.stringify(part)).digest('base64url');

/** Without a file, or with a damaged one: nothing was done. Doing a part again does no harm. */
export function readState(root: string): FirstBootState {
  const { applied, problems, joined }: Record<string, unknown> = Object(parsed(stateFile(root)));
  return {
    applied: Object.fromEntries(Object.entries(Object(applied)).map(([part, value]) => [part, String(value)])),
    problems: Array.isArray(problems) ? problems.map(String) : [],
    ...(joined !== undefined && { joined: joinedOf(joined) }),
  };
}

function joinedOf(value: unknown): JoinedState {
  const { code, peer, group }: Record<string, unknown> = Object(value);
  return { code: String(code), peer: String(peer), group: String(group) };
}

export function writeState(root: string, state: FirstBootState): void {
  const path = stateFile(root);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFile(path, `${JSON.stringify(state)}\n`, { mode: 0o600 });
}

/** Nothing is left to do as long as the setup file stays as it is: the units look at this before they start anything. */
export function markDone(root: string, setupPath: string): void {
  const sum = createHash('sha256').update(readFileSync(setupPath)).digest('hex');
  const line = `${sum}  ${setupPath}\n`;
  const path = join(root, DONE_FILE);
  if (existsSync(path) && readFileSync(path, 'utf8') === line) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFile(path, line, { mode: 0o600 });
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
