import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { boardProfile } from '../profiles/board-profile.ts';
import { installService, serviceStatus, uninstallService } from './service.ts';
import type { ServiceHost } from './service-host.ts';
import { systemdUnit } from './systemd-unit.ts';

let root: string;
let commands: string[];
let answer: (command: string) => { code: number; output: string };
let host: ServiceHost;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pipevine-service-'));
  commands = [];
  answer = () => ({ code: 0, output: '' });
  host = {
    root,
    run: async (command, args) => {
      commands.push([command, ...args].join(' '));
      return answer(commands.at(-1) ?? '');
    },
    show: async () => 0,
  };
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ndialout:x:20:\n');
  writeFileSync(join(root, 'executable'), 'program');
});
afterEach(() => rmSync(root, { recursive: true }));

const install = (isRoot = true) =>
  installService(host, { executable: join(root, 'executable'), profile: 'edge', isRoot });
const read = (path: string) => readFileSync(join(root, path), 'utf8');

it('puts program, unit and configuration in place, and starts the service', async () => {
  expect(await install()).toMatchObject({ isActive: true });
  expect(read('usr/local/lib/pipevine/pipevine')).toBe('program');
  expect(read('etc/systemd/system/pipevine.service')).toContain(
    'ExecStart=/usr/local/lib/pipevine/pipevine up --profile edge --config /etc/pipevine/pipevine.yaml\n',
  );
  expect(commands).toEqual([
    'systemctl daemon-reload',
    'systemctl enable pipevine.service',
    'systemctl restart pipevine.service',
  ]);
});

it('names only groups that the machine has: else the service would not start', async () => {
  await install();
  expect(read('etc/systemd/system/pipevine.service')).toMatch(/^SupplementaryGroups=dialout$/m);
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  await install();
  expect(read('etc/systemd/system/pipevine.service')).not.toContain('SupplementaryGroups');
});

it('keeps the configuration when it is installed again', async () => {
  await install();
  writeFileSync(join(root, 'etc/pipevine/pipevine.yaml'), 'name: cellar\n');
  await install();
  expect(read('etc/pipevine/pipevine.yaml')).toBe('name: cellar\n');
});

it('runs a bundle by Node where the executable holds none', async () => {
  await installService(host, {
    executable: join(root, 'executable'),
    makeBundle: async (folder) => {
      writeFileSync(join(folder, 'pipevine.cjs'), 'bundle');
      return join(folder, 'pipevine.cjs');
    },
    profile: 'gateway',
    isRoot: true,
  });
  expect(read('etc/systemd/system/pipevine.service')).toContain(
    'ExecStart=/usr/local/lib/pipevine/node /usr/local/lib/pipevine/pipevine.cjs up ',
  );
  expect(read('etc/systemd/system/pipevine.service')).toMatch(/^Environment="NODE_OPTIONS=--max-semi-space-size=1 /m);
});

it('says when the service does not come up', async () => {
  answer = (command) => ({ code: command.includes('restart') ? 1 : 0, output: '' });
  expect(await install()).toMatchObject({ isActive: false });
});

it('leaves alone what the Debian package has installed, and all to root', async () => {
  await expect(install(false)).rejects.toMatchObject({ code: 'refused' });
  mkdirSync(join(root, 'usr/lib/systemd/system'), { recursive: true });
  writeFileSync(join(root, 'usr/lib/systemd/system/pipevine.service'), '');
  await expect(install()).rejects.toThrow(/Debian package/);
  await expect(uninstallService(host, { isRoot: true, purge: false })).rejects.toThrow(/apt remove/);
});

it('takes its files away, and data only when asked to', async () => {
  mkdirSync(join(root, 'var/lib/pipevine'), { recursive: true });
  await install();
  await uninstallService(host, { isRoot: true, purge: false });
  expect(readdirSync(join(root, 'etc/systemd/system'))).toEqual([]);
  expect(existsSync(join(root, 'usr/local/lib/pipevine'))).toBe(false);
  expect(existsSync(join(root, 'var/lib/pipevine')) && existsSync(join(root, 'etc/pipevine/pipevine.yaml'))).toBe(true);
  await install();
  await uninstallService(host, { isRoot: true, purge: true });
  expect(existsSync(join(root, 'var/lib/pipevine')) || existsSync(join(root, 'etc/pipevine'))).toBe(false);
});

it('reads what systemd says of the service', async () => {
  answer = () => ({
    code: 0,
    output:
      'MainPID=812\nNRestarts=2\nMemoryCurrent=61440000\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nActiveEnterTimestamp=@1700000000\n',
  });
  expect(await serviceStatus(host)).toEqual({
    isInstalled: true,
    state: 'active',
    isEnabled: true,
    pid: 812,
    restarts: 2,
    memoryBytes: 61_440_000,
    since: '2023-11-14T22:13:20.000Z',
  });
  answer = () => ({
    code: 0,
    output:
      'MainPID=0\nNRestarts=0\nMemoryCurrent=[not set]\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\nActiveEnterTimestamp=\n',
  });
  expect(await serviceStatus(host)).toMatchObject({ isInstalled: false, pid: null, memoryBytes: null, since: null });
});

it('brings the units that carry out what the service asks for without rights', async () => {
  await install();
  expect(read('etc/systemd/system/pipevine.service')).toMatch(/^Wants=.* pipevine-power\.path$/m);
  const [, folder] =
    /^Environment=PIPEVINE_POWER_REQUESTS=(.+)$/m.exec(read('etc/systemd/system/pipevine.service')) ?? [];
  expect(read('etc/systemd/system/pipevine-power.path').match(/(?<=^PathExists=).+$/gm)).toEqual([
    `${folder}/poweroff`,
    `${folder}/reboot`,
  ]);
  expect(existsSync(join(root, 'etc/systemd/system/pipevine-power.service'))).toBe(true);
});

it('opens only the devices of the board', () => {
  const unit = (name: string) =>
    systemdUnit({ board: boardProfile(name), profile: 'edge', command: ['/usr/bin/pipevine', 'up'] });
  expect(unit('rpi-4')).toContain('DeviceAllow=char-gpiochip rw');
  expect(unit('generic-x64')).not.toMatch(/gpio|i2c|ReadWritePaths/);
});

it('quotes a command with spaces and signs that systemd expands', () => {
  const unit = systemdUnit({
    board: boardProfile('rpi-4'),
    profile: 'edge',
    command: ['/opt/my node', '100%', '$HOME'],
  });
  expect(unit).toContain('ExecStart="/opt/my node" 100%% $$HOME\n');
});
