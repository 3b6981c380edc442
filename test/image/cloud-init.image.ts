import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeBoardImage } from '../../boards/image/board-image.ts';
import { runApart } from '../../boards/image/debian/apart.ts';
import { SUITE } from '../../boards/image/debian/debian-recipe.ts';
import { boardProfile, bundleBoard } from '../../boards/index.ts';
import { CLOUD_INIT_FILES, makeDisk } from '../boards/stock-image.ts';
import { runTool } from './run-tool.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9YuIL6xSwEZ/0EbGMPAtNWWet2+iB0twkIZ9yXKT5l ann@desk';
const WIFI = { ssid: 'Café: {x}', password: 'correct "horse\\ #', country: 'NO' };
const PACKAGES =
  'systemd-sysv,cloud-init,netplan.io,network-manager,dbus,openssh-server,sudo,libstdc++6,libpam-systemd'.split(',');
const SOURCE = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${SUITE} main\n`;
const BUILD_MS = 15 * 60_000;
const BOOT_MS = 5 * 60_000;
const ROOT_MIB = 1_500;

/** What the system is asked when it is up. Each answer begins with a line `== NAME`. */
const QUESTIONS = {
  errors:
    'cloud-init status --wait --format json | python3 -c \'import json, sys; print(json.load(sys.stdin)["errors"])\'',
  schema: 'cloud-init schema --system --annotate 2>&1 | grep "^# E[0-9]"',
  hostname: 'cat /etc/hostname; grep 127.0.1.1 /etc/hosts',
  groups: 'id -nG ann',
  sudo: 'sudo -n -l -U ann | grep NOPASSWD | sort -u',
  keys: 'cat /home/ann/.ssh/authorized_keys',
  ssh: 'systemctl is-enabled ssh.service; systemctl is-active ssh.service',
  network: 'cat /etc/netplan/*.yaml',
  manager: 'nmcli -s -e no -g 802-11-wireless.ssid,802-11-wireless-security.psk connection show pipevine',
  peer: 'systemctl is-active pipevine.service',
  status: 'cat /boot/firmware/pipevine-status.txt',
};

/**
 * cloud-init itself reads what `pipevine image` writes for it, beside the first boot of Pipevine: a system of Debian, for this
 * machine's own processor, that starts in a container. On Raspberry Pi OS SSH is off at first.
 */
describe('an image whose first boot is done by cloud-init', { timeout: 2 * BUILD_MS }, () => {
  let folder: string;
  let system: string;
  let debianPackage: string;
  const board = boardProfile('generic-x64');

  before(
    async () => {
      folder = await mkdtemp('/var/tmp/pipevine-cloud-init-test-');
      system = join(folder, 'system');
      const made = await bundleBoard({ board, folder: join(folder, 'bundle'), compression: 'fast' });
      debianPackage = made.files.find(({ kind }) => kind === 'package')?.path ?? '';
      const include = `--include=${PACKAGES.join(',')}`;
      const options = ['--mode=root', '--variant=minbase', '--aptopt=APT::Install-Recommends "false"'];
      await runApart(['mmdebstrap', ...options, include, SUITE, system, '-'], { stdin: SOURCE });
      await mkdir(join(system, 'boot/firmware'), { recursive: true });
      await put('etc/fstab', 'LABEL=bootfs /boot/firmware vfat defaults 0 2\n');
      await put(
        'etc/cloud/cloud.cfg.d/99_source.cfg',
        'datasource_list: [NoCloud, None]\ndatasource:\n  NoCloud:\n    seedfrom: file:///boot/firmware/\n',
      );
    },
    { timeout: BUILD_MS },
  );

  after(() => rm(folder, { recursive: true, force: true }));

  const put = async (path: string, text: string) => {
    await mkdir(dirname(join(system, path)), { recursive: true });
    await writeFile(join(system, path), text);
  };

  /** Makes an image, starts what is in it, and asks it. */
  async function answers(name: string): Promise<Record<string, string>> {
    const base = makeDisk(folder, `${name}-base.img`, system, { rootMiB: ROOT_MIB, bootFiles: CLOUD_INIT_FILES });
    const out = join(folder, `${name}.img`);
    const setup = { hostname: 'larder', user: 'ann', sshKeys: [KEY], wifi: WIFI };
    await makeBoardImage({ board, base: base.file, package: debianPackage, out, setup, onStep: () => {} });
    const bootFiles = join(folder, `${name}-boot`);
    await mkdir(bootFiles);
    await runTool('mcopy', ['-s', '-n', '-i', `${out}@@${base.bootOffset}`, '::/*', bootFiles]);
    const root = join(folder, `${name}-root`);
    await mkdir(root);
    // The container has no disks: its boot partition is a folder that is there already.
    const start = `set -e
