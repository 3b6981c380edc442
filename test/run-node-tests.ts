import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Runs the files that are named on the command line, else all of `folder` that end in `suffix`, with Node's own runner, one
 * after another. Resolves to the exit status.
 */
export async function runNodeTests(init: {
  readonly folder: string;
  readonly suffix: string;
  readonly env?: NodeJS.ProcessEnv;
}): Promise<number> {
  const { folder, suffix, env = process.env } = init;
  const named = process.argv.slice(2);
  const files = named.length > 0 ? named : globSync(`*${suffix}`, { cwd: folder }).map((file) => join(folder, file));
  // In a process group of its own, with all that they start: whoever stops this stops them all.
  const tests = spawn(process.execPath, ['--test', '--test-concurrency=1', ...files.sort()], {
    stdio: 'inherit',
    detached: true,
    env,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (tests.pid !== undefined) process.kill(-tests.pid, 'SIGTERM');
    });
  }
  const [status]: (number | null)[] = await once(tests, 'close');
  return status ?? 1;
}
