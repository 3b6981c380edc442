import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BoardSetup } from '../setup/board-setup.ts';
import { applySetup } from './apply-setup.ts';
import { DONE_FILE } from './first-boot-state.ts';
import { MadeUpBoard } from './testing/made-up-board.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcc ann@desk';
const FULL: BoardSetup = {
  joinCode: 'b0000-0000',
  hostname: 'kitchen',
  wifi: { ssid: 'Café', password: 'correct horse', country: 'DE' },
  user: 'pi',
  sshKeys: [KEY],
  configuration: 'name: kitchen\n',
};
const PARTS = [
  ['hostname', { hostname: FULL.hostname }],
  ['configuration', { configuration: FULL.configuration }],
  ['wifi', { wifi: FULL.wifi }],
  ['ssh-keys', { user: FULL.user, sshKeys: FULL.sshKeys }],
] as const;

let board: MadeUpBoard;
let checkConfiguration: (text: string) => void;

beforeEach(() => {
  board = new MadeUpBoard();
  board.write('/usr/sbin/NetworkManager', '');
  checkConfiguration = () => {};
});
afterEach(() => board.remove());

const apply = (own = board) =>
  applySetup({ host: own.host, checkConfiguration, now: () => ({ wallMs: 1_800_000_000_000, monotonicMs: 0 }) });

/** All files but those that tell the time of something. */
function contents(): Record<string, string> {
  const files = readdirSync(board.root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => `${entry.parentPath}/${entry.name}`.slice(board.root.length)).sort();
  return Object.fromEntries(paths.map((path) => [path, board.read(path)]));
}

describe('what the setup file asks for', () => {
  it('is applied whole, and told on the card', async () => {
    board.setUp(FULL);
    expect(await apply()).toEqual({ changed: ['hostname', 'configuration', 'wifi', 'ssh-keys'], problems: [] });
    expect(board.read('/etc/hostname')).toBe('kitchen\n');
    expect(board.read('/proc/sys/kernel/hostname')).toBe('kitchen');
    expect(board.read('/etc/hosts')).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tkitchen\n');
    expect(board.read('/etc/pipevine/pipevine.yaml')).toBe('name: kitchen\n');
    expect(board.read('/home/pi/.ssh/authorized_keys')).toBe(`${KEY}\n`);
    expect(statSync(board.at('/home/pi/.ssh/authorized_keys')).mode & 0o777).toBe(0o600);
    expect(statSync(board.at('/home/pi/.ssh')).mode & 0o777).toBe(0o700);
    expect(board.status).toContain('Now:       Set up; the peer starts, and joins then.\r\n');
    expect(board.status).toContain('Hostname:  kitchen\r\n');
  });

  const combinations = Array.from({ length: 2 ** PARTS.length }, (_, bits) =>
    PARTS.filter((_part, at) => bits & (1 << at)),
  );
  it.each(combinations.map((parts) => [parts.map(([name]) => name).join(', ') || 'nothing', parts] as const))(
    'may be any part of it: %s',
    async (_names, parts) => {
      const before = contents();
      board.setUp(Object.assign({}, ...parts.map(([, setup]) => setup)));
      expect(await apply()).toEqual({ changed: parts.map(([name]) => name), problems: [] });
      const after = contents();
      const present = (path: string) => after[path] !== before[path];
      expect({
        hostname: present('/etc/hostname'),
        configuration: present('/etc/pipevine/pipevine.yaml'),
        wifi: present('/etc/NetworkManager/system-connections/pipevine.nmconnection'),
        'ssh-keys': present('/home/pi/.ssh/authorized_keys'),
      }).toEqual(Object.fromEntries(PARTS.map((part) => [part[0], parts.includes(part)])));
    },
  );

  it('is found on the boot partition of older systems', async () => {
    const old = new MadeUpBoard('/boot');
    old.setUp({ hostname: 'attic' });
    await apply(old);
    expect([old.read('/etc/hostname'), old.status.includes('attic')]).toEqual(['attic\n', true]);
    old.remove();
  });

  it('is applied once: a later change by hand stays', async () => {
    board.setUp(FULL);
    await apply();
    board.write('/etc/hostname', 'by-hand\n');
    board.write('/etc/pipevine/pipevine.yaml', 'name: by-hand\n');
    const before = contents();
    expect(await apply()).toEqual({ changed: [], problems: [] });
    expect(contents()).toEqual(before);
    board.setUp({ ...FULL, hostname: 'cellar' });
    expect(await apply()).toEqual({ changed: ['hostname'], problems: [] });
    expect(board.read('/etc/pipevine/pipevine.yaml')).toBe('name: by-hand\n');
  });

  it('comes out the same when the power was cut at any step', async () => {
    board.setUp(FULL);
    board.write('/etc/pipevine/pipevine.yaml', '# from the package\n');
    await apply();
    const whole = contents();
    // What was done is not remembered yet, and half-written files lie about.
    board.write('/var/lib/pipevine-first-boot/state.json', '{"applied":{"host');
    board.write('/etc/.hostname.new', 'kit');
    rmSync(board.at('/home/pi/.ssh/authorized_keys'));
    board.write('/home/pi/.ssh/.authorized_keys.new', 'ssh-');
    await apply();
    expect(contents()).toEqual(whole);
    expect(board.read('/etc/pipevine/pipevine.yaml.before-setup')).toBe('# from the package\n');
  });

  it('leaves nothing to do only when all is done, joining too', async () => {
    board.setUp(FULL);
    await apply();
    expect(board.has(DONE_FILE)).toBe(false);
    const { joinCode: _, ...rest } = FULL;
    board.setUp(rest);
    await apply();
    expect(board.read(DONE_FILE)).toMatch(/^[0-9a-f]{64} {2}.*pipevine-setup\.txt\n$/);
  });

  it('does nothing without a file', async () => {
    const before = contents();
    expect(await apply()).toEqual({ changed: [], problems: [] });
    expect(contents()).toEqual(before);
  });
});

