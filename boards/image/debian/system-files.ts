import { FIRST_USER, SUITE } from './debian-recipe.ts';

/** A file of the image that is no package's: path from the root without a slash, text, mode; or a symbolic link. */
export type SystemFile =
  | { readonly path: string; readonly text: string; readonly mode?: number }
  | { readonly path: string; readonly target: string };

/** Older clocks than this are set to it: systemd-timesyncd(8). A Raspberry Pi has none of its own that goes on without power. */
export const CLOCK_FILE = 'usr/lib/clock-epoch';

/** Each start of a board takes them from the time until it has joined, and a card is written to by some. */
const NEVER_STARTED = [
  // The system is whole when it is made: at its first start nothing of this has to be made again.
  'ldconfig.service',
  'systemd-journal-catalog-update.service',
  // For LVM, which is not there; lists and copies of packages, that who installs something asks for.
  ...['e2scrub_reap.service', 'e2scrub_all.timer'],
  ...['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer'],
  // Of the kernel for those who develop it; of firmware and machines that a Raspberry Pi is not.
  ...['dev-hugepages.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'sys-fs-fuse-connections.mount'],
  ...['modprobe@fuse.service', 'modprobe@drm.service', 'modprobe@efi_pstore.service', 'systemd-pstore.service'],
  ...['systemd-network-generator.service', 'systemd-udev-load-credentials.service'],
];

/** What turns the packages into a system: network, clock, names, SSH, and the growth to the size of the card. */
export const SYSTEM_FILES: readonly SystemFile[] = [
  { path: 'etc/hostname', text: 'pipevine\n' },
  {
    path: 'etc/hosts',
    text: '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tpipevine\n',
  },
  // Made by systemd at the first boot: machine-id(5).
  { path: 'etc/machine-id', text: '', mode: 0o444 },
  { path: 'etc/resolv.conf', target: '../run/systemd/resolve/stub-resolv.conf' },
  {
    path: 'etc/apt/sources.list.d/debian.sources',
    text: [
      ['http://deb.debian.org/debian', `${SUITE} ${SUITE}-updates`],
      ['http://deb.debian.org/debian-security', `${SUITE}-security`],
    ]
      .map(
        ([url, suites]) =>
          `Types: deb\nURIs: ${url}\nSuites: ${suites}\nComponents: main non-free-firmware\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n`,
      )
      .join('\n'),
  },
  { path: 'etc/apt/apt.conf.d/90pipevine', text: 'Acquire::Languages "none";\n' },

  // eth0 and wlan0 are called so, whatever bus they are on: systemd.net-naming-scheme(7).
  { path: 'etc/systemd/network/99-default.link', target: '/dev/null' },
  {
    path: 'etc/systemd/network/90-pipevine-wired.network',
    text: '[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=yes\nMulticastDNS=yes\n',
  },
  // The peer waits for one network, and not for a cable that nobody has plugged in.
  {
    path: 'etc/systemd/system/systemd-networkd-wait-online.service.d/pipevine.conf',
    text: '[Service]\nExecStart=\nExecStart=/usr/lib/systemd/systemd-networkd-wait-online --any --timeout=30\n',
  },
  { path: 'etc/systemd/resolved.conf.d/pipevine.conf', text: '[Resolve]\nMulticastDNS=yes\n' },
  // The card is spared, and a small board's memory.
  {
    path: 'etc/systemd/journald.conf.d/pipevine.conf',
    text: '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n',
  },

  ...NEVER_STARTED.map((unit) => ({ path: `etc/systemd/system/${unit}`, target: '/dev/null' })),

  // Keys alone let in, and root not at all.
  {
    path: 'etc/ssh/sshd_config.d/pipevine.conf',
    text: 'PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\nHostKey /etc/ssh/ssh_host_ed25519_key\n',
  },
  {
    path: `etc/sudoers.d/010_pipevine-${FIRST_USER}`,
    text: `${FIRST_USER} ALL=(ALL) NOPASSWD: ALL\n`,
    mode: 0o440,
  },
  {
    path: 'etc/systemd/system/pipevine-host-key.service',
    text: `[Unit]
Description=Make the key that this board shows to SSH clients
ConditionFileNotEmpty=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service

[Service]
Type=oneshot
# A key that a power cut has left empty is made again.
ExecStartPre=/usr/bin/rm -f /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key.pub
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key
ExecStartPost=/usr/bin/sync /etc/ssh/ssh_host_ed25519_key /etc/ssh

[Install]
WantedBy=ssh.service
`,
  },
  {
    path: 'etc/systemd/system/ssh.service.wants/pipevine-host-key.service',
    target: '../pipevine-host-key.service',
  },

  {
    path: 'usr/local/lib/pipevine/grow-root',
    mode: 0o755,
    text: `#!/bin/sh
# Gives the root partition, the last one, the rest of the card. Its file system follows by systemd-growfs.
set -eu
partition=$(findmnt --noheadings --output SOURCE /)
name=\${partition#/dev/}
here=/sys/class/block/$name
number=$(cat "$here/partition")
disk=$(basename "$(dirname "$(readlink --canonicalize "$here")")")
# Sectors of 512 bytes. Less than 64 MiB is not worth a change.
free=$(($(cat "/sys/class/block/$disk/size") - $(cat "$here/start") - $(cat "$here/size")))
[ "$free" -gt 131072 ] || exit 0
echo ', +' | sfdisk --quiet --no-reread --no-tell-kernel --partno "$number" "/dev/$disk"
partx --update --nr "$number" "/dev/$disk"
`,
  },
  {
    path: 'etc/systemd/system/pipevine-grow-root.service',
    text: `[Unit]
Description=Give the root partition the rest of the card
DefaultDependencies=no
After=systemd-remount-fs.service
Before=systemd-growfs-root.service shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=/usr/local/lib/pipevine/grow-root

[Install]
WantedBy=systemd-growfs-root.service
`,
  },
  {
    path: 'etc/systemd/system/systemd-growfs-root.service.wants/pipevine-grow-root.service',
    target: '../pipevine-grow-root.service',
  },
];

/** What the making of the system has left, and what must be each board's own. */
export const LEFT_OVERS: readonly string[] = [
  'etc/apt/sources.list',
  'etc/apt/apt.conf.d/99mmdebstrap',
  'etc/ssh/ssh_host_*',
  'etc/.pwd.lock',
  'etc/*-',
  'var/lib/apt/lists/*',
  'var/cache/apt/*',
  'var/cache/debconf/*-old',
  'var/cache/ldconfig/aux-cache',
  'var/lib/dpkg/*-old',
  'var/lib/systemd/random-seed',
  'var/lib/dbus/machine-id',
  'var/log/*.log',
  'var/log/apt/*',
  'run/*',
  'tmp/*',
];
