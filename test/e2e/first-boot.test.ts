import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeBoardSetup, encodeBoardSetup, SETUP_FILE } from '../../boards/setup/board-setup.ts';
import { freePort, PipevineProcess, pipevine, pipevineJson, temporaryFolder } from './pipevine-process.ts';

const DEADLINE_MS = 60_000;
const OFFLINE = { PIPEVINE_MULTICAST: 'false' };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let gateway: PipevineProcess;
let board: PipevineProcess;
let root: string;
let home: string;
let gatewayHome: string;
let port: number;

beforeAll(async () => {
  folder = await temporaryFolder();
  [root, home, gatewayHome] = [join(folder.path, 'root'), join(folder.path, 'board'), join(folder.path, 'gateway')];
  for (const path of ['boot/firmware', 'etc']) mkdirSync(join(root, path), { recursive: true });
  port = await freePort();
});

afterAll(async () => {
  await board?.end();
  await gateway?.end();
  await folder.remove();
});

const setupPath = () => join(root, 'boot/firmware', SETUP_FILE);
const status = () => readFileSync(join(root, 'boot/firmware/pipevine-status.txt'), 'utf8');
const upUntilReady = async (args: readonly string[]) => {
  const process = new PipevineProcess(['up', '--json', ...args], OFFLINE);
  return { process, ready: await process.json((value) => (value.event === 'ready' ? value : undefined), DEADLINE_MS) };
};

it('takes a card to its group: set up, waiting for the gateway, joined, with no code left', async () => {
  const started = await upUntilReady([
    '--home',
    gatewayHome,
    '--listen',
    `tcp://127.0.0.1:${port}`,
    '--profile',
    'gateway',
  ]);
  const [{ code }] = (await pipevineJson(['invite', '--uses', '1', '--home', gatewayHome])) as [{ code: string }];
  // The gateway is away when the board comes up for the first time.
  await started.process.end();
  const configuration = `name: kitchen\nseed: tcp://127.0.0.1:${port}\n`;
  writeFileSync(setupPath(), encodeBoardSetup({ joinCode: code, hostname: 'kitchen', configuration }));

  expect(await pipevine(['first-boot', 'apply', '--root', root])).toEqual({
    code: 0,
    stdout: 'hostname, configuration\n',
    stderr: '',
  });
  expect(readFileSync(join(root, 'etc/hostname'), 'utf8')).toBe('kitchen\n');
  const config = join(root, 'etc/pipevine/pipevine.yaml');
  const daemon = await upUntilReady([
    '--home',
    home,
    '--config',
    config,
    '--profile',
    'edge',
    '--listen',
    'tcp://127.0.0.1:0',
  ]);
  board = daemon.process;
  expect(daemon.ready.name).toBe('kitchen');

  const joining = new PipevineProcess(
    ['first-boot', 'join', '--root', root, '--home', home, '--timeout', '2', '--json'],
    OFFLINE,
  );
  await joining.stderr.next(
    (line) => (/Waiting for (the gateway|a network)/.test(line) ? line : undefined),
    DEADLINE_MS,
  );
  expect(status()).toMatch(/Now: {7}Waiting for/);
  expect(status()).toContain(`Peer:      ${daemon.ready.peer}`);

  gateway = (await upUntilReady(['--home', gatewayHome, '--listen', `tcp://127.0.0.1:${port}`, '--profile', 'gateway']))
    .process;
  expect(await joining.json((value) => value.result, DEADLINE_MS)).toBe('joined');
  expect(await joining.exited).toBe(0);
  expect(status()).toContain('Now:       Joined.');
  expect(status()).toContain(`Group:     home of ${hostname()}`);
  expect(readFileSync(setupPath(), 'utf8')).not.toContain(code);
  expect(decodeBoardSetup(readFileSync(setupPath()))).toEqual({ hostname: 'kitchen', configuration });

  const before = status();
  expect(await pipevine(['first-boot', 'join', '--root', root, '--home', home])).toMatchObject({
    code: 0,
    stdout: 'no-code\n',
  });
  expect(await pipevine(['first-boot', 'apply', '--root', root])).toMatchObject({
    code: 0,
    stdout: 'nothing to apply\n',
  });
  expect(status()).toBe(before);

  const thief = ['--home', join(folder.path, 'thief'), '--seed', `tcp://127.0.0.1:${port}`, '--no-multicast'];
  expect(await pipevine(['join', code, ...thief])).toMatchObject({ code: 5 });
});

it('is waited for by who has flashed the card, who learns its id', async () => {
  const image = join(folder.path, 'pi.img');
  writeFileSync(image, Buffer.concat([Buffer.alloc(1_024 * 1_024), encodeBoardSetup({})]));
  const [{ code }] = (await pipevineJson(['invite', '--uses', '1', '--home', gatewayHome])) as [{ code: string }];
  const card = ['--device', join(folder.path, 'card.bin'), '--join', code, '--hostname', 'attic', '--yes', '--wait'];
  const flashing = new PipevineProcess(['flash', image, ...card, '--home', gatewayHome, '--json'], OFFLINE);
  await flashing.json((value) => (value.phase === 'done' ? value : undefined), DEADLINE_MS);
  const attic = ['--home', join(folder.path, 'attic'), '--name', 'attic', '--seed', `tcp://127.0.0.1:${port}`];
  expect(await pipevine(['join', code, ...attic, '--no-multicast'])).toMatchObject({ code: 0 });
  const { process, ready } = await upUntilReady([...attic, '--profile', 'edge', '--listen', 'tcp://127.0.0.1:0']);
  const appeared = await flashing.json((value) => (value.phase === 'appeared' ? value : undefined), DEADLINE_MS);
  expect(appeared).toEqual({ phase: 'appeared', peer: ready.peer, name: 'attic' });
  expect(await flashing.exited).toBe(0);
  await process.end();
});

it('shows a code that is wrong, until another stands on the card', async () => {
  writeFileSync(setupPath(), encodeBoardSetup({ joinCode: 'b0000-00000-00000' }));
  const joining = new PipevineProcess(['first-boot', 'join', '--root', root, '--home', home], OFFLINE);
  await joining.stderr.next((line) => (line.includes('The code was not accepted.') ? line : undefined), DEADLINE_MS);
  expect(status()).toContain('pipevine invite');
  expect(await joining.end()).toBe(0);
  expect(decodeBoardSetup(readFileSync(setupPath()))).toEqual({ joinCode: 'b0000-00000-00000' });
});

it('refuses a configuration with which the service would not start, by its line', async () => {
  writeFileSync(setupPath(), encodeBoardSetup({ configuration: 'name: a\nnaem: b\n' }));
  const applied = await pipevine(['first-boot', 'apply', '--root', root]);
  expect(applied).toMatchObject({ code: 0, stderr: expect.stringContaining('pipevine.yaml:2:1: unknown key "naem"') });
  expect(readFileSync(join(root, 'etc/pipevine/pipevine.yaml'), 'utf8')).toContain('name: kitchen');
  expect(status()).toContain('did you mean "name"?');
});
