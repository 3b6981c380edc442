export type DriveTransport = 'usb' | 'sd' | 'emmc' | 'nvme' | 'sata' | 'virtio' | 'loop' | 'other';

/** What keeps a drive busy. */
export interface DriveUse {
  readonly kind: 'mount' | 'swap' | 'holder';
  /** The drive, one of its partitions, or what lies on top of them. */
  readonly device: string;
  /** Where it is mounted; of a holder the device that holds it: LVM, RAID, encryption. Empty for swap. */
  readonly at: string;
}

export interface DrivePartition {
  readonly path: string;
  readonly bytes: number;
  /** Empty where udev knows none. Text of whoever made the file system: show it with care. */
  readonly label: string;
  /** Such as `vfat`. Empty where udev knows none. */
  readonly fileSystem: string;
}

/** A whole disk: a card in its reader, a USB stick, a built-in disk. */
export interface Drive {
  readonly path: string;
  /** What the drive says of itself; may be empty. Text of its maker: show it with care. */
  readonly model: string;
  /** 0: there is no card in the reader. */
  readonly bytes: number;
  readonly transport: DriveTransport;
  /** Whether people plug it in and out: a USB drive, a card. */
  readonly isRemovable: boolean;
  readonly isReadOnly: boolean;
  /** The kernel counts each medium that is put in; empty before Linux 5.15. */
  readonly sequence: string;
  readonly partitions: readonly DrivePartition[];
  readonly uses: readonly DriveUse[];
}

/** Folders of which a running system needs at least one. */
const SYSTEM_FOLDERS = ['/boot', '/efi', '/usr', '/var', '/home', '/etc', '/nix', '/opt', '/root', '/srv'];

/** Whether this machine itself lives there: such a drive is never written to. */
export function isSystemUse({ kind, at }: DriveUse): boolean {
  if (kind === 'swap') return true;
  return (
    kind === 'mount' && (at === '/' || SYSTEM_FOLDERS.some((folder) => at === folder || at.startsWith(`${folder}/`)))
  );
}
