import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.ts';
import { RunningDaemon } from '../testing/running-daemon.ts';
import { FIRST_BOOT_COMMANDS } from './first-boot-commands.ts';

let daemon: RunningDaemon;
let root: string;
let out: string;
let err: string;

beforeEach(async () => {
  daemon = await RunningDaemon.start();
  root = mkdtempSync(join(tmpdir(), 'pipevine-board-'));
  mkdirSync(join(root, 'boot'));
  [out, err] = ['', ''];
});
afterEach(async () => {
  await daemon.stop();
  rmSync(root, { recursive: true });
});

const setUp = (text: string) => writeFileSync(join(root, 'boot/pipevine-setup.txt'), text);

/** Runs the command; once the journal says `until`, it is told to stop. */
function firstBoot(verb: string, home = daemon.home, until?: string) {
  const controller = new AbortController();
  return runCommandLine(['first-boot', verb, '--root', root], {
    env: { PIPEVINE_HOME: home },
    out: { write: (text) => (out += text) },
    err: {
      write: (text) => {
        err += text;
        if (until !== undefined && err.includes(until)) controller.abort();
      },
    },
    signal: controller.signal,
    moreCommands: { commands: FIRST_BOOT_COMMANDS, loadMethods: async () => () => ({}) },
  });
}

it('hands the code of the card to the running peer', async () => {
  setUp('join: BCODE-1\n');
  expect(await firstBoot('join')).toBe(0);
  expect([out, daemon.peer.calls]).toEqual(['joined\n', ['join BCODE-1', 'joined by ']]);
  expect(readFileSync(join(root, 'boot/pipevine-status.txt'), 'utf8')).toContain('Group:     home of cellar');
  expect(await firstBoot('join')).toBe(0);
  expect([out, daemon.peer.calls.length]).toEqual(['joined\nno-code\n', 2]);
});

it('tells a code that no attempt can help from a peer that does not run, and stops when asked to', async () => {
  setUp('join: ACODE\n');
  expect(await firstBoot('join', daemon.home, 'The code was not accepted. the code has run out')).toBe(0);
  expect(out).toBe('stopped\n');
  expect(await firstBoot('join', join(root, 'nobody'), 'Waiting for the service of Pipevine to start.')).toBe(0);
  expect(out).toBe('stopped\nstopped\n');
});

it('applies what it can, names what it cannot, and ends well either way', async () => {
  mkdirSync(join(root, 'etc'));
  setUp('hostname: attic\n--- pipevine.yaml\nnaem: x\n');
  expect(await firstBoot('apply')).toBe(0);
  expect(out).toBe('hostname\n');
  expect(err).toMatch(/^pipevine: pipevine\.yaml:1:1: unknown key "naem"; did you mean "name"\?\n$/);
});
