import { BoardsError } from '../../boards-error.ts';
import type { BoardSetup } from '../../setup/board-setup.ts';
import type { Ext4Partition } from '../ext4-partition.ts';
import type { FatPartition } from '../fat-partition.ts';
import { type CloudInitDialect, META_DATA, networkConfigWith, userDataWith } from './cloud-init.ts';
import { preseedToml } from './preseed-toml.ts';

/** How an image is told its settings at the first boot, in the words of Raspberry Pi Imager. */
export type InitFormat = CloudInitDialect | 'rpi-preseed' | 'systemd' | 'none';

export interface HostSettings {
  readonly format: InitFormat;
  /** For the boot partition. */
  readonly files: readonly { readonly name: string; readonly content: string }[];
}

const PRESEED_UNIT = '/usr/lib/systemd/system/rpi-preseed.service';
/** The first boot of Bookworm, which reads custom.toml; later ones have only what the package rpi-preseed does. */
const BOOKWORM_SETTINGS = '/usr/lib/raspberrypi-sys-mods/init_config';
const RASPBERRY_PI_FILE = '/etc/rpi-issue';
const FIRST_BOOT = 'init=/usr/lib/raspberrypi-sys-mods/firstboot';

/**
 * The files by which the image's own first boot sets hostname, user, keys and Wi-Fi, as it has it: cloud-init, rpi-preseed, or
 * the older one of Raspberry Pi OS. An image without any leaves all to Pipevine, which reads the setup. Throws `refused` where
 * the image has settings of its own that would be lost.
 */
export async function hostSettings(
  boot: Pick<FatPartition, 'readText'>,
  root: Pick<Ext4Partition, 'find'>,
  setup: BoardSetup,
): Promise<HostSettings> {
  const found = await root.find([PRESEED_UNIT, BOOKWORM_SETTINGS, RASPBERRY_PI_FILE]);
  const userData = await boot.readText('user-data');
  if (userData !== undefined) {
    const metaData = await boot.readText('meta-data');
    const format = found.has(RASPBERRY_PI_FILE) ? 'cloudinit-rpi' : 'cloudinit';
    const changed = userDataWith(userData, setup, format);
    const network =
      setup.wifi === undefined ? undefined : networkConfigWith(await boot.readText('network-config'), setup.wifi);
    return {
      format,
      files: [
        ...(changed === undefined ? [] : [{ name: 'user-data', content: changed }]),
        ...(network === undefined ? [] : [{ name: 'network-config', content: network }]),
        ...(metaData === undefined ? [{ name: 'meta-data', content: META_DATA }] : []),
      ],
    };
  }
  if (found.has(PRESEED_UNIT)) {
    return { format: 'rpi-preseed', files: await newFile(boot, 'rpi-preseed.toml', preseedToml(setup, 'rpi-preseed')) };
  }
  if (found.has(BOOKWORM_SETTINGS) && (await boot.readText('cmdline.txt'))?.includes(FIRST_BOOT)) {
    return { format: 'systemd', files: await newFile(boot, 'custom.toml', preseedToml(setup, 'custom-toml')) };
  }
  return { format: 'none', files: [] };
}

async function newFile(
  boot: Pick<FatPartition, 'readText'>,
  name: string,
  content: string | undefined,
): Promise<HostSettings['files']> {
  if (content === undefined) return [];
  if ((await boot.readText(name)) === undefined) return [{ name, content }];
  throw new BoardsError(
    'refused',
    `the base image has settings of its own in ${name}; add yours there, and leave out --hostname, --wifi and --ssh-key`,
  );
}
