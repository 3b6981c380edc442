import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeBoardSetup, encodeBoardSetup, SETUP_BYTES } from '../../boards/setup/board-setup.ts';
import { type CommandResult, LineReader, pipevine, temporaryFolder } from '../e2e/pipevine-process.ts';

const LAUNCHER = fileURLToPath(new URL('../../cli/bin/pipevine.cjs', import.meta.url));
const MIB = 1_024 * 1_024;
const SETUP_AT = 6 * MIB + 512;
const STEP_TIMEOUT_MS = 300_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** 40 MiB and a bit, with a setup inside. */
let image: Buffer;
let images: Record<'none' | 'gzip' | 'xz' | 'zstd', string>;
/** What stands behind the loop device. */
let backing: string;
let device: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  image = Buffer.concat([randomBytes(20 * MIB), Buffer.alloc(20 * MIB, 'some text'), randomBytes(5_120)]);
  image.set(encodeBoardSetup({ hostname: 'board', user: 'ann' }), SETUP_AT);
  const raw = put('pi.img', image);
  images = {
    none: raw,
    gzip: put('pi.img.gz', gzipSync(image, { level: 1 })),
    xz: put('pi.img.xz', execFileSync('xz', ['-0', '--stdout', raw], { maxBuffer: 100 * MIB })),
    zstd: put('pi.img.zst', zstdCompressSync(image)),
  };
  backing = put('card', '');
  truncateSync(backing, 48 * MIB);
  try {
    device = loop('--find', '--show', backing).trim();
  } catch (error) {
    throw new Error('these tests need root and a free loop device (losetup --find)', { cause: error });
  }
}, STEP_TIMEOUT_MS);

afterAll(async () => {
  if (device !== undefined) loop('--detach', device);
  await folder.remove();
});

const loop = (...args: readonly string[]) => execFileSync('losetup', args, { encoding: 'utf8' });

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}

const flash = (from: string, to: string, ...more: readonly string[]): Promise<CommandResult> =>
  pipevine(['flash', from, '--device', to, '--yes', '--json', ...more]);

function start(from: string, to: string): { child: ChildProcess; lines: LineReader; errors: LineReader } {
  const child = spawn(process.execPath, [LAUNCHER, 'flash', from, '--device', to, '--yes', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, lines: new LineReader(child.stdout), errors: new LineReader(child.stderr) };
}

const untilPhase = (lines: LineReader, phase: string) =>
  lines.next((line) => (JSON.parse(line).phase === phase ? line : undefined), STEP_TIMEOUT_MS);

function readDevice(bytes: number): Buffer {
  const file = openSync(device, 'r');
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += readSync(file, content, at, bytes - at, at));
  closeSync(file);
  return content;
}

const last = (result: CommandResult) => JSON.parse(result.stdout.trimEnd().split('\n').at(-1) ?? '');
const check = async () => {
  const { code, stdout } = await pipevine(['flash', '--check', '--device', device, '--json']);
  return { code, ...JSON.parse(stdout) };
};

describe.each(['none', 'gzip', 'xz', 'zstd'] as const)('an image with compression %s', (kind) => {
  it(
    'is on the drive, and in a file, byte for byte',
    async () => {
      const done = await flash(images[kind], device);
      expect(done).toMatchObject({ code: 0, stderr: '' });
      expect(last(done)).toMatchObject({ phase: 'done', device, bytes: image.length, isSetUp: false, isDirect: true });
      expect(readDevice(image.length).equals(image)).toBe(true);
      const file = join(folder.path, `copy-${kind}`);
      expect(await flash(images[kind], file)).toMatchObject({ code: 0 });
      expect(readFileSync(file).equals(image)).toBe(true);
    },
    STEP_TIMEOUT_MS,
  );

  it(
    'is set up on the way, and nothing else of it changes',
    async () => {
      const done = await flash(images[kind], device, '--hostname', 'kitchen', '--wifi', 'home', '--wifi-open');
      expect(last(done)).toMatchObject({ phase: 'done', isSetUp: true });
      const written = readDevice(image.length);
      expect(decodeBoardSetup(written.subarray(SETUP_AT, SETUP_AT + SETUP_BYTES))).toEqual({
        hostname: 'kitchen',
        user: 'ann',
        wifi: { ssid: 'home' },
      });
      written.set(image.subarray(SETUP_AT, SETUP_AT + SETUP_BYTES), SETUP_AT);
      expect(written.equals(image)).toBe(true);
    },
    STEP_TIMEOUT_MS,
  );
});

it(
  'finds each flipped byte between writing and reading back',
  async () => {
    for (let round = 0; round < 12; round++) {
      // Reading begins with the first block, which may be over before this test has changed it.
      const at = randomInt(8 * MIB, image.length);
      const { child, lines, errors } = start(images.none, device);
      await lines.next((line) => (JSON.parse(line).fraction === 1 ? line : undefined), STEP_TIMEOUT_MS);
      child.kill('SIGSTOP');
      const file = openSync(backing, 'r+');
      const byte = Buffer.alloc(1);
      readSync(file, byte, 0, 1, at);
      writeSync(file, Buffer.of((byte[0] ?? 0) ^ (1 << randomInt(8))), 0, 1, at);
      closeSync(file);
      child.kill('SIGCONT');
      const [code] = await once(child, 'exit');
      const said = await errors.next((line) => line, 10_000);
      expect([at, code, said]).toEqual([at, 1, expect.stringContaining('read back differently')]);
      expect(await check()).toMatchObject({ code: 1, isUnfinished: true });
    }
  },
  STEP_TIMEOUT_MS,
);

