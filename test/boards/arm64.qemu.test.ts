import { statSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BoardBundle, boardProfile } from '../../boards/index.ts';
import { showLamp } from '../e2e/hall-lamp.ts';
import { freePort, PipevineProcess, pipevine, temporaryFolder } from '../e2e/pipevine-process.ts';
import { BoardExecutable, type BoardProcess } from './board-process.ts';
import { sharedBundle } from './shared-bundle.ts';

/** Emulated, a command takes seconds. */
const STEP_TIMEOUT_MS = 180_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let made: BoardBundle;
let board: BoardExecutable;
let gateway: PipevineProcess;
let device: MqttClient;
let peer: BoardProcess | undefined;
let home: readonly string[];

const pathOf = (kind: string) => made.files.find((file) => file.kind === kind)?.path ?? '';

beforeAll(async () => {
  folder = await temporaryFolder();
  made = await sharedBundle({ board: boardProfile('rpi-zero-2w') });
  board = new BoardExecutable('arm64', pathOf('executable'), { PIPEVINE_MULTICAST: 'false' });
  home = ['--home', join(folder.path, 'board')];
}, 600_000);

afterAll(async () => {
  await peer?.end('SIGKILL');
  await device?.endAsync(true);
  await gateway?.end('SIGKILL');
  await folder.remove();
}, 60_000);

it('is at most 105 MB, and 30 MB as a package', () => {
  expect(statSync(pathOf('executable')).size).toBeLessThanOrEqual(105_000_000);
  expect(statSync(pathOf('package')).size).toBeLessThanOrEqual(30_000_000);
});

it(
  'runs without a warning: the code cache that was made here is taken',
  async () => {
    expect(await board.run(['--version'])).toEqual({ code: 0, stdout: `${made.version}\n`, stderr: '' });
  },
  STEP_TIMEOUT_MS,
);

it(
  'joins a gateway of another machine over TCP, discovers a thing and reads it; its board is read from there',
  async () => {
    const [tcp, broker] = [await freePort(), await freePort()];
    gateway = new PipevineProcess(
      ['up', '--home', join(folder.path, 'gateway'), '--listen', `tcp://127.0.0.1:${tcp}`].concat(
        '--mqtt-listen',
        `127.0.0.1:${broker}`,
        '--json',
      ),
      { PIPEVINE_MULTICAST: 'false' },
    );
    const { code } = await gateway.json(
      (value) => (value.event === 'ready' ? { code: String(value.code) } : undefined),
      60_000,
    );
    device = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker}`, { clientId: 'lamp' });
    await showLamp(device);

    const seed = ['--seed', `tcp://127.0.0.1:${tcp}`];
    const joined = await board.run(['join', code, ...home, ...seed, '--timeout', '60']);
    expect(joined).toMatchObject({ code: 0 });
    peer = board.start([
      'up',
      '--board',
      '--name',
      'cellar',
      ...home,
      ...seed,
      '--listen',
      'tcp://127.0.0.1:0',
      '--json',
    ]);
    await peer.event('ready', 60_000);
    let found = await board.run(['things', ...home, '--json', '--timeout', '60']);
    for (const deadline = Date.now() + 60_000; !found.stdout.includes('Hall lamp') && Date.now() < deadline; ) {
      found = await board.run(['things', ...home, '--json', '--timeout', '60']);
    }
    expect(found.stdout).toContain('Hall lamp');
    const read = await board.run(['read', 'Hall lamp', 'temperature', ...home, '--timeout', '60']);
    expect(read).toMatchObject({ code: 0, stdout: '21.5\n' });
    const uptime = await pipevine(['read', 'cellar', 'uptime', '--home', join(folder.path, 'gateway')]);
    expect(uptime).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[\d.]+\n$/) });
    expect(await peer.end('SIGTERM')).toBe(0);
  },
  STEP_TIMEOUT_MS * 2,
);
