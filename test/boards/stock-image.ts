import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

interface DiskInit {
  readonly table?: 'dos' | 'gpt';
  /** On the boot partition. */
  readonly bootFiles?: Readonly<Record<string, string>>;
  readonly rootMiB?: number;
}

export interface StockImageInit extends DiskInit {
  readonly architecture?: string;
  /** On the root partition, absolute, besides those that every one has. */
  readonly rootFiles?: Readonly<Record<string, string>>;
}

export interface StockImage {
  readonly file: string;
  readonly bootOffset: number;
  readonly rootOffset: number;
}

const MIB = 2 ** 20;
const BOOT_AT_MIB = 4;
const BOOT_MIB = 40;
const ROOT_AT_MIB = BOOT_AT_MIB + BOOT_MIB;
const TOOLS = { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' }, stdio: 'pipe' } as const;

/** Runs a tool of file systems; what it prints. */
export const tool = (name: string, ...args: string[]): string =>
  execFileSync(name, args, { ...TOOLS, encoding: 'utf8' });

/** What cloud-init brings on the boot partition of Raspberry Pi OS: settings as comments, and the cable. */
export const CLOUD_INIT_FILES = {
  'user-data':
    '#cloud-config\n\n# Settings of the first start. For example:\n#hostname: raspberrypi\n\n# No passwords over SSH.\nssh_pwauth: false\n\n#users:\n#- name: someone\n',
  'network-config':
    '# Networks.\nnetwork:\n  version: 2\n\n  ethernets:\n    eth0:\n      dhcp4: true\n      optional: true\n\n#  wifis:\n#    wlan0:\n#      dhcp4: true\n',
  'meta-data': '# Which source this is.\ndsmode: local\ninstance_id: rpios-image\n',
};

/** dpkg's list of a small system. */
export const statusOf = (architecture: string): string =>
  ['dpkg', 'libc6', 'libstdc++6', 'libgcc-s1', 'systemd']
    .map(
      (name) =>
        `Package: ${name}\nStatus: install ok installed\nArchitecture: ${architecture}\nVersion: 99-1\nDescription: ${name}\n two lines\n`,
    )
    .join('\n');

/** An image as Raspberry Pi OS and Debian come, with /usr merged, and nothing that runs. */
export function makeStockImage(folder: string, name: string, init: StockImageInit = {}): StockImage {
  const { architecture = 'arm64', rootFiles = {}, ...disk } = init;
  const tree = join(folder, `${name}.tree`);
  for (const path of [
    'usr/bin',
    'usr/sbin',
    'usr/lib/systemd/system',
    'etc/systemd/system/multi-user.target.wants',
    'var/lib/dpkg/info',
    'boot/firmware',
    'root',
    'tmp',
  ]) {
    mkdirSync(join(tree, path), { recursive: true });
  }
  for (const top of ['bin', 'sbin', 'lib']) symlinkSync(`usr/${top}`, join(tree, top));
  const files = {
    '/etc/fstab': 'proc /proc proc defaults 0 0\nLABEL=bootfs /boot/firmware vfat defaults 0 2\n',
    '/etc/hostname': 'stock\n',
    '/etc/rpi-issue': 'Raspberry Pi reference\n',
    '/usr/bin/tool': 'x'.repeat(300_000),
    '/usr/lib/systemd/system/multi-user.target': '[Unit]\n',
    '/var/lib/dpkg/status': statusOf(architecture),
    ...rootFiles,
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content);
  }
  const image = makeDisk(folder, name, tree, disk);
  rmSync(tree, { recursive: true });
  return image;
}

/** The image of a disk: a FAT boot partition, and an ext4 root with what is in `tree`. */
export function makeDisk(folder: string, name: string, tree: string, init: DiskInit = {}): StockImage {
  const { table = 'dos', bootFiles = {}, rootMiB = 64 } = init;
  const [boot, root, file] = [join(folder, `${name}.boot`), join(folder, `${name}.root`), join(folder, name)];
  for (const [path, mib] of [
    [boot, BOOT_MIB],
    [root, rootMiB],
    [file, ROOT_AT_MIB + rootMiB + 1],
  ] as const) {
    writeFileSync(path, '');
    truncateSync(path, mib * MIB);
  }
  tool('mkfs.vfat', '-F', '32', '-n', 'bootfs', boot);
  for (const [path, content] of Object.entries({
    'config.txt': 'arm_64bit=1\n',
    'kernel8.img': 'k'.repeat(90_000),
    ...bootFiles,
  })) {
    writeFileSync(join(folder, 'boot-file'), content);
    tool('mcopy', '-i', boot, join(folder, 'boot-file'), `::/${path}`);
  }
  tool('mke2fs', '-q', '-t', 'ext4', '-O', 'metadata_csum_seed,orphan_file', '-L', 'rootfs', '-d', tree, root);
  const types = table === 'gpt' ? ['uefi', 'linux'] : ['c', '83'];
  execFileSync('sfdisk', ['-q', file], {
    ...TOOLS,
    input: `label: ${table}\nstart=${BOOT_AT_MIB}MiB, size=${BOOT_MIB}MiB, type=${types[0]}\nstart=${ROOT_AT_MIB}MiB, size=${rootMiB}MiB, type=${types[1]}\n`,
  });
  const disk = openSync(file, 'r+');
  for (const [part, mib] of [
    [boot, BOOT_AT_MIB],
    [root, ROOT_AT_MIB],
  ] as const) {
    writeSync(disk, readFileSync(part), 0, undefined, mib * MIB);
    rmSync(part);
  }
  closeSync(disk);
  return { file, bootOffset: BOOT_AT_MIB * MIB, rootOffset: ROOT_AT_MIB * MIB };
}
