import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BoardsError } from '../boards-error.ts';
import type { ElfMachine } from './elf-executable.ts';

const EMULATORS: Readonly<
  Record<ElfMachine, { readonly command: string; readonly system: string; readonly packages: string }>
> = {
  arm64: {
    command: 'qemu-aarch64-static',
    system: '/usr/aarch64-linux-gnu',
    packages: 'qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross',
  },
  x64: {
    command: 'qemu-x86_64-static',
    system: '/usr/x86_64-linux-gnu',
    packages: 'qemu-user-static libc6-amd64-cross libstdc++6-amd64-cross',
  },
};

/** Emulated on a slow machine. */
const RUN_TIMEOUT_MS = 300_000;

/** As Node wraps what it requires. */
const functionOf = (source: string) =>
  `(function (exports, require, module, __filename, __dirname) {${source.replace(/^#!.*/, '')}\n})`;

/** What the executable runs. */
const START_PROGRAM = `'use strict';
const { getRawAsset } = require('node:sea');
const { Script } = require('node:vm');
const source = Buffer.from(getRawAsset('program.js')).latin1Slice();
const cachedData = Buffer.from(getRawAsset('program.cache'));
const script = new Script(source, { filename: 'pipevine.cjs', cachedData });
if (script.cachedDataRejected) process.emitWarning('the code cache is for another Node; the start takes longer');
script.runInThisContext()(exports, require, module, __filename, __dirname);
`;

/**
 * Runs the program until all that a peer needs is loaded: its identity is none, so that it ends there, on each machine alike.
 * What was compiled until then goes into the cache.
 */
const MAKE_CACHE = `'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');
const script = new Script(readFileSync('program.js', 'latin1'), { filename: 'pipevine.cjs' });
process.argv.splice(1, Infinity, 'pipevine', 'up', '--board', '--home', 'home');
process.on('exit', () => {
  writeFileSync('program.cache', script.createCachedData());
  process.exitCode = 0;
});
script.runInThisContext()(exports, require, module, __filename, __dirname);
`;

/** The command line and environment that run a program of a machine on this one. */
export function commandFor(
  machine: ElfMachine,
  program: string,
): { command: readonly string[]; env: NodeJS.ProcessEnv } {
  if (process.platform === 'linux' && process.arch === machine) return { command: [program], env: process.env };
  const { command, system } = EMULATORS[machine];
  const prefix = process.env.QEMU_LD_PREFIX ?? (existsSync(system) ? system : undefined);
  return { command: [command, program], env: { ...process.env, ...(prefix && { QEMU_LD_PREFIX: prefix }) } };
}

/**
 * Makes what Node's single executable applications carry: the program, and V8's code cache of all that a peer runs while its
 * modules load, made by the Node that will run it. The cache that Node itself makes would have the outermost functions alone. The
 * same program gives the same bytes.
 */
export async function applicationBlob(
  machine: ElfMachine,
  init: { readonly node: Uint8Array; readonly program: string; readonly flags: readonly string[] },
): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'pipevine-blob-'));
  try {
    const node = join(folder, 'node');
    await writeFile(node, init.node);
    await chmod(node, 0o755);
    const source = await readFile(init.program, 'latin1');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is no ASCII would be read as something else
    if (/[^\x00-\x7f]/.test(source)) throw new Error(`${init.program} has characters that are not ASCII`);
    await writeFile(join(folder, 'program.js'), functionOf(source));
    await writeFile(join(folder, 'start.cjs'), START_PROGRAM);
    await writeFile(join(folder, 'cache.cjs'), MAKE_CACHE);
    await mkdir(join(folder, 'home'));
    await writeFile(join(folder, 'home', 'identity.key'), 'none\n', { mode: 0o600 });
    // The names are relative: the blob carries them.
    const config = {
      main: 'start.cjs',
      output: 'pipevine.blob',
      disableExperimentalSEAWarning: true,
      assets: { 'program.js': 'program.js', 'program.cache': 'program.cache' },
      execArgv: init.flags,
    };
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const { command, env } = commandFor(machine, node);
    const [first = node, ...rest] = command;
    const environment = Object.fromEntries(
      Object.entries(env).filter(([name]) => !/^(NODE|PIPEVINE|XDG)_|^(HTTPS?|NO)_PROXY$/i.test(name)),
    );
    const run = (...args: string[]) =>
      promisify(execFile)(first, [...rest, ...args], { cwd: folder, env: environment, timeout: RUN_TIMEOUT_MS });
    // V8 draws the seed of its hash tables from this one; unlike --hash-seed it is no part of what the cache is checked by.
    await run('--random-seed=1', 'cache.cjs');
    await run('--experimental-sea-config', 'config.json');
    return await readFile(join(folder, 'pipevine.blob'));
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    const hint =
      process.platform === 'linux'
        ? `on Debian: apt-get install ${EMULATORS[machine].packages}`
        : 'bundle executables on Linux, in a container for example';
    throw new BoardsError(
      'environment',
      `the code cache could not be made, which runs Node for ${machine} on this machine: ${reason}; ${hint}`,
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