describe('a setup file that cannot be used', () => {
  it.each([
    ['garbage', 'hello\n', 'line 1: expected one of join'],
    ['a megabyte', new Uint8Array(1024 * 1024).fill(0x23), '65536 bytes at most'],
    ['no UTF-8', Uint8Array.of(0xff, 0xfe, 0x41), 'UTF-8'],
    ['zeros', new Uint8Array(65_536), 'line 1'],
    ['a way out of a file name', 'user: ../../root\nssh-key: ssh-ed25519 AAAAAAAAAAAAAAAAAAAA', 'user expects'],
  ])('changes nothing and is named: %s', async (_what, file, message) => {
    board.setUp(file);
    const before = contents();
    const { changed, problems } = await apply();
    expect([changed, problems]).toEqual([[], [expect.stringContaining(message)]]);
    expect(problems[0]).toMatch(/^pipevine-setup\.txt: /);
    expect(board.read('/etc/hostname')).toBe(before['/etc/hostname']);
    expect(board.status).toContain('The setup file cannot be used.');
    expect(board.status).toContain(message);
    expect(board.status).toContain('To do:');
  });

  it('is good again once it was corrected', async () => {
    board.setUp('hostnam: a');
    await apply();
    board.setUp('hostname: a');
    expect(await apply()).toEqual({ changed: ['hostname'], problems: [] });
    expect(board.status).not.toContain('Problem');
  });

  it('is no file', async () => {
    mkdirSync(board.at(board.setupPath));
    expect((await apply()).problems).toHaveLength(1);
  });
});

it('goes on with the other parts when one fails, and tries that one again', async () => {
  checkConfiguration = () => {
    throw new Error('configuration:1:1: unknown key "nam"');
  };
  board.setUp({ ...FULL, configuration: 'nam: x\n' });
  const failed = { changed: ['hostname', 'wifi', 'ssh-keys'], problems: ['configuration:1:1: unknown key "nam"'] };
  expect(await apply()).toEqual(failed);
  expect(board.has('/etc/pipevine/pipevine.yaml')).toBe(false);
  expect(board.status).toContain('Problem:   configuration:1:1');
  expect(await apply()).toEqual({ ...failed, changed: [] });
  checkConfiguration = () => {};
  expect(await apply()).toEqual({ changed: ['configuration'], problems: [] });
});

