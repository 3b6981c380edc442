import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
 * Makes what Node's single executable applications carry: the program with V8's code cache, made by the Node that will run
 * it. The same program gives the same bytes.
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
    // The names are relative: the blob carries that of the program.
    await copyFile(init.program, join(folder, 'pipevine.cjs'));
    const config = {
      main: 'pipevine.cjs',
      output: 'pipevine.blob',
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      execArgv: init.flags,
    };
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const { command, env } = commandFor(machine, node);
    const [first = node, ...rest] = command;
    // V8 draws the seed of its hash tables from this one; unlike --hash-seed it is no part of what the cache is checked by.
    const args = [...rest, '--random-seed=1', '--experimental-sea-config', 'config.json'];
    const { NODE_OPTIONS: _none, ...environment } = env;
    await promisify(execFile)(first, args, { cwd: folder, env: environment });
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
