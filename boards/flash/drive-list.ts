import { readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import type { Drive, DrivePartition, DriveTransport } from './drive.ts';
import { DeviceUses } from './drive-uses.ts';
import { devicePath, readText, type SystemRoot } from './system-root.ts';

/** In units of this the kernel counts, whatever the sectors of a drive are. */
const KERNEL_SECTOR_BYTES = 512;
/** What can never be a card: optical drives, memory, parts of other devices, the hidden areas of an eMMC. */
const NO_DRIVE = /^(sr|fd|ram|zram|loop|dm-|md|nbd|mtdblock|zd)\d|^mmcblk\d+(boot\d+|rpmb)$/;

/** All drives with a medium, by name. The kernel's own files are read: they are there on every Linux, without any tool. */
export function listDrives(root: SystemRoot = '/'): readonly Drive[] {
  const uses = new DeviceUses(root);
  return folderNames(join(root, 'sys/block'))
    .filter((name) => !NO_DRIVE.test(name))
    .map((name) => readDrive(root, name, uses))
    .filter(({ bytes }) => bytes > 0);
}

/** The drive that a device file is, by its number. Throws `refused` for a partition, `not-found` where there is none. */
export function driveByNumber(path: string, deviceNumber: number, root: SystemRoot = '/'): Drive {
  const major = Math.floor(deviceNumber / 256) % 4_096;
  const minor = (deviceNumber % 256) + Math.floor(deviceNumber / 2 ** 20) * 256;
  let folder: string;
  try {
    folder = realpathSync(join(root, 'sys/dev/block', `${major}:${minor}`));
  } catch (error) {
    throw new BoardsError(
      'not-found',
      `the kernel knows no drive ${path} (any more); pipevine flash --list shows them`,
      {
        cause: error,
      },
    );
  }
  if (readText(join(folder, 'partition')) !== '') {
    const disk = devicePath(basename(dirname(folder)));
    throw new BoardsError('refused', `${path} is one partition; an image takes the whole drive: --device ${disk}`);
  }
  return readDrive(root, basename(folder), new DeviceUses(root));
}

function readDrive(root: SystemRoot, name: string, uses: DeviceUses): Drive {
  const folder = join(root, 'sys/block', name);
  const text = (file: string) => readText(join(folder, file));
  const transport = transportOf(name, realFolder(folder), text('device/type'));
  const partitionNames = folderNames(folder).filter((each) => text(join(each, 'partition')) !== '');
  return {
    path: devicePath(name),
    model: (text('device/model') === '' ? text('device/name') : `${text('device/vendor')} ${text('device/model')}`)
      .replace(/^(ATA|0x[0-9a-f]+)? /, '')
      .trim(),
    bytes: bytesOf(text('size')),
    transport,
    isRemovable: text('removable') === '1' || transport === 'usb' || transport === 'sd',
    isReadOnly: text('ro') === '1',
    sequence: text('diskseq'),
    partitions: partitionNames.map((each) => readPartition(root, each, join(folder, each))),
    uses: [name, ...partitionNames].flatMap((each) => uses.of(each)),
  };
}

function readPartition(root: SystemRoot, name: string, folder: string): DrivePartition {
  const properties = readText(join(root, 'run/udev/data', `b${readText(join(folder, 'dev'))}`));
  const property = (key: string) => new RegExp(`^E:${key}=(.*)$`, 'm').exec(properties)?.[1] ?? '';
  return {
    path: devicePath(name),
    bytes: bytesOf(readText(join(folder, 'size'))),
    label: property('ID_FS_LABEL'),
    fileSystem: property('ID_FS_TYPE'),
  };
}

/** By the way to the device through buses, which its folder in /sys/devices spells out. */
function transportOf(name: string, folder: string, type: string): DriveTransport {
  if (name.startsWith('mmcblk')) return type === 'MMC' ? 'emmc' : 'sd';
  if (name.startsWith('loop')) return 'loop';
  if (/\/usb\d+\//.test(folder)) return 'usb';
  if (name.startsWith('nvme')) return 'nvme';
  if (/\/ata\d+\//.test(folder)) return 'sata';
  return /\/virtio\d+\//.test(folder) ? 'virtio' : 'other';
}

function bytesOf(sectors: string): number {
  const bytes = Number(sectors) * KERNEL_SECTOR_BYTES;
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : 0;
}

function folderNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}
