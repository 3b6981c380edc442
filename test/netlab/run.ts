/** `node test/netlab/run.ts [FILE...]`: runs the laboratory's tests, as root, one file after another. Without files: all `*.lab.ts`. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BUNDLE_VARIABLE, daemonBundle } from './daemon-bundle.ts';
import { LABORATORY_ENVIRONMENT, missingForLaboratory } from './requirements.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const missing = missingForLaboratory();
if (missing.length > 0) {
  for (const line of missing) console.error(`netlab: ${line}`);
  process.exitCode = 1;
} else {
  const named = process.argv.slice(2);
  const files = named.length > 0 ? named : globSync('*.lab.ts', { cwd: FOLDER }).map((file) => `${FOLDER}${file}`);
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...files.sort()], {
    stdio: 'inherit',
    env: { ...LABORATORY_ENVIRONMENT, [BUNDLE_VARIABLE]: await daemonBundle() },
  });
  process.exitCode = status ?? 1;
}
