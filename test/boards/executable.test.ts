import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type BoardBundle,
  boardProfile,
  bundleBoard,
  createSigningKey,
  trustedKeys,
  verifyFile,
} from '../../boards/index.ts';
import { temporaryFolder } from '../e2e/pipevine-process.ts';
import { BoardExecutable } from './board-process.ts';
import { sharedBundle, TEST_TIME_SECONDS } from './shared-bundle.ts';

const BUILD_TIMEOUT_MS = 600_000;
const MACHINE = process.arch === 'arm64' ? 'arm64' : 'x64';
const BOARD = boardProfile(`generic-${MACHINE}`);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let made: BoardBundle;
/** The same, made a second time, and signed. */
let again: BoardBundle;
let executable: BoardExecutable;
const pathOf = (bundle: BoardBundle, kind: string) => bundle.files.find((file) => file.kind === kind)?.path ?? '';

beforeAll(async () => {
  folder = await temporaryFolder();
  const key = createSigningKey(join(folder.path, 'keys'));
  const init = { board: BOARD, profile: 'edge', compression: 'fast' } as const;
  made = await sharedBundle(init);
  again = await bundleBoard({ ...init, folder: join(folder.path, 'again'), key, timeSeconds: TEST_TIME_SECONDS });
  executable = new BoardExecutable(MACHINE, pathOf(made, 'executable'));
}, BUILD_TIMEOUT_MS);

afterAll(() => folder.remove());

it('makes executable, package, bundle, bill of materials and licences, all of them signed for', async () => {
  expect(again.files.map(({ kind }) => kind).sort()).toEqual([
    'bundle',
    'executable',
    'licenses',
    'materials',
    'package',
  ]);
  const keys = trustedKeys(join(folder.path, 'keys'));
  for (const { path } of again.files) expect(await verifyFile(path, keys)).toMatchObject({ signer: 'own' });
});

it('names what is inside: the overlay, its libraries, and Node', () => {
  const { components } = JSON.parse(readFileSync(pathOf(made, 'materials'), 'utf8'));
  const names = components.map(({ name }: { name: string }) => name);
  expect(names).toEqual(
    expect.arrayContaining(['@pipevine/runtime', '@pipevine/transports', 'cbor-x', 'node', 'pipevine']),
  );
  expect(names).not.toContain('esbuild');
  expect(readFileSync(pathOf(made, 'licenses'), 'utf8')).toMatch(/cbor-x [\d.]+: MIT/);
});

it('runs without a warning: its code cache is taken', async () => {
  expect(await executable.run(['--version'])).toEqual({ code: 0, stdout: `${made.version}\n`, stderr: '' });
});

it('runs as a peer that shows its board, answers commands and stops in good order', async () => {
  const home = ['--home', join(folder.path, 'home')];
  const listen = ['--listen', 'tcp://127.0.0.1:0', '--listen', 'udp://127.0.0.1:0', '--no-multicast'];
  const peer = executable.start(['up', '--board', ...home, ...listen, '--json']);
  const ready = await peer.event('ready', 60_000);
  expect(ready).toMatchObject({ profile: 'edge' });
  const { stdout } = await executable.run(['status', ...home, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ peer: ready.peer });
  expect(await peer.end('SIGTERM')).toBe(0);
});

it('has the same bytes when it is made again', () => {
  expect(again.files.map(({ path }) => basename(path))).toEqual(made.files.map(({ path }) => basename(path)));
  for (const [index, { path }] of again.files.entries()) {
    const first = made.files[index]?.path ?? '';
    expect([path, readFileSync(path).equals(readFileSync(first))]).toEqual([path, true]);
  }
});

it('is within its size', () => {
  expect(statSync(pathOf(made, 'executable')).size).toBeLessThanOrEqual(110_000_000);
});
