import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type BoardImageInit, makeBoardImage } from '../../boards/image/board-image.ts';
import { readDebianPackage } from '../../boards/image/package/debian-package-reader.ts';
import { boardProfile } from '../../boards/index.ts';
import { type BoardSetup, decodeBoardSetup, SETUP_BYTES, SETUP_FILE } from '../../boards/setup/board-setup.ts';
import { temporaryFolder } from '../e2e/pipevine-process.ts';
import { Chroot } from './chroot.ts';
import { smallPackage } from './small-package.ts';
import { CLOUD_INIT_FILES, makeStockImage, type StockImage, tool } from './stock-image.ts';

const SETUP: BoardSetup = {
  joinCode: 'PV1-ABCDEFG',
  hostname: 'kitchen',
  user: 'ann',
  sshKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcc ann@desk'],
  wifi: { ssid: 'Café & Co', password: 'correct horse: battery', country: 'DE' },
  configuration: 'name: kitchen\n',
};
const BOARD = boardProfile('rpi-4');

let folder: string;
let pack: string;
let stock: StockImage;
let removeFolder: () => Promise<void>;

beforeAll(async () => {
  const made = await temporaryFolder();
  [folder, removeFolder] = [made.path, () => made.remove()];
  pack = join(folder, 'pipevine.deb');
  writeFileSync(pack, await smallPackage(BOARD, '0.1.0'));
  stock = makeStockImage(folder, 'stock.img', { bootFiles: CLOUD_INIT_FILES });
}, 120_000);
afterAll(() => removeFolder?.());

const make = (out: string, init: Partial<BoardImageInit> = {}) =>
  makeBoardImage({ board: BOARD, base: stock.file, package: pack, setup: SETUP, out: join(folder, out), ...init });

/** The root file system of an image, by debugfs alone. */
class Root {
  readonly #device: string;

  constructor(file: string, { rootOffset }: StockImage) {
    this.#device = `${file}?offset=${rootOffset}`;
  }

