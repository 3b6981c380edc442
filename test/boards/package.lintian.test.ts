import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { boardProfile } from '../../boards/index.ts';
import { temporaryFolder } from '../e2e/pipevine-process.ts';
import { Chroot } from './chroot.ts';
import { sharedBundle } from './shared-bundle.ts';
import { smallPackage } from './small-package.ts';

const STEP_TIMEOUT_MS = 300_000;
/** Keys of newer versions of systemd than some Debian has; older ones say so and go on. */
const NEWER_KEYS = /Unknown key (?:name )?'(RestartSteps|RestartMaxDelaySec)'/;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let chroot: Chroot;
let name: string;
let version: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  chroot = await Chroot.make();
  const board = boardProfile(process.arch === 'arm64' ? 'generic-arm64' : 'generic-x64');
  const made = await sharedBundle({ board, profile: 'edge', compression: 'fast' });
  const path = made.files.find(({ kind }) => kind === 'package')?.path ?? '';
  name = basename(path);
  version = made.version;
  await copyFile(path, join(folder.path, name));
  await writeFile(join(folder.path, 'next.deb'), await smallPackage(board, '99.0.0'));
}, 600_000);

afterAll(async () => {
  await chroot?.remove();
  await folder?.remove();
}, 60_000);

/** What every package leaves in these is not looked at: logs, caches, dpkg's own lists. */
const LISTS = /^\/(var\/(log|cache|lib\/dpkg)|run|tmp)\//;

it(
  'lintian finds no errors',
  async () => {
    const { stdout } = await promisify(execFile)('lintian', [
      '--allow-root',
      '--fail-on',
      'none',
      join(folder.path, name),
    ]);
    expect(stdout.split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
  },
  STEP_TIMEOUT_MS,
);

it(
  'installs without a question: program, manual, completion, a service that starts with the machine',
  async () => {
    const installed = await chroot.run(
      `dpkg -i /mnt/${name} && pipevine --version && dpkg --verify pipevine`,
      folder.path,
    );
    expect(installed).toMatchObject({ code: 0, output: expect.stringContaining(`\n${version}\n`) });
    const enabled = await chroot.run('systemctl is-enabled pipevine.service', folder.path);
    expect(enabled.output.trim()).toBe('enabled');
    const completion = await chroot.run(
      'bash -n /usr/share/bash-completion/completions/pipevine && man -w pipevine',
      folder.path,
    );
    expect(completion).toMatchObject({ code: 0, output: expect.stringContaining('pipevine.1.gz') });
  },
  STEP_TIMEOUT_MS,
);

it(
  'has units that systemd takes, that of the peer exposed at most to "OK"',
  async () => {
    const units =
      'pipevine.service pipevine-power.path pipevine-power.service pipevine-first-boot.service pipevine-join.service';
    const verified = await chroot.run(`systemd-analyze verify --man=no ${units}`, folder.path);
    const complaints = verified.output
      .split('\n')
      .filter((line) => line.includes('pipevine') && !NEWER_KEYS.test(line));
    expect({ code: verified.code, complaints }).toEqual({ code: 0, complaints: [] });
    const { output } = await chroot.run(
      'systemd-analyze security --offline=yes --no-pager pipevine.service',
      folder.path,
    );
    expect(output).toMatch(/Overall exposure level for pipevine.service: [0-4]\.\d OK/);
  },
  STEP_TIMEOUT_MS,
);

it(
  'keeps a changed configuration and the data over an upgrade',
  async () => {
    const upgraded = await chroot.run(
      'echo "name: attic" >> /etc/pipevine/pipevine.yaml; mkdir -p /var/lib/private/pipevine; echo key > /var/lib/private/pipevine/identity.key; dpkg -i /mnt/next.deb && pipevine && tail -n 1 /etc/pipevine/pipevine.yaml && cat /var/lib/private/pipevine/identity.key && ls /usr/lib/pipevine',
      folder.path,
    );
    expect(upgraded.code).toBe(0);
    expect(upgraded.output.trim().split('\n').slice(-4)).toEqual(['99.0.0', 'name: attic', 'key', '99.0.0']);
  },
  STEP_TIMEOUT_MS,
);

it(
  'keeps configuration and data when it is removed, and leaves nothing when it is purged',
  async () => {
    const removed = await chroot.run(
      'dpkg --remove pipevine && ls /etc/pipevine /var/lib/private/pipevine',
      folder.path,
    );
    expect(removed).toMatchObject({ code: 0, output: expect.stringMatching(/pipevine\.yaml[\s\S]*identity\.key/) });
    expect(await chroot.run('dpkg --purge pipevine', folder.path)).toMatchObject({ code: 0 });
    const left = (await chroot.changes()).filter((path) => /pipevine/i.test(path) && !LISTS.test(path));
    expect(left).toEqual([]);
  },
  STEP_TIMEOUT_MS,
);