describe('keys for SSH', () => {
  const keysFile = '/home/pi/.ssh/authorized_keys';

  it('are added to those that are there', async () => {
    board.write(keysFile, 'ssh-rsa AAAA old');
    board.setUp({ user: 'pi', sshKeys: [KEY, `${KEY}2`] });
    await apply();
    expect(board.read(keysFile)).toBe(`ssh-rsa AAAA old\n${KEY}\n${KEY}2\n`);
  });

  it.each(['authorized_keys', '.ssh', 'home'])('follow no link that a user has planted: %s', async (planted) => {
    const victim = board.folder('/root/.ssh');
    board.write('/root/.ssh/authorized_keys', 'of root\n');
    if (planted === 'home') {
      symlinkSync(board.folder('/root'), board.at('/home/eve'));
      board.write('/etc/passwd', board.read('/etc/passwd').replaceAll('/home/pi', '/home/eve'));
    } else if (planted === '.ssh') {
      symlinkSync(victim, board.at('/home/pi/.ssh'));
    } else {
      board.folder('/home/pi/.ssh');
      symlinkSync(`${victim}/authorized_keys`, board.at(keysFile));
    }
    board.setUp({ user: 'pi', sshKeys: [KEY] });
    expect((await apply()).problems).toEqual([expect.stringContaining("is a link, or not the user's own")]);
    expect(board.read('/root/.ssh/authorized_keys')).toBe('of root\n');
    expect(readdirSync(victim)).toEqual(['authorized_keys']);
  });

  it('leave alone where new files are written when a link lies there', async () => {
    board.write('/root/secret', 'of root\n');
    board.folder('/home/pi/.ssh');
    symlinkSync(board.at('/root/secret'), board.at('/home/pi/.ssh/.authorized_keys.new'));
    board.setUp({ user: 'pi', sshKeys: [KEY] });
    expect((await apply()).problems).toEqual([]);
    expect([board.read('/root/secret'), board.read(keysFile)]).toEqual(['of root\n', `${KEY}\n`]);
  });

  it('make a user who is missing, in the groups that are there, without a password', async () => {
    board.answer = (command) => {
      if (command.startsWith('useradd')) board.addUser('ann');
      return { code: 0, output: '' };
    };
    board.setUp({ user: 'ann', sshKeys: [KEY] });
    expect((await apply()).problems).toEqual([]);
    expect(board.commands).toEqual(['useradd --create-home --shell /bin/bash --groups gpio,sudo ann']);
    expect(board.read('/home/ann/.ssh/authorized_keys')).toBe(`${KEY}\n`);
    expect(statSync(board.at('/etc/sudoers.d/010_pipevine-ann')).mode & 0o777).toBe(0o440);
  });

  it.each([
    ['off, by which it is switched on', 1, true],
    ['on, which stays as it is', 0, false],
  ])('find the SSH server %s', async (_how, code, isSwitchedOn) => {
    board.write('/lib/systemd/system/ssh.service', '');
    board.answer = (command) => ({ code: command.includes('is-enabled') ? code : 0, output: '' });
    board.setUp({ user: 'pi', sshKeys: [KEY] });
    expect((await apply()).problems).toEqual([]);
    expect(board.commands.includes('systemctl --no-block enable --now ssh.service')).toBe(isSwitchedOn);
  });

  it.each([
    ['nobody is named, and there is no first user', {}, 'user: pi'],
    ['the service has that name', { user: 'pipevine' }, 'choose another name'],
    ['useradd fails', { user: 'ann' }, 'useradd failed (1): no space'],
  ])('say when they are for nobody: %s', async (_why, setup, message) => {
    board.answer = () => ({ code: 1, output: 'no space\n' });
    board.setUp({ ...setup, sshKeys: [KEY] });
    expect((await apply()).problems).toEqual([expect.stringContaining(message)]);
  });
});
