import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { arArchive } from '../../debian/ar-archive.ts';
import { debianPackage } from '../../debian/debian-package.ts';
import { type TarEntry, tarArchive } from '../../debian/tar-archive.ts';
import type { FoundFile } from '../ext4-partition.ts';
import { arMembers } from './ar-reader.ts';
import { type DebianPackage, readDebianPackage } from './debian-package-reader.ts';
import { installedPackages } from './dpkg-registration.ts';
import { packageInstallation } from './install-package.ts';
import { tarEntries } from './tar-reader.ts';

const CONTROL = {
  Package: 'pipevine',
  Version: '1.0',
  Architecture: 'arm64',
  Maintainer: 'A <a@b.c>',
  Depends: 'libc6 (>= 2.28), a | systemd',
  Description: 'peers\n of an overlay',
};
const UNIT = '[Service]\nExecStart=/usr/bin/pipevine\n\n[Install]\nWantedBy=multi-user.target other.target\n# end\n';
const FILES: readonly TarEntry[] = [
  { type: 'file', path: 'etc/pipevine/pipevine.yaml', mode: 0o644, content: Buffer.from('# x\n') },
  { type: 'file', path: 'lib/systemd/system/pipevine.service', mode: 0o644, content: Buffer.from(UNIT) },
  { type: 'file', path: 'usr/lib/pipevine/1.0/pipevine', mode: 0o755, content: Buffer.from('x'.repeat(1000)) },
  {
    type: 'file',
    path: 'usr/lib/systemd/system/helper.service',
    mode: 0o644,
    content: Buffer.from('[Service]\nExecStart=/bin/true\n'),
  },
  { type: 'link', path: 'usr/bin/pipevine', target: '../lib/pipevine/1.0/pipevine' },
];
const STATUS =
  'Package: dpkg\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1\n\nPackage: libc6\nStatus: install ok installed\nVersion: 2\n\nPackage: systemd\nStatus: install ok installed\nVersion: 3\n';

let folder: string;
let pack: DebianPackage;
const packed = (control: Record<string, string> = CONTROL) =>
  debianPackage({
    control,
    files: FILES,
    scripts: { postinst: '#!/bin/sh\n' },
    conffiles: ['/etc/pipevine/pipevine.yaml'],
    timeSeconds: 0,
    compression: 'fast',
  });
const read = async (content: Uint8Array) => {
  writeFileSync(join(folder, 'x.deb'), content);
  return readDebianPackage(join(folder, 'x.deb'));
};
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-package-'));
  pack = await read(await packed());
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a package', () => {
  test('is read as it was written', () => {
    const written = FILES.map(({ path }) => path);
    expect(
      pack.files
        .filter(({ type }) => type !== 'folder')
        .map(({ path }) => path)
        .sort(),
    ).toEqual([...written].sort());
    expect(pack.files.find(({ path }) => path === 'usr/bin/pipevine')).toEqual(FILES[4]);
    expect(pack.files.find(({ path }) => path === 'usr/lib/pipevine/1.0/pipevine')).toMatchObject({ mode: 0o755 });
    expect(pack.control.get('Description')).toBe('peers\n of an overlay');
    expect([...pack.controlFiles.keys()]).toEqual(['control', 'md5sums', 'conffiles', 'postinst']);
  });

  test('of another name, of other compression or damaged is refused', async () => {
    await expect(read(await packed({ ...CONTROL, Package: 'other' }))).rejects.toThrow('is the package "other"');
    await expect(read(arArchive([{ name: 'data.tar.zst', content: new Uint8Array(3) }], 0))).rejects.toThrow(
      'holds data.tar.zst',
    );
    const damaged = Buffer.from(await packed());
    damaged.fill(7, damaged.length - 200, damaged.length - 100);
    await expect(read(damaged)).rejects.toThrow('cannot be unpacked');
    await expect(readDebianPackage(join(folder, 'none.deb'))).rejects.toThrow('cannot be read (ENOENT)');
  });
});

describe('a hostile archive', () => {
  const tar = tarArchive([{ type: 'file', path: 'a/b', mode: 0o644, content: Buffer.from('x'.repeat(600)) }], 0);
  const changed = (at: number, text: string) => {
    const copy = Buffer.from(tar);
    copy.write(text, at, 'latin1');
    copy.write(' '.repeat(8), 148, 'latin1');
    const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return copy;
  };

  test.each([
    ['a path that leads upwards', changed(0, './../../etc/passwd\0'), 'only plain names'],
    ['an absolute path', changed(0, '/etc/passwd\0'), 'only plain names'],
    ['a path of several words', changed(0, './a b\0'), 'only plain names'],
    ['a line end in a path', changed(0, './a\nrm\0'), 'only plain names'],
    ['a hard link', changed(156, '1'), 'no file, folder or plain symbolic link'],
    ['a device', changed(156, '3'), 'no file, folder or plain symbolic link'],
    ['an owner', changed(108, '0000001\0'), 'does not belong to root'],
    ['a length beyond its end', changed(124, '77777777777\0'), 'cut off'],
    ['a length that is none', changed(124, 'xxxxxxxxxxx\0'), 'a number in it is damaged'],
  ])('with %s is refused', (_case, archive, message) => {
    expect(() => tarEntries(archive)).toThrow(message);
  });

  test('is refused wherever it is cut off', () => {
    for (let end = 0; end < tar.length - 1024; end += 64)
      expect(() => tarEntries(tar.subarray(0, end))).toThrow('cut off');
    const archive = arArchive([{ name: 'a', content: Buffer.alloc(101) }], 0);
    for (let end = 9; end < 170; end += 7)
      expect(() => arMembers(archive.subarray(0, end))).toThrow('damaged or cut off');
    expect(() => arMembers(Buffer.from('hello'))).toThrow('no ar archive');
  });
});

