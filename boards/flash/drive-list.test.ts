import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { driveByNumber, listDrives } from './drive-list.ts';
import { checkDrive, checkRoom, driveFault } from './drive-rules.ts';

const GB = 2_000_000; // in sectors of 512 bytes

/** A machine with an encrypted system on NVMe, a card in a USB reader, one in a slot of its own, an empty reader. */
let root: string;

function put(path: string, content: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function link(path: string, to: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(join(root, to), join(root, path));
}

function disk(folder: string, name: string, number: string, files: Record<string, string>): void {
  const path = join('sys/devices', folder, name);
  put(join(path, 'dev'), `${number}\n`);
  for (const [file, content] of Object.entries({ removable: '0', ro: '0', diskseq: '7', ...files })) {
    put(join(path, file), `${content}\n`);
  }
  link(join('sys/block', name), path);
  link(join('sys/class/block', name), path);
  link(join('sys/dev/block', number), path);
}

function partition(diskFolder: string, name: string, number: string, sectors: number): void {
  const path = join('sys/devices', diskFolder, name);
  for (const [file, content] of [
    ['partition', '1'],
    ['dev', number],
    ['size', String(sectors)],
  ]) {
    put(join(path, file ?? ''), content ?? '');
  }
  link(join('sys/class/block', name), path);
  link(join('sys/dev/block', number), path);
}

function mounts(...lines: readonly string[]): void {
  put('proc/self/mountinfo', `${lines.join('\n')}\n`);
}

const ROOT_MOUNT = '22 1 0:27 / / rw shared:1 - btrfs /dev/mapper/system rw,subvol=/@';
const at = (path: string) => listDrives(root).find((drive) => drive.path === path);
const fault = (path: string, fixedAllowed = false) => {
  const drive = at(path);
  return drive === undefined ? 'no such drive' : driveFault(drive, fixedAllowed);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pipevine-drives-'));
  disk('pci0/nvme/nvme0', 'nvme0n1', '259:0', { size: String(500 * GB), 'device/model': 'Fast 500' });
  partition('pci0/nvme/nvme0/nvme0n1', 'nvme0n1p1', '259:1', 400 * GB);
  disk('virtual/block', 'dm-0', '253:0', { size: String(400 * GB) });
  put('sys/devices/pci0/nvme/nvme0/nvme0n1/nvme0n1p1/holders/dm-0', '');
  put('dev/dm-0', '');
  link('dev/mapper/system', 'dev/dm-0');
  disk('pci0/usb1/1-2/host6', 'sdb', '8:16', {
    size: String(32 * GB),
    removable: '1',
    'device/vendor': 'Generic',
    'device/model': 'SD\u001b[2J/MMC',
  });
  partition('pci0/usb1/1-2/host6/sdb', 'sdb1', '8:17', GB);
  put('run/udev/data/b8:17', 'S:disk/by-label/x\nE:ID_FS_LABEL=bootfs\nE:ID_FS_TYPE=vfat\n');
  disk('pci0/usb1/1-2/host7', 'sdc', '8:32', { size: '0', removable: '1', 'device/model': 'SD/MMC' });
  disk('platform/mmc_host/mmc0/mmc0:aaaa', 'mmcblk0', '179:0', {
    size: String(16 * GB),
    'device/type': 'SD',
    'device/name': 'SD16G',
  });
  disk('platform/mmc_host/mmc1/mmc1:0001', 'mmcblk1', '179:32', { size: String(8 * GB), 'device/type': 'MMC' });
  disk('platform/mmc_host/mmc1/mmc1:0001/b', 'mmcblk1boot0', '179:64', { size: '8192', 'device/type': 'MMC' });
  mounts(ROOT_MOUNT, '23 22 0:5 / /proc rw - proc proc rw');
  put('proc/swaps', 'Filename\tType\tSize\tUsed\tPriority\n');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the drives of a machine', () => {
  it('are disks with a medium; people plug in USB drives and cards', () => {
    expect(listDrives(root).map(({ path, transport, isRemovable }) => [path, transport, isRemovable])).toEqual([
      ['/dev/mmcblk0', 'sd', true],
      ['/dev/mmcblk1', 'emmc', false],
      ['/dev/nvme0n1', 'nvme', false],
      ['/dev/sdb', 'usb', true],
    ]);
  });

  it('say what they are and what is on them; a hostile name stays what it is', () => {
    expect(at('/dev/sdb')).toMatchObject({
      model: 'Generic SD\u001b[2J/MMC',
      bytes: 32 * GB * 512,
      sequence: '7',
      partitions: [{ path: '/dev/sdb1', bytes: GB * 512, label: 'bootfs', fileSystem: 'vfat' }],
      uses: [],
    });
    expect(at('/dev/mmcblk0')?.model).toBe('SD16G');
  });

  it('are found by their number; a partition is none', () => {
    expect(driveByNumber('/dev/sdb', 8 * 256 + 16, root).path).toBe('/dev/sdb');
    expect(driveByNumber('/dev/nvme0n1', 259 * 256, root).path).toBe('/dev/nvme0n1');
    expect(() => driveByNumber('/dev/sdb1', 8 * 256 + 17, root)).toThrow('takes the whole drive: --device /dev/sdb');
    expect(() => driveByNumber('/dev/sdz', 65 * 256, root)).toThrow('the kernel knows no drive /dev/sdz');
    expect(driveByNumber('/dev/mmcblk1boot0', 179 * 256 + 64, root).isRemovable).toBe(false);
  });
});