it(
  'is known as unfinished after it was killed at any moment, and can be flashed again',
  async () => {
    let killedInTheMiddle = 0;
    for (let round = 0; round < 12; round++) {
      const { child, lines } = start(images.none, device);
      await untilPhase(lines, round % 3 === 0 ? 'verifying' : 'writing');
      const exited = once(child, 'exit');
      for (let turns = randomInt(20_000); turns > 0; turns--) await new Promise(setImmediate);
      child.kill('SIGKILL');
      await exited;
      const isWhole = readDevice(image.length).equals(image);
      const { isUnfinished } = await check();
      expect([round, isUnfinished]).toEqual([round, !isWhole]);
      if (!isWhole) killedInTheMiddle++;
    }
    expect(killedInTheMiddle).toBeGreaterThan(0);
    expect(await flash(images.none, device)).toMatchObject({ code: 0 });
    expect(await check()).toEqual({ code: 0, device, isUnfinished: false, image: null, began: null });
  },
  STEP_TIMEOUT_MS,
);

it.each(['SIGINT', 'SIGTERM'] as const)(
  'ends in good order on %s, and says that the card cannot be used',
  async (signal) => {
    const { child, lines, errors } = start(images.xz, device);
    await untilPhase(lines, 'writing');
    const exited = once(child, 'exit');
    child.kill(signal);
    expect((await exited)[0]).toBe(1);
    expect(await errors.next((line) => line, 10_000)).toContain('flashing was stopped');
    expect(await check()).toMatchObject({ code: 1, isUnfinished: true, image: 'pi.img.xz' });
  },
  STEP_TIMEOUT_MS,
);

describe('what is refused', () => {
  it('a drive that is mounted, here or in another mount namespace', async () => {
    execFileSync('mkfs.ext4', ['-q', '-F', device]);
    const point = join(folder.path, 'mounted');
    const program = `mount --make-rprivate / && mkdir -p "$2" && mount "$1" "$2" && "$3" "$4" flash "$5" --device "$1" --yes`;
    const inside = spawn('unshare', [
      '-m',
      'sh',
      '-c',
      program,
      '-',
      device,
      point,
      process.execPath,
      LAUNCHER,
      images.none,
    ]);
    const errors = new LineReader(inside.stderr);
    expect((await once(inside, 'exit'))[0]).toBe(5);
    expect(await errors.next((line) => line, 10_000)).toContain(
      `${device} is in use: ${device} is mounted at ${point}; close what is open there, then: sudo umount ${device}`,
    );
    // Another namespace: only the kernel knows.
    const holder = spawn('unshare', [
      '-m',
      'sh',
      '-c',
      `mount --make-rprivate / && mount "$1" "$2" && echo ready && read line`,
      '-',
      device,
      point,
    ]);
    await new LineReader(holder.stdout).next((line) => line, 10_000);
    const outside = await flash(images.none, device);
    holder.stdin.end('\n');
    await once(holder, 'exit');
    expect(outside.code).toBe(5);
    expect(outside.stderr).toContain('is in use: mounted by another user or container');
    expect(await check()).toMatchObject({ isUnfinished: false });
  });

  it('a drive that is too small, before anything is written', async () => {
    const small = put('small', '');
    truncateSync(small, 8 * MIB);
    const smallDevice = loop('--find', '--show', small).trim();
    try {
      const known = await flash(images.xz, smallDevice);
      expect(known).toMatchObject({ code: 5, stderr: expect.stringContaining('take a larger card') });
      expect(readFileSync(small).every((byte) => byte === 0)).toBe(true);
      // gzip does not say how much there is.
      const unknown = await flash(images.gzip, smallDevice);
      expect(unknown).toMatchObject({ code: 5, stderr: expect.stringContaining('is not finished and cannot be used') });
    } finally {
      loop('--detach', smallDevice);
    }
  });

  it('a partition', async () => {
    execFileSync('addpart', [device, '1', '2048', '16384']);
    try {
      const made = readFileSync(`/sys/class/block/${basename(device)}/${basename(device)}p1/dev`, 'utf8').trim();
      const node = join(folder.path, 'partition');
      execFileSync('mknod', [node, 'b', ...made.split(':')]);
      const refused = await flash(images.none, node);
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(`--device ${device}`) });
    } finally {
      execFileSync('delpart', [device, '1']);
    }
  });

  it('a drive that there is not, a folder, the image itself', async () => {
    expect(await flash(images.none, '/dev/no-such-drive')).toMatchObject({ code: 3 });
    expect(await flash(images.none, folder.path)).toMatchObject({ code: 2 });
    expect(await flash(images.none, images.none)).toMatchObject({ code: 2 });
    expect(statSync(images.none).size).toBe(image.length);
  });

  it('a setup for an image that has none, before anything is written', async () => {
    const other = put('other.img', randomBytes(5 * MIB));
    const before = readDevice(image.length);
    const refused = await flash(other, device, '--hostname', 'kitchen');
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('has no setup file') });
    expect(readDevice(image.length).equals(before)).toBe(true);
  });

  it('to go on where nobody can be asked', async () => {
    expect(await pipevine(['flash', images.none, '--device', device])).toMatchObject({ code: 2 });
    expect(await pipevine(['flash', images.none, '--yes'])).toMatchObject({ code: 2 });
    expect(await pipevine(['flash'])).toMatchObject({ code: 2 });
  });
});
