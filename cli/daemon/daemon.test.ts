import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from '../config/settings.ts';
import { runAt } from '../testing/running-daemon.ts';
import { type Daemon, type DaemonInit, startDaemon } from './daemon.ts';
import { Log } from './log.ts';

let home: string;
const running: Daemon[] = [];
const logged: string[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pipevine-daemon-'));
});

afterEach(async () => {
  for (const daemon of running.splice(0)) await daemon.stop();
  rmSync(home, { recursive: true });
});

async function start(init: Partial<DaemonInit> = {}): Promise<Daemon> {
  const settings = await loadSettings(
    { home, name: 'attic', listen: ['tcp://127.0.0.1:0'], 'mqtt-listen': '127.0.0.1:0', multicast: false },
    {},
  );
  const log = new Log({
    level: 'info',
    json: false,
    colour: false,
    write: (line) => logged.push(line),
    now: () => new Date(0),
  });
  const daemon = await startDaemon({ settings, profile: 'edge', log, env: {}, showsCode: true, ...init });
  running.push(daemon);
  return daemon;
}

describe('a daemon', () => {
  it('answers commands while it runs, is the same peer after a restart, and leaves no socket', async () => {
    const first = await start();
    expect(first.ready).toMatchObject({
      event: 'ready',
      profile: 'edge',
      name: 'attic',
      group: null,
      code: null,
      home,
    });
    expect(first.ready.addresses).toEqual([expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/)]);
    const status = await runAt(home, ['status', '--json']);
    expect(JSON.parse(status.out)).toMatchObject({ peer: first.ready.peer, profile: 'edge', pid: process.pid });
    expect(await runAt(home, ['things'])).toMatchObject({ code: 0, out: 'No things are known.\n' });
    expect((await runAt(home, ['read', 'lamp', 'power'])).err).toContain('this peer is in no group yet');
    await first.stop();
    expect(existsSync(join(home, 'control.sock'))).toBe(false);
    expect(await runAt(home, ['status'])).toMatchObject({ code: 1 });
    expect((await start()).ready.peer).toBe(first.ready.peer);
  });

  it('refuses a second one on the same home, naming the first, which goes on', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining(`another pipevine (process ${process.pid}) is running on ${home}`),
    });
    expect(await runAt(home, ['status'])).toMatchObject({ code: 0 });
  });

  it('takes the place of one that was killed and left its socket', async () => {
    writeFileSync(join(home, 'control.sock'), '');
    await start();
    expect(await runAt(home, ['status'])).toMatchObject({ code: 0 });
  });

  it('makes a join code as a gateway where somebody sees it, and none elsewhere', async () => {
    const gateway = { profile: 'gateway', loadGateway: () => import('./gateway.ts') } as const;
    const first = await start(gateway);
    expect(first.ready).toMatchObject({ code: expect.any(String), link: expect.any(String) });
    await first.stop();
    expect((await start({ ...gateway, showsCode: false })).ready).toMatchObject({ code: null, link: null });
  });

  it('names a busy port and how to choose another, and releases the home', async () => {
    const hog = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => hog.once('listening', resolve));
    const address = hog.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const result = await runAt(home, ['up', '--listen', `tcp://127.0.0.1:${port}`, '--no-multicast']);
    expect(result.code).toBe(1);
    expect(result.err).toContain(`tcp://127.0.0.1:${port} is in use`);
    expect(result.err).toContain('--listen tcp://0.0.0.0:PORT');
    await start();
    await new Promise((resolve) => hog.close(resolve));
  });

  it('says what an edge build cannot do', async () => {
    expect((await runAt(home, ['up', '--profile', 'gateway'])).err).toContain('this build is for edge peers only');
  });

  it('joins without a daemon, and says what is wrong with a code', async () => {
    const result = await runAt(home, ['join', 'BAAAA', '--no-multicast']);
    expect(result.code).toBe(2);
    expect(result.err).toContain('no join code');
    // The home is free again.
    await start();
  });
});

it('stops when it is asked to over the socket', async () => {
  const daemon = await start();
  const { ControlClient } = await import('../control/control-client.ts');
  const client = await ControlClient.connect(join(home, 'control.sock'));
  await client?.call('stop', {}, { timeoutMs: 5_000 });
  client?.close();
  await daemon.stopAsked;
});