describe('a drive', () => {
  it('that is removable and idle may be written to', () => {
    expect([fault('/dev/sdb'), fault('/dev/mmcblk0')]).toEqual([undefined, undefined]);
  });

  it('that holds the system may not, through encryption and even when it is named as a fixed disk', () => {
    expect(fault('/dev/nvme0n1', true)).toContain('holds the system of this machine (/dev/dm-0 is mounted at /)');
  });

  it.each(['/boot/firmware', '/usr', '/home'])('that has %s may not', (folder) => {
    mounts(ROOT_MOUNT, `30 22 8:17 / ${folder} rw - vfat /dev/sdb1 rw`);
    expect(fault('/dev/sdb', true)).toContain('holds the system');
  });

  it('that has swap may not', () => {
    put('proc/swaps', 'Filename\tType\tSize\tUsed\tPriority\n/dev/sdb1 partition 100 0 -2\n');
    expect(fault('/dev/sdb', true)).toContain('/dev/sdb1 is swap');
  });

  it('that is mounted may not, and it is said how to unmount it', () => {
    mounts(
      ROOT_MOUNT,
      '30 22 8:17 / /media/my\\040card rw - vfat /dev/sdb1 rw',
      '31 22 179:0 / /media/x rw - vfat /dev/mmcblk0 rw',
    );
    expect(fault('/dev/sdb')).toBe(
      '/dev/sdb is in use: /dev/sdb1 is mounted at /media/my card; close what is open there, then: sudo umount /dev/sdb1',
    );
    expect(fault('/dev/mmcblk0')).toContain('sudo umount /dev/mmcblk0');
  });

  it('that is part of something larger may not', () => {
    put('sys/devices/pci0/usb1/1-2/host6/sdb/sdb1/holders/md0', '');
    expect(fault('/dev/sdb')).toContain('/dev/sdb1 is part of /dev/md0 (LVM, RAID or encryption)');
  });

  it('that is write-protected may not', () => {
    put('sys/devices/pci0/usb1/1-2/host6/sdb/ro', '1');
    expect(fault('/dev/sdb')).toContain('write-protected');
  });

  it('that is built in may only when it is named as such', () => {
    expect(fault('/dev/mmcblk1')).toContain('--fixed-disk /dev/mmcblk1');
    expect(fault('/dev/mmcblk1', true)).toBeUndefined();
  });

  it('without a card has nothing to write to', () => {
    const drive = driveByNumber('/dev/sdc', 8 * 256 + 32, root);
    expect(() => checkDrive(drive, false)).toThrow('/dev/sdc has no card in it');
  });

  it('must have room for the image', () => {
    expect(() => checkRoom('/dev/sdb', 1_000, 1_001)).toThrow('needs 1001 bytes or more, /dev/sdb has 1000');
    expect(() => checkRoom('/dev/sdb', 1_000, 1_000)).not.toThrow();
  });
});
