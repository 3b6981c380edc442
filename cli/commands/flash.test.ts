import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.ts';
import type { Input } from '../input/input.ts';
import { Output } from '../output/output.ts';
import { RunningDaemon } from '../testing/running-daemon.ts';
import { FLASH_COMMAND } from './flash-command.ts';
import { progressPrinter } from './flash-progress.ts';

const IMAGE = Buffer.alloc(100_000, 'image');

let folder: string;
let image: string;
let card: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-flash-'));
  image = join(folder, 'pi.img');
  card = join(folder, 'card');
  writeFileSync(image, IMAGE);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command; at a terminal when there are answers. */
async function run(args: readonly string[], answers?: readonly string[], home = folder) {
  const text = { out: '', err: '' };
  const asked: string[] = [];
  const sink = (name: 'out' | 'err') => ({
    write: (chunk: string | Uint8Array) => {
      text[name] += String(chunk);
    },
  });
  const waiting = [...(answers ?? [])];
  const input: Input = {
    interactive: answers !== undefined,
    ask: async (question) => {
      asked.push(question);
      return waiting.shift() ?? '';
    },
    firstLine: async () => '',
    chunks: async function* () {},
  };
  const code = await runCommandLine(['flash', ...args], {
    env: { PIPEVINE_HOME: home },
    out: sink('out'),
    err: sink('err'),
    signal: new AbortController().signal,
    input,
    moreCommands: { commands: [FLASH_COMMAND], loadMethods: async () => () => ({}) },
  });
  return { code, asked, ...text };
}

describe('pipevine flash', () => {
  it('writes a file and says how fast; as JSON one value a line', async () => {
    const done = await run([image, '--device', card, '--yes']);
    expect(done).toMatchObject({
      code: 0,
      out: expect.stringMatching(/card is ready: 0\.1 MB, read back and right\n/),
    });
    expect(readFileSync(card).equals(IMAGE)).toBe(true);
    const { out } = await run([image, '--device', card, '--yes', '--json']);
    const values = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(values.find(({ fraction }) => fraction === 1)).toEqual({
      phase: 'writing',
      bytes: 100_000,
      total: 100_000,
      fraction: 1,
      rate: expect.anything(),
      leftMs: 0,
    });
    expect(values.at(-1)).toEqual({
      phase: 'done',
      device: card,
      image,
      isSetUp: false,
      isDirect: expect.any(Boolean),
      bytes: 100_000,
      writeMs: expect.any(Number),
      verifyMs: expect.any(Number),
    });
  });

  it('asks before it overwrites, and takes no for an answer', async () => {
    writeFileSync(card, 'mine');
    const refused = await run([image, '--device', card], ['no']);
    expect(refused).toMatchObject({ code: 5, err: 'pipevine: nothing was written\n' });
    expect(refused.asked).toEqual(['All of it will be lost. Type card to go on: ']);
    expect(readFileSync(card, 'utf8')).toBe('mine');
    expect(await run([image, '--device', card], ['card'])).toMatchObject({ code: 0 });
  });

  it('says of a card whether it was written to its end', async () => {
    writeFileSync(card, 'PIPEVINE UNFINISHED CARD 1\n{"image":"a\\u001b[2J.img","began":"2026-11-21T20:00:00.000Z"}\n');
    expect(await run(['--check', '--device', card])).toMatchObject({ code: 0 });
    writeFileSync(card, `${readFileSync(card, 'utf8')}This card was not written to its end. Flash it again.\n`);
    const found = await run(['--check', '--device', card]);
    expect(found).toMatchObject({
      code: 1,
      out: expect.stringContaining('not finished and cannot be used: a\ufffd[2J.img'),
    });
  });

  it.each([
    [['--device', '/dev/null', '--yes'], 2, 'neither a drive nor a file'],
    [['--yes'], 2, 'needs --device DEVICE and --yes'],
    [['--device', 'x', '--fixed-disk', 'y', '--yes'], 2, 'one of --device and --fixed-disk'],
    [['--device', 'x', '--yes', '--wait'], 2, '--hostname NAME'],
    [['--device', 'x', '--yes', '--wifi-country', 'DE'], 2, '--wifi SSID'],
    [['--device', 'x', '--yes', '--wifi', 'home'], 2, '--wifi-open'],
    [['--device', 'x', '--yes', '--ssh-key', 'gone'], 2, 'gone cannot be read (ENOENT)'],
    [['--device', 'x', '--yes', '--hostname', 'a', '--wait'], 1, 'no pipevine is running'],
  ])('with %j exits %d', async (args, code, message) => {
    expect(await run([image, ...args])).toMatchObject({ code, err: expect.stringContaining(message) });
  });

  it('that waits in vain exits 4, and the card is finished', async () => {
    const daemon = await RunningDaemon.start();
    try {
      const { encodeBoardSetup } = await import('../../boards/setup/board-setup.ts');
      writeFileSync(image, encodeBoardSetup({}));
      // A peer of this name is there already: that one is not meant.
      const args = [image, '--device', card, '--yes', '--hostname', 'attic', '--wait', '--timeout', '0.5'];
      const waited = await run(args, undefined, daemon.home);
      expect(waited).toMatchObject({
        code: 4,
        err: expect.stringContaining('no new peer "attic" was seen within 0.5 s'),
      });
      expect(waited.out).toContain('is ready');
    } finally {
      await daemon.stop();
    }
  });
});

describe('progress', () => {
  const output = new Output({ json: false, debug: false, out: { write: () => {} }, err: { write: () => {} } });
  const at = (fraction: number) => ({
    phase: 'writing' as const,
    bytes: fraction * 50_000_000,
    totalBytes: 50_000_000,
    fraction,
    rate: 10_000_000,
    leftMs: (1 - fraction) * 5_000,
  });

  it('rewrites its line at a terminal, five times a second at most, and ends it', () => {
    let now = 0;
    let written = '';
    const print = progressPrinter(output, () => now, {
      write: (text: string | Uint8Array) => {
        written += text;
        return true;
      },
    });
    for (const fraction of [0, 0.1, 0.2, 1]) {
      print(at(fraction));
      now += 150;
    }
    expect(written).toBe(
      [0, 0.2, 1]
        .map((fraction) => {
          const text = {
            0: '  0 %, 0 B, 10.0 MB/s, 5 s left',
            0.2: ' 20 %, 10 MB, 10.0 MB/s, 4 s left',
            1: '100 %, 50 MB, 10.0 MB/s\n',
          };
          return `\r\u001b[KWriting ${text[fraction as 0 | 0.2 | 1]}`; // the three above
        })
        .join(''),
    );
  });
});