describe('the installation of a package', () => {
  const FOLDERS = [
    '/etc',
    '/etc/systemd',
    '/etc/systemd/system',
    '/usr',
    '/usr/bin',
    '/usr/lib',
    '/usr/lib/systemd',
    '/usr/lib/systemd/system',
    '/var',
    '/var/lib',
    '/var/lib/dpkg',
    '/var/lib/dpkg/info',
  ];
  const changesIn = (further: Record<string, FoundFile> = {}, status: string | undefined = STATUS) => {
    const files = new Map<string, FoundFile>([
      ...FOLDERS.map((path) => [path, { type: 'folder', bytes: 0 }] as const),
      ['/lib', { type: 'link', bytes: 7, target: 'usr/lib' }],
      ['/var/lib/dpkg/status', { type: 'file', bytes: 9 }],
      ...Object.entries(further),
    ]);
    const find = async (paths: readonly string[]) => new Map([...files].filter(([path]) => paths.includes(path)));
    return packageInstallation({ find, read: async () => Buffer.from(status) }, pack, 1_800_000_000);
  };

  test('puts files where merged folders are, makes missing folders only, and enables units', async () => {
    const changes = await changesIn();
    expect(changes.filter(({ type }) => type === 'folder').map(({ path }) => path)).toEqual([
      '/etc/pipevine',
      '/etc/systemd/system/multi-user.target.wants',
      '/etc/systemd/system/other.target.wants',
      '/usr/lib/pipevine',
      '/usr/lib/pipevine/1.0',
    ]);
    const links = changes.flatMap((change) => (change.type === 'link' ? [[change.path, change.target]] : []));
    expect(links).toEqual([
      ['/usr/bin/pipevine', '../lib/pipevine/1.0/pipevine'],
      ['/etc/systemd/system/multi-user.target.wants/pipevine.service', '/lib/systemd/system/pipevine.service'],
      ['/etc/systemd/system/other.target.wants/pipevine.service', '/lib/systemd/system/pipevine.service'],
    ]);
    expect(changes.some(({ path }) => path === '/usr/lib/systemd/system/pipevine.service')).toBe(true);
    expect(changes.some(({ type }) => type === 'touch')).toBe(false);
  });

  test('is known to dpkg', async () => {
    const changes = await changesIn();
    const content = (path: string) => {
      const change = changes.find((each) => each.path === path);
      return change?.type === 'file' ? Buffer.from(change.content).toString() : undefined;
    };
    const size = pack.control.get('Installed-Size');
    const sum = createHash('md5').update('# x\n').digest('hex');
    expect(content('/var/lib/dpkg/status')).toBe(
      `${STATUS}\nPackage: pipevine\nStatus: install ok installed\nVersion: 1.0\nArchitecture: arm64\nMaintainer: A <a@b.c>\nDepends: libc6 (>= 2.28), a | systemd\nConffiles:\n /etc/pipevine/pipevine.yaml ${sum}\nDescription: peers\n of an overlay\nInstalled-Size: ${size}\n\n`,
    );
    expect(content('/var/lib/dpkg/info/pipevine.list')?.split('\n').slice(0, 3)).toEqual([
      '/.',
      '/etc',
      '/etc/pipevine',
    ]);
    expect(
      changes.filter(({ path }) => path.startsWith('/var/lib/dpkg/info/')).map(({ path }) => path.slice(28)),
    ).toEqual(['md5sums', 'conffiles', 'postinst', 'list']);
  });

  test('touches /usr where the system was started before, so that its groups are made', async () => {
    expect((await changesIn({ '/etc/.updated': { type: 'file', bytes: 1 } })).at(-1)).toEqual({
      type: 'touch',
      path: '/usr',
      timeSeconds: 1_800_000_000,
    });
  });

  test('leaves a unit that is enabled as it is', async () => {
    const path = '/etc/systemd/system/multi-user.target.wants/pipevine.service';
    const changes = await changesIn({ [path]: { type: 'link', bytes: 3, target: 'x' } });
    expect(changes.some((change) => change.path === path)).toBe(false);
  });

  test.each([
    [
      'files of nobody',
      { '/usr/bin/pipevine': { type: 'link', bytes: 3, target: 'x' } } as const,
      STATUS,
      'holds /usr/bin/pipevine already',
    ],
    [
      'a link where a folder belongs',
      { '/usr/lib/systemd': { type: 'link', bytes: 3, target: '/etc' } } as const,
      STATUS,
      '/usr/lib/systemd of the base image is a link',
    ],
    [
      'Pipevine',
      {},
      `${STATUS}\nPackage: pipevine\nStatus: install ok installed\nVersion: 0.9\n`,
      'holds Pipevine 0.9 already',
    ],
    [
      'what is left of Pipevine',
      {},
      `${STATUS}\nPackage: pipevine\nStatus: deinstall ok config-files\nVersion: 0.9\n`,
      'holds Pipevine 0.9 already',
    ],
    [
      'another architecture',
      {},
      STATUS.replace('arm64', 'armhf'),
      'is of a system for armhf, and the board needs one for arm64',
    ],
    ['no systemd', {}, STATUS.replace('systemd', 'sysvinit'), 'lacks packages that Pipevine needs: a'],
    ['no packages', {}, '', 'has no packages of dpkg'],
  ])('is refused for a system with %s', async (_case, further, status, message) => {
    await expect(changesIn(further, status)).rejects.toThrow(message);
  });
});

test('packages that were removed do not count', () => {
  const removed = 'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n';
  expect([...installedPackages(`${STATUS}\n${removed}`).versions.keys()]).toEqual(['dpkg', 'libc6', 'systemd']);
});
