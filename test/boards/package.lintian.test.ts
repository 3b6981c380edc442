import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { debianPackage } from '../../boards/debian/debian-package.ts';
import { MAINTAINER_SCRIPTS } from '../../boards/debian/maintainer-scripts.ts';
import { packageFiles } from '../../boards/debian/package-files.ts';
import { boardProfile, bundleBoard } from '../../boards/index.ts';
import { temporaryFolder } from '../e2e/pipevine-process.ts';
import { Chroot } from './chroot.ts';

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
  const made = await bundleBoard({ board, profile: 'edge', folder: folder.path, compression: 'fast' });
  name = basename(made.files.find(({ kind }) => kind === 'package')?.path ?? '');
  version = made.version;
  await writeFile(join(folder.path, 'next.deb'), await nextVersion(board));
}, 600_000);

afterAll(async () => {
  await chroot?.remove();
  await folder?.remove();
}, 60_000);

/** The package after this one: a program of one line, and all else as it is. */
async function nextVersion(board: ReturnType<typeof boardProfile>): Promise<Uint8Array> {
  const timeSeconds = 1_800_000_000;
  const files = packageFiles({
    board,
    profile: 'edge',
    version: '99.0.0',
    program: Buffer.from('#!/bin/sh\necho 99.0.0\n'),
    commands: [],
    licenses: '',
    materials: '',
    timeSeconds,
  });
  const control = {
    Package: 'pipevine',
    Version: '99.0.0',
    Architecture: board.architecture,
    Maintainer: 'A <a@b.c>',
    Description: 'next',
  };
  const conffiles = files.flatMap(({ path }) => (path.startsWith('etc/') ? [`/${path}`] : []));
  return debianPackage({ control, files, scripts: MAINTAINER_SCRIPTS, conffiles, timeSeconds, compression: 'fast' });
}

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
  'has a unit that systemd takes, exposed at most to "OK"',
  async () => {
    const verified = await chroot.run('systemd-analyze verify --man=no pipevine.service', folder.path);
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
