import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type BoardSetup, encodeBoardSetup } from '../../setup/board-setup.ts';
import { checkBootFolder } from './boot-folder.ts';
import { networkConfigWith, userDataWith } from './cloud-init.ts';
import { hostSettings } from './host-settings.ts';
import { preseedToml } from './preseed-toml.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcc ann@desk: "home" # 1';
const SETUP: BoardSetup = {
  joinCode: 'PV1-SECRET',
  hostname: 'no',
  user: 'null',
  sshKeys: [KEY, KEY],
  wifi: { ssid: 'Café: "a\\b" # {x}', password: '# correct: horse "\\', country: 'NO' },
};
encodeBoardSetup(SETUP);

describe('user-data of cloud-init', () => {
  test('keeps what a stock image has, and adds to it', () => {
    const stock =
      "#cloud-config\r\n# comment\n\nssh_pwauth: false\npackages:\n- a\n- b\n'quoted' : {a: 1}\nwrite_files:\n  - content: |\n      x\n";
    const text = userDataWith(stock, SETUP, 'cloudinit') ?? '';
    expect(text.startsWith('#cloud-config\r\n# comment')).toBe(true);
    expect(parse(text)).toMatchObject({
      ssh_pwauth: false,
      packages: ['a', 'b'],
      quoted: { a: 1 },
      hostname: 'no',
      manage_etc_hosts: true,
      users: [{ name: 'null', shell: '/bin/bash', lock_passwd: true, ssh_authorized_keys: [KEY, KEY] }],
    });
    expect(text).not.toContain('SECRET');
    expect(parse(text)).not.toHaveProperty('enable_ssh');
  });

  test('has SSH switched on by the word that only Raspberry Pi OS knows', () => {
    expect(parse(userDataWith('#cloud-config\n', SETUP, 'cloudinit-rpi') ?? '')).toMatchObject({ enable_ssh: true });
    expect(userDataWith('#cloud-config\n', { hostname: 'attic' }, 'cloudinit-rpi')).not.toContain('ssh');
  });

  test('gives keys without a name to the first user, and is left alone when there is nothing to say', () => {
    const { user: _user, ...nameless } = SETUP;
    expect(parse(userDataWith('#cloud-config\n', nameless, 'cloudinit') ?? '')).toMatchObject({
      ssh_authorized_keys: [KEY, KEY],
    });
    expect(userDataWith('#!/bin/sh\n', { joinCode: 'X' }, 'cloudinit')).toBeUndefined();
  });

  test.each([
    ['#cloud-config\nhostname: mine\n', 'sets hostname already'],
    ['#cloud-config\n"users" :\n- name: me\n', 'sets users already'],
    ['#!/bin/sh\necho\n', 'no cloud-config'],
    ['#cloud-config-archive\n- a\n', 'no cloud-config'],
    ['Content-Type: multipart/mixed\n', 'no cloud-config'],
    ['#cloud-config\n{hostname: mine}\n', '{hostname: mine}'],
    ['#cloud-config\n--- \nhostname: mine\n', '---'],
    ['#cloud-config\na: 1\n...\n', '...'],
    ['#cloud-config\na: "x\ny: z"\n? b\n', '? b'],
    ['#cloud-config\n"host\\u006eame": mine\n', 'nothing can be added safely'],
  ])('with settings of its own is refused: %j', (existing, message) => {
    expect(() => userDataWith(existing, SETUP, 'cloudinit')).toThrow(message);
  });
});

describe('network-config of cloud-init', () => {
  test.each([
    undefined,
    '# only comments\n',
    'network:\n  version: 2\n\n  ethernets:\n    eth0:\n      dhcp4: true\n      optional: true\n#  wifis:\n',
    'version: 2\nethernets:\n  eth0:\n    dhcp4: true\n    optional: true\n',
  ])('gets the wireless network beside the cable: %j', (existing) => {
    expect(parse(networkConfigWith(existing, SETUP.wifi ?? { ssid: '' }))).toEqual({
      network: {
        version: 2,
        ethernets: { eth0: { dhcp4: true, optional: true } },
        wifis: {
          wlan0: {
            dhcp4: true,
            optional: true,
            'regulatory-domain': 'NO',
            'access-points': { 'Café: "a\\b" # {x}': { password: '# correct: horse "\\' } },
          },
        },
      },
    });
  });

  test('has open networks, too', () => {
    expect(parse(networkConfigWith('', { ssid: 'x' })).network.wifis.wlan0['access-points']).toEqual({ x: {} });
  });

  test('with networks of its own is refused', () => {
    expect(() => networkConfigWith('network:\n  version: 2\n  wifis: {}\n', { ssid: 'x' })).toThrow(
      'networks of its own',
    );
  });
});

