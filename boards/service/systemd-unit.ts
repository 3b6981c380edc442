import type { BoardProfile, DeviceKind, PeerProfile } from '../profiles/board-profile.ts';
import { POWER_PATH_UNIT, POWER_REQUESTS } from './power-units.ts';

export interface UnitInit {
  readonly board: BoardProfile;
  readonly profile: PeerProfile;
  /** The command that runs the daemon, an absolute path first. */
  readonly command: readonly string[];
  /** Options of Node, where the command cannot bear them in itself. */
  readonly nodeFlags?: readonly string[];
  /** Groups that the machine has. Absent: all that the board needs. */
  readonly groups?: readonly string[];
}

/** Of each kind of device: what systemd lets the service open (device groups of /proc/devices), and who may. */
export const DEVICES: Readonly<
  Record<DeviceKind, { readonly allow: readonly string[]; readonly groups: readonly string[] }>
> = {
  gpio: { allow: ['char-gpiochip rw'], groups: ['gpio'] },
  i2c: { allow: ['char-i2c rw'], groups: ['i2c'] },
  spi: { allow: ['char-spi rw'], groups: ['spi'] },
  serial: { allow: ['char-ttyAMA rw', 'char-ttyS rw', 'char-ttyUSB rw', 'char-ttyACM rw'], groups: ['dialout'] },
  camera: { allow: ['char-video4linux rw', 'char-media rw', 'char-dma_heap rw'], groups: ['video'] },
  leds: { allow: [], groups: ['gpio'] },
  pwm: { allow: [], groups: ['gpio'] },
};

/** Groups of the devices that a Debian system may not have. */
export const OWN_GROUPS: readonly string[] = ['gpio', 'i2c', 'spi'];

/**
 * The systemd unit of a peer: systemd.exec(5), systemd.service(5), systemd.resource-control(5). V8 makes machine code while it
 * runs, so MemoryDenyWriteExecute= cannot be set. Of /sys, which all may read, the devices stay writable where LEDs or PWM are driven
 * there; everything else of the kernel is read-only.
 */
export function systemdUnit({ board, profile, command, nodeFlags = [], groups: present }: UnitInit): string {
  const { highMiB, maxMiB } = board.memory[profile];
  const kinds = board.devices.map((kind) => DEVICES[kind]);
  const needed = [...new Set(kinds.flatMap((kind) => kind.groups))];
  const groups = needed.filter((group) => present?.includes(group) ?? true);
  const writesSys = board.devices.includes('leds') || board.devices.includes('pwm');
  return `[Unit]
Description=Pipevine peer (${profile})
Documentation=man:pipevine(1)
Wants=network-online.target ${POWER_PATH_UNIT}
After=network-online.target time-sync.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
ExecStart=${command.map(quoted).join(' ')}
Environment=PIPEVINE_HOME=/var/lib/pipevine
Environment=PIPEVINE_POWER_REQUESTS=${POWER_REQUESTS}
Environment=MALLOC_ARENA_MAX=1
${nodeFlags.length === 0 ? '' : `Environment="NODE_OPTIONS=${nodeFlags.join(' ')}"\n`}EnvironmentFile=-/etc/pipevine/pipevine.env
TimeoutStartSec=90s
TimeoutStopSec=15s
WatchdogSec=2min
Restart=always
RestartSec=2s
RestartSteps=6
RestartMaxDelaySec=2min
MemoryHigh=${highMiB}M
MemoryMax=${maxMiB}M
TasksMax=64
OOMPolicy=stop

DynamicUser=yes
User=pipevine
StateDirectory=pipevine
StateDirectoryMode=0700
RuntimeDirectory=pipevine
RuntimeDirectoryMode=0700
ConfigurationDirectory=pipevine
ConfigurationDirectoryMode=0755
${groups.length === 0 ? '' : `SupplementaryGroups=${groups.join(' ')}\n`}UMask=0077

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
${writesSys ? 'ReadWritePaths=-/sys/devices\n' : ''}ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
DevicePolicy=closed
${kinds.flatMap((kind) => kind.allow.map((rule) => `DeviceAllow=${rule}\n`)).join('')}
[Install]
WantedBy=multi-user.target
`;
}

/** systemd.syntax(7): % and $ are its own; spaces need quotes. */
const quoted = (word: string) => {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return /[\s"'\\]/.test(word) ? `"${escaped}"` : escaped;
};
