import { SETUP_FILE } from '../setup/board-setup.ts';
import { DONE_FILE, STATE_FOLDER } from './first-boot-state.ts';
import { BOOT_FOLDERS } from './setup-file.ts';

const HAS_SETUP = BOOT_FOLDERS.map((folder) => `ConditionPathExists=|${folder}/${SETUP_FILE}\n`).join('');
const STATE = STATE_FOLDER.slice('/var/lib/'.length);

/** Most boots: the setup file is as it was when all of it was done. Node need not start for that. */
const IS_NEWS = `ExecCondition=/bin/sh -c '! sha256sum --check --status ${DONE_FILE} 2>/dev/null'\n`;

/** Common to both: root by its files alone, and nothing of the system that they do not need. */
const CONFINED = `UMask=0022
StateDirectory=${STATE}
StateDirectoryMode=0700
Environment=MALLOC_ARENA_MAX=1
NoNewPrivileges=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
`;

/**
 * Applies the setup file before anything that it is about starts: the network by its Wi-Fi, the peer by its name and configuration.
 * So early there is no D-Bus, and as little order as can be: services that stand before sysinit.target may wait for the network.
 */
function applyUnit(program: string): string {
  return `[Unit]
Description=Set up this board by its card
Documentation=man:pipevine(1)
${HAS_SETUP}DefaultDependencies=no
RequiresMountsFor=${BOOT_FOLDERS.join(' ')} ${STATE_FOLDER}
Wants=network-pre.target
After=local-fs.target systemd-remount-fs.service
Before=network-pre.target NetworkManager.service wpa_supplicant.service wpa_supplicant@wlan0.service systemd-networkd.service avahi-daemon.service pipevine.service shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
${IS_NEWS}ExecStart=${program} first-boot apply
TimeoutStartSec=5min
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_NET_ADMIN CAP_AUDIT_WRITE
RestrictAddressFamilies=AF_UNIX AF_NETLINK
SystemCallFilter=@system-service
SystemCallFilter=~@resources
DevicePolicy=closed
${CONFINED}
[Install]
WantedBy=multi-user.target
`;
}

/** Hands the code of the setup file to the daemon, and shows by LED and status file how that goes. */
function joinUnit(program: string): string {
  return `[Unit]
Description=Join a group by the code on this board's card
Documentation=man:pipevine(1)
${HAS_SETUP}RequiresMountsFor=${BOOT_FOLDERS.join(' ')}
After=pipevine.service

[Service]
${IS_NEWS}ExecStart=${program} first-boot join
Environment=PIPEVINE_HOME=/var/lib/pipevine
Restart=on-failure
RestartSec=30s
MemoryMax=128M
CapabilityBoundingSet=CAP_DAC_OVERRIDE
ProtectSystem=strict
ReadWritePaths=${BOOT_FOLDERS.map((folder) => `-${folder}`).join(' ')}
ProtectHome=yes
PrivateTmp=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_NETLINK
PrivateDevices=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
${CONFINED}
[Install]
WantedBy=multi-user.target
`;
}

export const FIRST_BOOT_UNITS = ['pipevine-first-boot.service', 'pipevine-join.service'] as const;

/** The text of each unit by its name; `program`: the absolute path of pipevine. */
export function firstBootUnits(program: string): Readonly<Record<(typeof FIRST_BOOT_UNITS)[number], string>> {
  return { 'pipevine-first-boot.service': applyUnit(program), 'pipevine-join.service': joinUnit(program) };
}
