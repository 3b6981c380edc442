import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildBundle } from '../../boards/bundle.ts';
import { firstBootUnits } from '../../boards/first-boot/first-boot-units.ts';
import { boardProfile, systemdUnit } from '../../boards/index.ts';
import { POWER_UNITS } from '../../boards/service/power-units.ts';
import { encodeBoardSetup } from '../../boards/setup/board-setup.ts';
import { temporaryFolder } from '../e2e/pipevine-process.ts';
import { bootContainer } from './container.ts';

const UNIT_FOLDER = '/usr/lib/systemd/system';
const SETUP = '/boot/firmware/pipevine-setup.txt';
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcc ann@desk';

/** What the card has set up, then a person who corrects it, then a start with nothing new. */
const SCRIPT = `
until grep -qs 'not accepted' /boot/firmware/pipevine-status.txt; do sleep 1; done
cat /etc/hostname /proc/sys/kernel/hostname
journalctl --no-pager -b -o cat -u pipevine | grep -o 'Pipevine edge "kitchen"'
stat -c '%U %a' /home/ann/.ssh /home/ann/.ssh/authorized_keys /etc/wpa_supplicant/wpa_supplicant-wlan0.conf
ls /etc/systemd/system/sys-subsystem-net-devices-wlan0.device.wants
systemctl is-active wpa_supplicant@wlan0.service
journalctl --no-pager -b | grep -i 'ordering cycle'
journalctl --no-pager -b | grep -e B0000-00000 -e 'correct horse'
echo 'hostname: attic' > ${SETUP}
systemctl restart pipevine-first-boot.service; cat /proc/sys/kernel/hostname
systemctl restart pipevine-first-boot.service pipevine-join.service
systemctl show --property=Result pipevine-first-boot.service pipevine-join.service
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

it('sets a board up under systemd before its peer starts, and shows a wrong code; later starts skip both units', async () => {
  const { file } = await buildBundle({ entry: 'main-board.ts', file: 'pipevine.cjs' }, folder.path);
  const board = boardProfile('generic-x64');
  const command = ['/usr/bin/pipevine', 'up', '--config', '/etc/pipevine/pipevine.yaml'];
  const units = Object.entries({
    'pipevine.service': systemdUnit({ board, profile: 'edge', command, groups: [] }),
    ...POWER_UNITS,
    ...firstBootUnits('/usr/bin/pipevine'),
    // Stands for that of Debian.
    'wpa_supplicant@.service':
      '[Unit]\nRequires=sys-subsystem-net-devices-%i.device\nAfter=sys-subsystem-net-devices-%i.device\n[Service]\nExecStart=/bin/sleep 1000\n',
  });
  const setup = encodeBoardSetup({
    joinCode: 'B0000-00000',
    hostname: 'kitchen',
    user: 'ann',
    sshKeys: [KEY],
    wifi: { ssid: 'Home', password: 'correct horse' },
    configuration: 'multicast: false\nprofile: edge\nlisten: tcp://127.0.0.1:0\n',
  });
  const { output, isPoweredOff } = await bootContainer({
    files: new Map<string, string | { copyOf: string }>([
      ['/usr/bin/node-of-pipevine', { copyOf: process.execPath }],
      ['/usr/bin/pipevine', { copyOf: join(import.meta.dirname, 'pipevine-of-container.sh') }],
      ['/usr/lib/pipevine.cjs', { copyOf: file }],
      ['/usr/sbin/wpa_supplicant', ''],
      [SETUP, new TextDecoder().decode(setup)],
      ...units.map(([name, text]) => [`${UNIT_FOLDER}/${name}`, text] as const),
    ]),
    units: ['pipevine-first-boot.service', 'pipevine.service', 'pipevine-join.service'],
    script: SCRIPT,
  });
  expect(output.trim().split('\n')).toEqual([
    'kitchen',
    'kitchen',
    'Pipevine edge "kitchen"',
    'ann 700',
    'ann 600',
    'root 600',
    'wpa_supplicant@wlan0.service',
    'inactive',
    'attic',
    'Result=exec-condition',
    '',
    'Result=exec-condition',
  ]);
  expect(isPoweredOff).toBe(true);
});
