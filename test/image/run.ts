/** `node test/image/run.ts [FILE...]`: makes images as root and boots them, one file after another. Without files: all `*.image.ts`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { missingForImages } from './requirements.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const missing = await missingForImages();
if (missing.length > 0) {
  for (const line of missing) console.error(`image: ${line}`);
  process.exitCode = 1;
} else {
  const named = process.argv.slice(2);
  const files = named.length > 0 ? named : globSync('*.image.ts', { cwd: FOLDER }).map((file) => `${FOLDER}${file}`);
  // In a process group of its own, with the emulators and gateways that it starts: whoever stops this stops them all.
  const tests = spawn(process.execPath, ['--test', '--test-concurrency=1', ...files.sort()], {
    stdio: 'inherit',
    detached: true,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (tests.pid !== undefined) process.kill(-tests.pid, 'SIGTERM');
    });
  }
  const [status]: (number | null)[] = await once(tests, 'close');
  process.exitCode = status ?? 1;
}
