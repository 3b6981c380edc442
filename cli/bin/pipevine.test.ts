import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

const run = promisify(execFile);
const LAUNCHER = fileURLToPath(new URL('pipevine.cjs', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-launcher-'));
  // Makes any Node believe that it is an old one.
  writeFileSync(
    join(folder, 'old.cjs'),
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.1' } });\n",
  );
});

afterEach(() => rmSync(folder, { recursive: true }));

it('prints the version and nothing else, without a warning', async () => {
  expect(await run(process.execPath, [LAUNCHER, '--version'])).toEqual({ stdout: '0.1.0\n', stderr: '' });
});

it('keeps what it has compiled in a clone beside its dependencies', async () => {
  const says = join(folder, 'says.cjs');
  writeFileSync(says, "process.on('exit', () => console.error(require('node:module').getCompileCacheDir()));\n");
  const { NODE_COMPILE_CACHE: _other, ...env } = process.env;
  const { stderr } = await run(process.execPath, ['-r', says, LAUNCHER, '--version'], { env });
  const cache = fileURLToPath(new URL('../../node_modules/.cache/pipevine-compile', import.meta.url));
  expect(stderr.startsWith(cache)).toBe(true);
});

it('takes the Node beside it when the machine has an old one', async () => {
  const { stdout } = await run(process.execPath, ['-r', join(folder, 'old.cjs'), LAUNCHER, '--version']);
  expect(stdout).toBe('0.1.0\n');
});

it('says in one line that Node is too old when there is no other', async () => {
  const alone = join(folder, 'pipevine.cjs');
  copyFileSync(LAUNCHER, alone);
  const failure = await run(process.execPath, ['-r', join(folder, 'old.cjs'), alone, 'up']).catch((error) => error);
  expect(failure.code).toBe(1);
  expect(failure.stderr).toBe(
    'pipevine: Node 22.13 or newer is needed, this is 18.20.1; install one from https://nodejs.org, or run `npm ci` in the clone, which brings its own\n',
  );
});

it('hands on the exit code of the Node beside it', async () => {
  const failure = await run(process.execPath, ['-r', join(folder, 'old.cjs'), LAUNCHER, 'nonsense']).catch(
    (error) => error,
  );
  expect(failure.code).toBe(2);
});