test('TOML for rpi-preseed and for the older first boot', () => {
  expect(preseedToml(SETUP, 'rpi-preseed')).toBe(`config_version = "1.0"

[system]
hostname = "no"

[user]
name = "null"
passwordless_sudo = true

[ssh]
enabled = true
password_authentication = false
authorized_keys = [${JSON.stringify(KEY)}, ${JSON.stringify(KEY)}]

[wlan]
ssid = "Café: \\"a\\\\b\\" # {x}"
password = "# correct: horse \\"\\\\"
password_encrypted = false
country = "NO"
`);
  expect(preseedToml({ hostname: 'a', wifi: { ssid: 'x', password: 'f'.repeat(64) } }, 'custom-toml')).toBe(
    `config_version = 1\n\n[system]\nhostname = "a"\n\n[wlan]\nssid = "x"\npassword = "${'f'.repeat(64)}"\npassword_encrypted = true\n`,
  );
  expect(preseedToml({ joinCode: 'X' }, 'rpi-preseed')).toBeUndefined();
});

describe('the way of an image', () => {
  const PRESEED = '/usr/lib/systemd/system/rpi-preseed.service';
  const BOOKWORM = '/usr/lib/raspberrypi-sys-mods/init_config';
  const CMDLINE = 'console=tty1 quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n';
  const settingsOf = (bootFiles: Record<string, string>, rootFiles: readonly string[], setup = SETUP) =>
    hostSettings(
      { readText: async (name) => bootFiles[name] },
      {
        find: async (paths) =>
          new Map(paths.filter((path) => rootFiles.includes(path)).map((path) => [path, { type: 'file', bytes: 1 }])),
      },
      setup,
    );

  test.each([
    [
      'cloudinit-rpi',
      { 'user-data': '#cloud-config\n' },
      ['/etc/rpi-issue', PRESEED],
      ['user-data', 'network-config', 'meta-data'],
    ],
    ['cloudinit', { 'user-data': '#cloud-config\n', 'meta-data': '' }, [], ['user-data', 'network-config']],
    ['rpi-preseed', {}, ['/etc/rpi-issue', PRESEED], ['rpi-preseed.toml']],
    ['systemd', { 'cmdline.txt': CMDLINE }, ['/etc/rpi-issue', BOOKWORM], ['custom.toml']],
    ['none', { 'cmdline.txt': 'quiet\n' }, ['/etc/rpi-issue', BOOKWORM], []],
    ['none', {}, [], []],
  ])('is found by what it holds: %s', async (format, bootFiles, rootFiles, names) => {
    const found = await settingsOf(bootFiles, rootFiles);
    expect([found.format, found.files.map(({ name }) => name)]).toEqual([format, names]);
  });

  test('adds no file where there is nothing to set, and overwrites none', async () => {
    expect((await settingsOf({}, [PRESEED], { joinCode: 'X' })).files).toEqual([]);
    await expect(settingsOf({ 'rpi-preseed.toml': 'x' }, [PRESEED])).rejects.toThrow(
      'settings of its own in rpi-preseed.toml',
    );
  });
});

describe('the boot partition', () => {
  test.each([
    'PARTUUID=1-01  /boot/firmware  vfat    defaults          0       2',
    '# x\nproc /proc proc defaults 0 0\n/dev/mmcblk0p1\t/boot/ vfat defaults\n',
    'LABEL=x /boot auto',
  ])('is mounted where the first boot looks: %j', (fstab) => {
    expect(() => checkBootFolder(fstab)).not.toThrow();
  });

  test.each([
    ['PARTUUID=1 /boot/efi vfat umask=0077 0 1\n', 'found one at /boot/efi'],
    ['# LABEL=x /boot vfat defaults\nLABEL=y /boot ext4 defaults 0 2\n', 'found none'],
    ['', 'found none'],
  ])('is refused elsewhere: %j', (fstab, message) => {
    expect(() => checkBootFolder(fstab)).toThrow(message);
  });
});
