import { gzipSync } from 'node:zlib';
import { firstBootUnits } from '../first-boot/first-boot-units.ts';
import type { BoardProfile, PeerProfile } from '../profiles/board-profile.ts';
import { POWER_UNITS } from '../service/power-units.ts';
import { CONFIG_FILE, CONFIG_TEMPLATE } from '../service/service-paths.ts';
import { DEVICES, OWN_GROUPS, systemdUnit } from '../service/systemd-unit.ts';
import type { ListedCommand } from './command-list.ts';
import { manPage } from './man-page.ts';
import { bashCompletion, zshCompletion } from './shell-completion.ts';
import type { TarEntry } from './tar-archive.ts';

export interface PackageFilesInit {
  readonly board: BoardProfile;
  readonly profile: PeerProfile;
  readonly version: string;
  /** The executable, or the bundle where the system's Node serves. */
  readonly program: Uint8Array;
  readonly commands: readonly ListedCommand[];
  readonly licenses: string;
  readonly materials: string;
  readonly timeSeconds: number;
}

/** What a package installs. Each version has a folder of its own, so that one more can stand beside it. */
export function packageFiles(init: PackageFilesInit): readonly TarEntry[] {
  const { board, profile, version, program, commands, licenses, materials, timeSeconds } = init;
  const isBundled = board.node === 'bundled';
  const programPath = `usr/lib/pipevine/${version}/${isBundled ? 'pipevine' : 'pipevine.cjs'}`;
  const file = (path: string, content: string | Uint8Array, mode = 0o644): TarEntry => ({
    type: 'file',
    path,
    mode,
    content: typeof content === 'string' ? Buffer.from(content) : content,
  });
  const packed = (path: string, content: string) => file(`${path}.gz`, gzipSync(content, { level: 9 }));
  const groups = OWN_GROUPS.filter((group) => board.devices.some((kind) => DEVICES[kind].groups.includes(group)));
  const doc = 'usr/share/doc/pipevine';
  return [
    file(programPath, program, 0o755),
    {
      type: 'link',
      path: 'usr/bin/pipevine',
      target: `../lib/pipevine/${version}/${isBundled ? 'pipevine' : 'pipevine.cjs'}`,
    },
    file(
      'usr/lib/systemd/system/pipevine.service',
      systemdUnit({
        board,
        profile,
        command: ['/usr/bin/pipevine', 'up', '--config', CONFIG_FILE],
        ...(isBundled ? {} : { nodeFlags: board.nodeFlags }),
      }),
    ),
    ...Object.entries(firstBootUnits('/usr/bin/pipevine')).map(([name, text]) =>
      file(`usr/lib/systemd/system/${name}`, text),
    ),
    ...Object.entries(POWER_UNITS).map(([name, text]) => file(`usr/lib/systemd/system/${name}`, text)),
    file('usr/lib/sysusers.d/pipevine.conf', SYSUSERS_HEAD + groups.map((group) => `g ${group} -\n`).join('')),
    ...(groups.length === 0 ? [] : [file('usr/lib/udev/rules.d/60-pipevine.rules', UDEV_RULES)]),
    file(CONFIG_FILE.slice(1), CONFIG_TEMPLATE),
    file('usr/share/bash-completion/completions/pipevine', bashCompletion(commands)),
    file('usr/share/zsh/vendor-completions/_pipevine', zshCompletion(commands)),
    packed('usr/share/man/man1/pipevine.1', manPage(commands, version, timeSeconds)),
    packed(`${doc}/changelog`, changelog(version, timeSeconds)),
    file(`${doc}/copyright`, copyright(isBundled)),
    packed(`${doc}/licenses.txt`, licenses),
    packed(`${doc}/sbom.cdx.json`, materials),
    ...(isBundled ? [file('usr/share/lintian/overrides/pipevine', LINTIAN_OVERRIDES)] : []),
  ];
}

const SYSUSERS_HEAD = '# Groups that may use the devices of the board, where the system does not have them yet.\n';

/** The groups that may use pins, buses, LEDs and PWM, as on Raspberry Pi OS. A channel of PWM comes as a change of its chip. */
const UDEV_RULES = `SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*", GROUP="gpio", MODE="0660"
SUBSYSTEM=="i2c-dev", GROUP="i2c", MODE="0660"
SUBSYSTEM=="spidev", GROUP="spi", MODE="0660"
SUBSYSTEM=="leds", ACTION=="add", RUN+="/bin/chgrp -f gpio /sys%p/brightness /sys%p/trigger", RUN+="/bin/chmod -f g+w /sys%p/brightness /sys%p/trigger"
SUBSYSTEM=="pwm", RUN+="/bin/sh -c 'cd /sys%p && for file in export pwm*/period pwm*/duty_cycle pwm*/enable; do chgrp -f gpio $$file; chmod -f g+w $$file; done'"
`;

/** Node's makers build it with these on purpose, and keep them current. */
const LINTIAN_OVERRIDES = `# Node.js is built with its own copies of these; its releases follow their advisories.
pipevine: embedded-library *
`;

function changelog(version: string, timeSeconds: number): string {
  const date = new Date(timeSeconds * 1_000).toUTCString().replace('GMT', '+0000');
  return `pipevine (${version}) stable; urgency=medium

  * Pipevine ${version}. See CHANGELOG.md of the source.

 -- ${MAINTAINER}  ${date}
`;
}

export const MAINTAINER = 'The authors of Pipevine <pipevine@pipevine.invalid>';

function copyright(withNode: boolean): string {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: pipevine
Comment: licenses.txt.gz beside this file has the parts of others${withNode ? ', Node.js among them,' : ''} and their licences.

Files: *
Copyright: 2026 the authors of Pipevine
License: Apache-2.0

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
`;
}
