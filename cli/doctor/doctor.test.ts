import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runAt } from '../testing/running-daemon.ts';
import { checkClock } from './machine-checks.ts';

let home: string;
let server: Server;
let port: number;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'pipevine-doctor-'));
  server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true });
});

async function doctor(...args: string[]) {
  const { code, out } = await runAt(home, ['doctor', '--no-multicast', '--json', ...args]);
  const findings: { check: string; state: string; message: string; advice?: string }[] = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { code, of: (check: string) => findings.filter((finding) => finding.check === check) };
}

it('finds nothing wrong with a fresh home', async () => {
  const { code, of } = await doctor('--profile', 'edge');
  expect(code).toBe(0);
  for (const check of ['node', 'clock', 'home', 'identity', 'disk', 'daemon']) {
    expect(of(check)).toMatchObject([{ check, state: expect.stringMatching(/ok|warn/) }]);
  }
});

it('fails for an identity that others can read, and says what to do', async () => {
  await runAt(home, ['init']);
  chmodSync(join(home, 'identity.key'), 0o644);
  const { code, of } = await doctor('--profile', 'edge');
  expect(code).toBe(1);
  expect(of('identity')).toMatchObject([{ state: 'fail', advice: expect.stringContaining('chmod 600') }]);
});

it('warns of a home that others can change', async () => {
  chmodSync(home, 0o777);
  const { of } = await doctor('--profile', 'edge');
  expect(of('home')).toMatchObject([{ state: 'warn', advice: `chmod 700 ${home}` }]);
});

it('fails for a port that is taken, and for a broker that does not answer', async () => {
  const taken = await doctor('--profile', 'edge', '--listen', `tcp://127.0.0.1:${port}`);
  expect(taken.of('port')).toMatchObject([{ state: 'fail', message: expect.stringContaining('in use') }]);
  const there = await doctor('--listen', 'tcp://127.0.0.1:0', '--mqtt', `mqtt://127.0.0.1:${port}`);
  expect(there.of('broker')).toMatchObject([{ state: 'ok' }]);
  const gone = await doctor('--profile', 'edge', '--seed', 'tcp://127.0.0.1:1');
  expect(gone.of('seed')).toMatchObject([{ state: 'fail' }]);
  expect(gone.code).toBe(1);
});

it('does not believe a clock that was never set', () => {
  expect(checkClock(0)).toMatchObject({ state: 'fail', advice: expect.stringContaining('set the clock') });
});
