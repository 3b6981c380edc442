/** What the system of an image is made of, before the board's own package. All of it is part of the name that the cache knows it by. */

export const SUITE = 'trixie';
export const COMPONENTS = ['main', 'non-free-firmware'] as const;

/** Labels of the file systems: FAT knows 11 characters, ext4 16. */
export const BOOT_LABEL = 'PIPEVINE';
export const ROOT_LABEL = 'pipevine-root';
/** Who logs in by SSH where the setup names nobody. */
export const FIRST_USER = 'pi';

export const PACKAGES = [
  'linux-image-arm64',
  'raspi-firmware',
  'firmware-brcm80211', // Wi-Fi and Bluetooth of every Raspberry Pi
  'wireless-regdb',
  'wpasupplicant',
  'systemd-sysv',
  'systemd-resolved',
  'libidn2-0', // without it systemd-resolved tells no name.local to the network
  'systemd-timesyncd',
  'udev',
  'dbus',
  'kmod',
  'netbase',
  'iproute2',
  'openssh-server',
  'sudo',
  'fdisk', // sfdisk, which gives the root partition the rest of the card
  'dosfstools', // checks the boot partition
  'e2fsprogs', // checks the root file system
  'gpiod', // pins of the board as a thing
  'libstdc++6',
  'zstd', // of the initial RAM disk
] as const;

const DRIVERS = '/usr/lib/modules/*/kernel/drivers';

/**
 * What dpkg leaves out, now and at each later upgrade, by dpkg.cfg(5): the last rule that fits counts. Of the kernel's large groups of
 * drivers only those stay that a Raspberry Pi, cameras and disks on its USB, and virtual machines need.
 */
export const PACKAGE_PATHS: readonly string[] = [
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/lib/linux-image-*/*',
  'path-include=/usr/lib/linux-image-*/broadcom/*',
  // Firmware cut down, for debugging, and for the Pi's own cameras, which need drivers that Debian does not have.
  ...['start_cd', 'start_db', 'start_x', 'start4cd', 'start4db', 'start4x'].map(
    (name) => `path-exclude=/usr/lib/raspi-firmware/${name}.elf`,
  ),
  // Of the radios those that are on a Raspberry Pi.
  ...['brcm', 'cypress'].flatMap((maker) => [
    `path-exclude=/usr/lib/firmware/${maker}/*`,
    ...['4343[06]', '4345'].map((chip) => `path-include=/usr/lib/firmware/${maker}/*${chip}*`),
  ]),
  // Conversions between character sets that nobody uses any more.
  'path-exclude=/usr/lib/aarch64-linux-gnu/gconv/*',
  'path-exclude=/usr/lib/modules/*/kernel/sound/*',
  ...'ata gpu infiniband md media mtd net/ethernet net/wireless scsi staging target'
    .split(' ')
    .map((folder) => `path-exclude=${DRIVERS}/${folder}/*`),
  ...['bcachefs', 'btrfs', 'ceph', 'gfs2', 'jfs', 'ocfs2', 'orangefs', 'xfs'].map(
    (name) => `path-exclude=/usr/lib/modules/*/kernel/fs/${name}/*`,
  ),
  ...['media/mc', 'media/v4l2-core', 'media/common/videobuf2', 'media/usb/uvc'].map(
    (folder) => `path-include=${DRIVERS}/${folder}/*`,
  ),
  `path-include=${DRIVERS}/media/common/uvc*`,
  `path-include=${DRIVERS}/net/ethernet/broadcom/genet/*`,
  `path-include=${DRIVERS}/net/wireless/broadcom/*`,
  `path-include=${DRIVERS}/scsi/sd_mod.ko*`,
  `path-include=${DRIVERS}/scsi/scsi_*.ko*`,
];

/** Of the initial RAM disk: what is needed until the root file system is there, on a card, on USB, in a virtual machine. */
const EARLY_MODULES = [
  'ext4 vfat nls_ascii nls_cp437',
  'bcm2835 sdhci_iproc sdhci_brcmstb mmc_block raspberrypi_cpufreq',
  'dwc2 xhci_pci pcie_brcmstb reset_raspberrypi phy_generic usb_storage uas sd_mod',
  'virtio_blk virtio_mmio virtio_pci virtio_net',
].flatMap((line) => line.split(' '));

/** Without its boot partition a board works on, once it is set up. The wait for that is long enough for an emulator. */
const FSTAB = `LABEL=${ROOT_LABEL} / ext4 defaults,noatime,x-systemd.growfs 0 1
LABEL=${BOOT_LABEL} /boot/firmware vfat defaults,umask=0077,nofail,x-systemd.device-timeout=5min 0 2
`;

/** For shells; `$1` is the folder of the system. Runs when dpkg works, before the packages above come. */
export const ESSENTIAL_HOOK = `set -e
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/boot/firmware"
${written('/etc/initramfs-tools/conf.d/pipevine', 'MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=3\nRESUME=none\nFSTYPE=ext4\n')}
${written('/etc/initramfs-tools/modules', EARLY_MODULES.map((name) => `${name}\n`).join(''))}
${written('/etc/fstab', FSTAB)}`;

/**
 * Runs when all packages are there. The firmware's own settings must not stand before its package does. The console is named:
 * else the devices of the machine that builds would count. No memory is set apart for screens, which model 4 does not start with.
 */
export const CUSTOMIZE_HOOK = `set -e
${written('/etc/default/raspi-firmware', `ROOTPART=LABEL=${ROOT_LABEL}\nCMA=0\nCONSOLES="ttyS1,115200 tty0"\n`)}
chroot "$1" sh -ec '
  for kernel in $(ls /lib/modules); do
    update-initramfs -c -k "$kernel"
    DEB_MAINT_PARAMS=configure run-parts --arg="$kernel" /etc/kernel/postinst.d
  done
  systemctl --quiet enable systemd-networkd.service systemd-resolved.service systemd-timesyncd.service ssh.service
  systemctl --quiet disable wpa_supplicant.service # that of D-Bus; the setup starts the one of an interface
  useradd --create-home --shell /bin/bash ${FIRST_USER}
'`;

/** The name of the file stays out of what the shell sees; content has no quotes of its own. */
function written(path: string, content: string): string {
  return `printf '%s' '${content}' > "$1${path}"`;
}