mount -o loop,offset=${base.rootOffset} "$1" "$2"
cp "$3"/* "$2/boot/firmware/"
: > "$2/etc/fstab"
cp "$4" "$2/ask.sh"
cp "$5" "$2/etc/systemd/system/ask.service"
mkdir -p "$2/etc/systemd/system/graphical.target.wants"
ln -s ../ask.service "$2/etc/systemd/system/graphical.target.wants/ask.service"
systemd-nspawn --quiet --directory="$2" --private-network --register=no --keep-unit --console=pipe --boot > "$6" 2>&1 || true
cat "$2/answers"`;
    const ask = join(folder, `${name}.sh`);
    const lines = Object.entries(QUESTIONS).map(([question, command]) => `echo "== ${question}"; ${command}`);
    await writeFile(ask, `exec > /answers 2>&1\n${lines.join('\n')}\n`);
    const unit = join(folder, `${name}.service`);
    await writeFile(
      unit,
      '[Unit]\nAfter=multi-user.target\n[Service]\nExecStart=/bin/sh /ask.sh\nExecStopPost=/usr/bin/systemctl poweroff\n',
    );
    const log = join(folder, `${name}.log`);
    const signal = AbortSignal.timeout(BOOT_MS);
    const output = await runApart(['sh', '-c', start, 'sh', out, root, bootFiles, ask, unit, log], { signal });
    return Object.fromEntries(
      output.split(/^== /m).flatMap((part) => {
        const [question = '', ...rest] = part.split('\n');
        return question === '' ? [] : [[question, rest.join('\n').trim()]];
      }),
    );
  }

  function assertSetUp(answer: Record<string, string>): void {
    assert.equal(answer.errors, '[]');
    assert.match(answer.hostname ?? '', /^larder\n127\.0\.1\.1\s+larder/);
    for (const group of ['ann', 'sudo', 'dialout', 'netdev'])
      assert.ok(answer.groups?.split(' ').includes(group), group);
    assert.equal(answer.sudo, '(ALL) NOPASSWD: ALL');
    assert.equal(answer.keys, KEY);
    assert.equal(answer.ssh, 'enabled\nactive');
    assert.match(answer.network ?? '', /"?Café: \{x\}"?:/);
    assert.ok(answer.network?.includes('correct \\"horse\\\\ #'));
    assert.equal(answer.manager, `${WIFI.ssid}\n${WIFI.password}`);
    assert.equal(answer.peer, 'active');
    assert.match(answer.status ?? '', /Set up/);
  }

  test('is set up by both, with nothing that cloud-init does not know', async () => {
    const answer = await answers('plain');
    assertSetUp(answer);
    assert.equal(answer.schema, '');
  });

  test('has SSH switched on where it is off, by a word of Raspberry Pi OS besides', async () => {
    await put('etc/rpi-issue', 'Raspberry Pi reference\n');
    await runApart(['systemctl', `--root=${system}`, 'disable', 'ssh.service']);
    const answer = await answers('raspberry');
    assertSetUp(answer);
    assert.equal(answer.schema, "# E1: Additional properties are not allowed ('enable_ssh' was unexpected)");
  });
});