  content(path: string): Buffer {
    const copy = join(folder, 'copy');
    tool('debugfs', '-R', `dump ${path} ${copy}`, this.#device);
    return readFileSync(copy);
  }

  /** Type, mode, owners, and the target of a link. */
  about(path: string): string {
    const text = tool('debugfs', '-R', `stat ${path}`, this.#device);
    const [, type, mode] = /Type: (\w+) +Mode: +(\d+)/.exec(text) ?? [];
    const [, user, group] = /User: +(\d+) +Group: +(\d+)/.exec(text) ?? [];
    const target = /link dest: "(.*)"/.exec(text)?.[1];
    return [type, mode, `${user}:${group}`, ...(target === undefined ? [] : [target])].join(' ');
  }

  /** All files into a folder, with their owners. */
  extract(into: string): void {
    mkdirSync(into);
    tool('debugfs', '-R', `rdump / ${into}`, this.#device);
  }

  check(): void {
    tool('e2fsck', '-f', '-n', this.#device);
  }
}

/** The boot partition of an image, by mtools alone. */
const bootFile = (file: string, name: string, { bootOffset } = stock) => {
  const copy = join(folder, 'boot-copy');
  tool('mcopy', '-n', '-o', '-i', `${file}@@${bootOffset}`, `::/${name}`, copy);
  return readFileSync(copy);
};

function checkBoot(file: string, { bootOffset, rootOffset } = stock): void {
  const copy = join(folder, 'boot-partition');
  writeFileSync(copy, readFileSync(file).subarray(bootOffset, rootOffset));
  tool('fsck.vfat', '-n', copy);
}

/** Each file's path and hash, each link's target, below a folder. */
function filesBelow(path: string): Map<string, string> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return new Map(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file.slice(path.length), createHash('sha256').update(readFileSync(file)).digest('hex')]),
  );
}

describe('an image with cloud-init', () => {
  let out: string;
  let made: Awaited<ReturnType<typeof makeBoardImage>>;
  const steps: string[] = [];

  beforeAll(async () => {
    made = await make('kitchen.img', { onStep: (step) => steps.push(step) });
    out = made.file;
  });

  it('holds every file of the package, as root, with its mode', async () => {
    const root = new Root(out, stock);
    const { files } = await readDebianPackage(pack);
    for (const file of files) {
      const path = `/${file.path}`;
      if (file.type === 'file') {
        expect([path, root.about(path)]).toEqual([path, `regular 0${file.mode.toString(8)} 0:0`]);
        expect(root.content(path).equals(file.content)).toBe(true);
      } else if (file.type === 'link') expect(root.about(path)).toBe(`symlink 0777 0:0 ${file.target}`);
      else expect(root.about(path)).toBe('directory 0755 0:0');
    }
    expect(root.about('/usr/bin/pipevine')).toBe('symlink 0777 0:0 ../lib/pipevine/0.1.0/pipevine');
    expect(root.about('/etc/systemd/system/multi-user.target.wants/pipevine.service')).toBe(
      'symlink 0777 0:0 /usr/lib/systemd/system/pipevine.service',
    );
  });

  it('has both file systems sound, and all else as it was', () => {
    new Root(out, stock).check();
    checkBoot(out);
    const [before, after] = [join(folder, 'before'), join(folder, 'after')];
    new Root(stock.file, stock).extract(before);
    new Root(out, stock).extract(after);
    const [old, now] = [filesBelow(before), filesBelow(after)];
    expect(old.size).toBeGreaterThan(4);
    for (const [path, hash] of old) {
      if (path !== '/var/lib/dpkg/status') expect([path, now.get(path)]).toEqual([path, hash]);
    }
    for (const name of ['config.txt', 'kernel8.img', 'meta-data']) {
      expect(bootFile(out, name).equals(bootFile(stock.file, name))).toBe(true);
    }
  });

  it('gets its groups at the first start', () => {
    const tree = join(folder, 'started');
    new Root(out, stock).extract(tree);
    expect(existsSync(join(tree, 'etc/.updated'))).toBe(false);
    tool('systemd-sysusers', `--root=${tree}`);
    expect(readFileSync(join(tree, 'etc/group'), 'utf8')).toMatch(/^gpio:x:\d+:$/m);
    const unit = readFileSync('/usr/lib/systemd/system/systemd-sysusers.service', 'utf8');
    // True where /etc/.updated is missing or older than /usr: systemd.unit(5).
    expect(unit).toMatch(/^ConditionNeedsUpdate=\|?\/etc$/m);
  });

  it('has the setup in one piece, where it says', () => {
    const bytes = readFileSync(out).subarray(made.setupOffset, made.setupOffset + SETUP_BYTES);
    expect(decodeBoardSetup(bytes)).toEqual(SETUP);
    expect(bootFile(out, SETUP_FILE).equals(bytes)).toBe(true);
    const clusters = tool('mshowfat', '-i', `${out}@@${stock.bootOffset}`, `::/${SETUP_FILE}`);
    expect(clusters).toMatch(/<\d+-\d+>\s*$/);
  });

  it('tells cloud-init, but not the code', () => {
    const userData = bootFile(out, 'user-data').toString();
    expect(userData.startsWith(CLOUD_INIT_FILES['user-data'].trimEnd())).toBe(true);
    expect(parse(userData)).toMatchObject({ hostname: 'kitchen', ssh_pwauth: false, users: [{ name: 'ann' }] });
    expect(parse(bootFile(out, 'network-config').toString()).network.wifis.wlan0).toMatchObject({
      'access-points': { 'Café & Co': { password: 'correct horse: battery' } },
    });
    expect(userData).not.toContain('PV1-');
    expect(made).toMatchObject({ format: 'cloudinit-rpi', bootFiles: ['user-data', 'network-config', SETUP_FILE] });
  });

  it('is for its owner only, and described for Raspberry Pi Imager', () => {
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(made.isSecret).toBe(true);
    const manifest = JSON.parse(readFileSync(made.manifest ?? '', 'utf8'));
    const sha256 = createHash('sha256').update(readFileSync(out)).digest('hex');
    expect(manifest.os_list[0]).toMatchObject({ extract_sha256: sha256, extract_size: statSync(out).size });
    expect(readFileSync(made.manifest ?? '', 'utf8')).not.toContain('PV1-');
    expect(steps).toContain('putting Pipevine into it');
  });

  it('is not overwritten, and takes Pipevine once', async () => {
    await expect(make('kitchen.img')).rejects.toThrow('is there already');
    await expect(make('twice.img', { base: out })).rejects.toThrow('holds Pipevine 0.1.0 already');
    expect(existsSync(join(folder, 'twice.img'))).toBe(false);
  });

  it('is packed as it is', async () => {
    const packed = await make('packed.img.zst', { setup: { hostname: 'kitchen' } });
    const bytes = readFileSync(packed.file);
    expect(statSync(packed.file).mode & 0o077).not.toBe(0);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(packed.sha256);
    const image = zstdDecompressSync(bytes);
    expect(createHash('sha256').update(image).digest('hex')).toBe(packed.imageSha256);
    expect(decodeBoardSetup(image.subarray(packed.setupOffset, packed.setupOffset + SETUP_BYTES))).toEqual({
      hostname: 'kitchen',
    });
  });
});

it('an image with a GUID partition table, without any first boot of its own, packed by xz', async () => {
  const base = makeStockImage(folder, 'gpt.img', { table: 'gpt', architecture: 'amd64' });
  tool('xz', '-1', base.file);
  const board = boardProfile('generic-x64');
  writeFileSync(join(folder, 'x64.deb'), await smallPackage(board, '0.1.0'));
  const made = await make('gpt-out.img', { board, base: `${base.file}.xz`, package: join(folder, 'x64.deb') });
  expect(made).toMatchObject({ format: 'none', manifest: null, bootFiles: [SETUP_FILE] });
  new Root(made.file, base).check();
  checkBoot(made.file, base);
  expect(decodeBoardSetup(bootFile(made.file, SETUP_FILE, base))).toEqual(SETUP);
  expect(new Root(made.file, base).content('/usr/lib/pipevine/0.1.0/pipevine').toString()).toContain('echo 0.1.0');
});

/** So much that there is no room beside it. */
const LARGE = { '/opt/large': 'x'.repeat(52 * 2 ** 20) };

it('an image without room grows, and keeps what it has', async () => {
  const steps: string[] = [];
  const base = makeStockImage(folder, 'small.img', { rootFiles: LARGE });
  const made = await make('small-out.img', { base: base.file, onStep: (step) => steps.push(step) });
  expect(steps).toContain('making room');
  expect(made.imageBytes).toBeGreaterThan(statSync(base.file).size);
  const root = new Root(made.file, base);
  root.check();
  expect(root.content('/opt/large').toString()).toBe(LARGE['/opt/large']);
  expect(root.content('/usr/lib/pipevine/0.1.0/pipevine').toString()).toContain('echo 0.1.0');
  const [, , end] = /small-out\.img2 +(\d+) +(\d+)/.exec(tool('sfdisk', '-l', made.file)) ?? [];
  expect((Number(end) + 1) * 512).toBeLessThanOrEqual(made.imageBytes);
  expect(tool('sfdisk', '--verify', made.file)).toContain('No errors detected');
});

describe('a base that cannot be used', () => {
  /** A copy of the stock image with bytes changed. */
  const spoiled = (name: string, change: (disk: number) => void) => {
    const file = join(folder, name);
    writeFileSync(file, readFileSync(stock.file));
    const disk = openSync(file, 'r+');
    change(disk);
    closeSync(disk);
    return file;
  };
  const zeros = (at: () => number, bytes: number) => (disk: number) =>
    void writeSync(disk, Buffer.alloc(bytes), 0, bytes, at());
  const stockWith = (name: string, init: Parameters<typeof makeStockImage>[2]) => () =>
    makeStockImage(folder, name, init).file;
  const SETTINGS = { ...CLOUD_INIT_FILES, 'user-data': '#cloud-config\nhostname: mine\n' };

  it.each<readonly [string, () => string, string]>([
    [
      'no partition table',
      () =>
        spoiled(
          'no-table.img',
          zeros(() => 446, 66),
        ),
      'there is no partition table',
    ],
    [
      'no FAT',
      () =>
        spoiled(
          'no-fat.img',
          zeros(() => stock.bootOffset, 512),
        ),
      'found 0 and 1',
    ],
    [
      'no ext4',
      () =>
        spoiled(
          'no-ext4.img',
          zeros(() => stock.rootOffset + 1024, 1024),
        ),
      'found 1 and 0',
    ],
    [
      'a damaged root',
      () =>
        spoiled(
          'damaged.img',
          zeros(() => stock.rootOffset + 1024 * 1024, 4 * 2 ** 20),
        ),
      'is damaged',
    ],
    [
      'an unclean root',
      () =>
        spoiled(
          'unclean.img',
          zeros(() => stock.rootOffset + 1024 + 58, 2),
        ),
      'was not unmounted cleanly',
    ],
    [
      'an end too early',
      () => {
        const file = spoiled('short.img', () => {});
        truncateSync(file, 60 * 2 ** 20);
        return file;
      },
      'was it cut off?',
    ],
    [
      'another architecture',
      stockWith('armhf.img', { architecture: 'armhf' }),
      'for armhf, and the board needs one for arm64',
    ],
    ['no room', stockWith('full.img', { table: 'gpt', rootFiles: LARGE }), 'MB free, and Pipevine needs'],
    [
      'settings of its own',
      stockWith('own.img', { bootFiles: SETTINGS }),
      'user-data of the base image sets hostname already',
    ],
    [
      'files of an unknown Pipevine',
      stockWith('files.img', { rootFiles: { '/usr/bin/pipevine': 'x' } }),
      'holds /usr/bin/pipevine already',
    ],
    ['no system', stockWith('empty.img', { rootFiles: { '/var/lib/dpkg/status': '' } }), 'has no packages of dpkg'],
    [
      'no place for the setup',
      stockWith('efi.img', { rootFiles: { '/etc/fstab': 'LABEL=x /boot/efi vfat defaults 0 2\n' } }),
      'found one at /boot/efi',
    ],
    ['no file', () => join(folder, 'none.img'), 'there is no image'],
  ])('as it has %s is refused, and nothing is left behind', async (_what, base, message) => {
    const file = base();
    const before = readdirSync(folder).sort();
    await expect(make('refused.img', { base: file })).rejects.toThrow(message);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  it('is for the board of its package', async () => {
    const other = make('refused.img', { board: boardProfile('generic-x64') });
    await expect(other).rejects.toThrow('is for arm64, and generic-x64 needs amd64');
  });

  it('leaves nothing behind either when it is stopped, at whatever step', async () => {
    const before = readdirSync(folder).sort();
    for (const last of ['unpacking the base image', 'checking the base image', 'putting Pipevine into it', 'packing']) {
      const stop = new AbortController();
      const onStep = (step: string) => step === last && stop.abort();
      await expect(make('stopped.img.zst', { signal: stop.signal, onStep })).rejects.toThrow('stopped; there is no');
    }
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  it('says that another run is under way, or was cut off', async () => {
    mkdirSync(join(folder, '.busy.img.part'));
    await expect(make('busy.img')).rejects.toThrow('another run makes this image, or one was cut off');
  });
});

it('needs no root', async () => {
  const own = join(folder, 'nobody');
  mkdirSync(own);
  chmodSync(folder, 0o755);
  for (const file of [pack, stock.file]) chmodSync(file, 0o644);
  chownSync(own, 65_534, 65_534);
  const init = { board: BOARD.name, base: stock.file, package: pack, setup: SETUP, out: join(own, 'out.img') };
  const script = fileURLToPath(new URL('make-image.ts', import.meta.url));
  const ids = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all'];
  execFileSync('setpriv', [...ids, process.execPath, script, JSON.stringify(init)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const root = new Root(init.out, stock);
  root.check();
  expect(statSync(init.out).uid).toBe(65_534);
  expect(root.about('/usr/lib/pipevine/0.1.0/pipevine')).toBe('regular 0755 0:0');
  expect(root.about('/usr/lib/pipevine')).toBe('directory 0755 0:0');
});

describe('dpkg, in a system made of this Debian and what was put into an image', () => {
  let chroot: Chroot;
  let shared: string;
  const run = (script: string) => chroot.run(script, shared);

  beforeAll(async () => {
    chroot = await Chroot.make();
    shared = join(folder, 'shared');
    mkdirSync(shared);
    const board = boardProfile(process.arch === 'arm64' ? 'generic-arm64' : 'generic-x64');
    const status = readFileSync('/var/lib/dpkg/status', 'utf8');
    const base = makeStockImage(folder, 'host.img', { rootFiles: { '/var/lib/dpkg/status': status } });
    writeFileSync(join(folder, 'host.deb'), await smallPackage(board, '0.1.0'));
    writeFileSync(join(shared, 'next.deb'), await smallPackage(board, '99.0.0'));
    const made = await make('host-out.img', { board, base: base.file, package: join(folder, 'host.deb') });
    new Root(made.file, base).extract(join(shared, 'root'));
    // What a stock image has of its own stays out: this Debian stands in for it.
    const copied = await run(
      'cd /mnt/root && for part in usr/lib/pipevine usr/lib/systemd/system usr/lib/sysusers.d usr/bin/pipevine usr/share etc/pipevine etc/systemd/system var/lib/dpkg; do mkdir -p "/$(dirname $part)" && cp -a --no-target-directory $part /$part || exit 1; done',
    );
    expect(copied).toEqual({ code: 0, output: '' });
  }, 300_000);
  afterAll(() => chroot?.remove());

  it('knows the package, and finds its files as they should be', async () => {
    const known = await run(
      'dpkg --audit && dpkg --verify pipevine && dpkg -s pipevine | grep -E "^(Status|Version|Conffiles|Installed)" && pipevine',
    );
    expect(known).toEqual({
      code: 0,
      output: expect.stringMatching(/^Status: install ok installed\n(.*\n)*Version: 0\.1\.0\n(.*\n)*0\.1\.0\n$/),
    });
    expect((await run('dpkg -S /usr/bin/pipevine')).output.trim()).toBe('pipevine: /usr/bin/pipevine');
    expect((await run('systemctl is-enabled pipevine.service')).output.trim()).toBe('enabled');
    expect((await run('dpkg -s pipevine')).output).toMatch(/^ \/etc\/pipevine\/pipevine.yaml [0-9a-f]{32}$/m);
  });

  it('upgrades it without a question, keeps a changed configuration, and purges it', async () => {
    const upgraded = await run(
      'echo "name: attic" >> /etc/pipevine/pipevine.yaml; dpkg -i /mnt/next.deb </dev/null && pipevine && tail -n 1 /etc/pipevine/pipevine.yaml && ls /usr/lib/pipevine && dpkg --audit',
    );
    expect(upgraded.output).not.toContain('warning');
    expect({ ...upgraded, output: upgraded.output.trim().split('\n').slice(-3) }).toEqual({
      code: 0,
      output: ['99.0.0', 'name: attic', '99.0.0'],
    });
    expect(await run('dpkg --purge pipevine')).toMatchObject({ code: 0 });
    const left = (await chroot.changes()).filter(
      (path) => /pipevine/.test(path) && !/^\/(var\/(log|lib\/dpkg)|run|tmp)\//.test(path),
    );
    expect(left).toEqual([]);
  });
});
