import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeBoardImage } from '../../boards/image/board-image.ts';
import { debianImage } from '../../boards/image/debian/debian-image.ts';
import { boardProfile, bundleBoard } from '../../boards/index.ts';
import { type BoardSetup, decodeBoardSetup, SETUP_FILE } from '../../boards/setup/board-setup.ts';
import { until } from '../netlab/until.ts';
import { Card } from './card.ts';
import { EmulatedBoard, type EmulatedBoardInit } from './emulated-board.ts';
import { Gateway } from './gateway.ts';
import { runTool } from './run-tool.ts';

/** Under emulation, on a machine that does other things, too; the figures are printed. */
const JOIN_MS = 600_000;
const READ_MS = 60_000;
const STATUS_MS = 600_000;
const BUILD_MS = 45 * 60_000;
const ALL_MS = 2 * BUILD_MS;
/** qemu takes cards for raspi3b only in powers of two. */
const CARD_BYTES = 2 ** 31;
const MAX_PACKED_BYTES = 165e6;
const STATUS_FILE = 'pipevine-status.txt';

describe('an image from Debian packages', { timeout: ALL_MS }, () => {
  let folder: string;
  let gateway: Gateway;
  let image: string;
  let code: string;
  const boards: EmulatedBoard[] = [];
  let failed = false;

  before(
    async () => {
      folder = await mkdtemp('/var/tmp/pipevine-image-test-');
      gateway = await Gateway.start(folder);
      const board = boardProfile('rpi-3');
      const made = await bundleBoard({ board, folder: join(folder, 'bundle'), compression: 'fast' });
      code = await gateway.code();
      image = join(folder, 'board.img');
      const startedMs = performance.now();
      const onStep = (step: string) => console.log(`# ${step}`);
      const base = await debianImage({ board, onStep });
      console.log(`# ${seconds(startedMs)} s until the system of Debian was there`);
      await makeBoardImage({
        board,
        base,
        package: made.files.find(({ kind }) => kind === 'package')?.path ?? '',
        out: `${image}.zst`,
        setup: setupOf('cellar', code),
        onStep,
      });
      await runTool('zstd', ['-d', '-q', `${image}.zst`, '-o', image]);
    },
    { timeout: BUILD_MS },
  );

  after(async () => {
    for (const board of boards) await board.cutPower();
    await gateway?.stop();
    if (failed) console.log(`# what the consoles showed is in ${folder}`);
    else if (folder !== undefined) await rm(folder, { recursive: true });
  });

  const setupOf = (hostname: string, joinCode: string): BoardSetup => ({
    hostname,
    joinCode,
    configuration: `seed: ${gateway.seed}\nboard: true\n`,
  });

  /** Starts a board with the kernel of its card. */
  async function boot(machine: EmulatedBoardInit['machine'], card: Card, name: string): Promise<EmulatedBoard> {
    const board = new EmulatedBoard({
      machine,
      card: card.file,
      kernel: await card.takeOut('vmlinuz-', folder),
      initrd: await card.takeOut('initrd.img-', folder),
      ...(machine === 'raspi3b' && { deviceTree: await card.takeOut('bcm2837-rpi-3-b.dtb', folder) }),
      log: join(folder, `${name}.log`),
    });
    boards.push(board);
    return board;
  }

  async function joins(board: EmulatedBoard, name: string): Promise<string> {
    const peer = await gateway.peer(name, JOIN_MS, () => board.console.slice(-2_000));
    console.log(`# ${name} joined ${seconds(board.startedMs)} s after it was switched on`);
    return peer;
  }

  async function statusSays(card: Card, expected: RegExp): Promise<string> {
    let last: string | undefined;
    const ask = async () => {
      last = await card.text(STATUS_FILE);
      return last !== undefined && expected.test(last) ? last : undefined;
    };
    return until(`${expected} in ${STATUS_FILE}`, STATUS_MS, ask, () => last);
  }

  /** A test whose failure keeps the consoles. */
  const step = (name: string, run: () => Promise<void>) =>
    test(name, async () => {
      try {
        await run();
      } catch (error) {
        failed = true;
        throw error;
      }
    });

  let card: Card;
  let board: EmulatedBoard;
  let peer: string;

  step('is small when it is packed', async () => {
    const { size } = await stat(`${image}.zst`);
    console.log(`# ${(size / 1e6).toFixed(1)} MB, ${((await stat(image)).size / 1e6).toFixed(0)} MB unpacked`);
    assert.ok(size <= MAX_PACKED_BYTES);
  });

  step('is sound, and holds nothing that must be each board’s own', async () => {
    card = await Card.of(image, join(folder, 'card.img'), CARD_BYTES);
    await card.checkSystem();
    assert.match(await card.systemText('/var/lib/dpkg/status'), /Package: pipevine\nStatus: install ok installed/);
    assert.equal(await card.systemText('/etc/machine-id'), '');
    assert.match(await card.systemText('/etc/shadow'), /^root:[*!]/m);
    const keys = (await card.systemNames('/etc/ssh')).filter((name) => name.startsWith('ssh_host_'));
    assert.deepEqual(keys, []);
  });

  step('boots, and joins by its one-time code under its own name', async () => {
    board = await boot('virt', card, 'virt-first');
    peer = await joins(board, 'cellar');
  });

  step('is read from outside, and has the whole card', async () => {
    assert.ok(Number(await gateway.read('cellar', 'uptime', READ_MS)) > 0);
    const { totalBytes } = Object(await gateway.read('cellar', 'disk', READ_MS));
    assert.ok(totalBytes > 1.5e9, `the root file system has ${totalBytes} bytes`);
  });

  step('says on its card that it has joined, and leaves no code there', async () => {
    assert.match(await statusSays(card, /Joined\./), /cellar/);
    await board.cutPower();
    const left = decodeBoardSetup(Buffer.from((await card.text(SETUP_FILE)) ?? ''));
    assert.equal(left.joinCode, undefined);
    const sectors = await card.bootSectors();
    assert.equal(sectors.includes(code), false, 'the code is in a sector of the boot partition');
  });

  step('is the same peer after a power cut, without a code', async () => {
    board = await boot('virt', card, 'virt-second');
    const isNew = async () => Number(await gateway.read('cellar', 'uptime', JOIN_MS)) < seconds(board.startedMs);
    await until('the board to be back', JOIN_MS, async () => (await isNew()) || undefined);
    assert.equal(await joins(board, 'cellar'), peer);
    await board.cutPower();
  });

  step('says that a code was used, and takes a better one', async () => {
    const second = await Card.of(image, join(folder, 'second.img'), CARD_BYTES);
    await second.setUp(setupOf('attic', code));
    board = await boot('virt', second, 'virt-used-code');
    await statusSays(second, /not accepted/);
    await board.cutPower();
    await second.setUp(setupOf('attic', await gateway.code()));
    board = await boot('virt', second, 'virt-new-code');
    assert.notEqual(await joins(board, 'attic'), peer);
    await board.cutPower();
    await rm(second.file);
  });

  step('says that nobody answers, goes on trying, and joins when the gateway is there', async () => {
    const third = await Card.of(image, join(folder, 'third.img'), CARD_BYTES);
    await third.setUp(setupOf('garage', await gateway.code()));
    await gateway.stop();
    board = await boot('virt', third, 'virt-no-gateway');
    await statusSays(third, /Waiting for the gateway/);
    await gateway.start();
    await joins(board, 'garage');
    await statusSays(third, /Joined\./);
    await board.cutPower();
    await rm(third.file);
  });

  step('boots on an emulated Raspberry Pi 3 with the files of its boot partition', async () => {
    const pi = await Card.of(image, join(folder, 'pi.img'), CARD_BYTES);
    await pi.setUp(setupOf('pi', await gateway.code()));
    board = await boot('raspi3b', pi, 'raspi3b');
    await joins(board, 'pi');
    assert.match(String(await gateway.read('pi', 'model', READ_MS)), /Raspberry Pi 3/);
    await board.cutPower();
  });
});

const seconds = (fromMs: number) => Math.round((performance.now() - fromMs) / 1_000);
