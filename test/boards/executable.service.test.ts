import { expect, it } from 'vitest';
import { boardProfile, systemdUnit } from '../../boards/index.ts';
import { POWER_UNITS } from '../../boards/service/power-units.ts';
import { bootContainer } from './container.ts';
import { sharedBundle } from './shared-bundle.ts';

const BOARD = boardProfile(process.arch === 'arm64' ? 'generic-arm64' : 'generic-x64');

/** Tries a request: what must be refused first, then as the service's user may. */
const SCRIPT = `
as() { uid=$1; shift; setpriv --reuid="$uid" --clear-groups sh -c "$*"; }
own() { stat -c %u /run/pipevine; }
systemctl is-active pipevine.service pipevine-power.path
systemctl show --property=StatusText pipevine.service
stat -c 'requests: %U %a' /run/pipevine
as 65534 'touch /run/pipevine/poweroff' 2>/dev/null || echo 'others may not ask'
as "$(own)" 'echo "poweroff; reboot" > /run/pipevine/halt'
systemctl start pipevine-power.service && ls /run/pipevine
systemctl stop pipevine.service
test -e /run/pipevine || echo 'no request outlives the service'
systemctl is-active pipevine-power.path
systemctl start pipevine.service
systemctl is-active pipevine-power.path
ls /run/pipevine
as "$(own)" 'echo "; touch /forged" > /run/pipevine/poweroff'
sleep 60
echo 'still here'
`;

it('runs under systemd, and shuts the machine down when the service asks for it, who has no other right', async () => {
  const made = await sharedBundle({ board: BOARD, profile: 'edge', compression: 'fast' });
  const executable = made.files.find(({ kind }) => kind === 'executable')?.path ?? '';
  const unit = systemdUnit({
    board: BOARD,
    profile: 'edge',
    command: ['/usr/bin/pipevine', 'up', '--config', '/etc/pipevine/pipevine.yaml'],
    groups: [],
  });
  const units = Object.entries({ 'pipevine.service': unit, ...POWER_UNITS });
  const { output, isPoweredOff } = await bootContainer({
    files: new Map<string, string | { copyOf: string }>([
      ['/usr/bin/pipevine', { copyOf: executable }],
      ['/etc/pipevine/pipevine.yaml', 'board: true\nmulticast: false\nlisten: tcp://127.0.0.1:0\n'],
      ...units.map(([name, text]) => [`/usr/lib/systemd/system/${name}`, text] as const),
    ]),
    units: ['pipevine.service'],
    script: SCRIPT,
  });
  expect(output.trim().split('\n')).toEqual([
    'active',
    'active',
    'StatusText=listening',
    'requests: pipevine 700',
    'others may not ask',
    'halt',
    'no request outlives the service',
    'inactive',
    'active',
  ]);
  expect(isPoweredOff).toBe(true);
});
