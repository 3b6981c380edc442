/** `node test/netlab/run.ts [FILE...]`: runs the laboratory's tests, as root, one file after another. Without files: all `*.lab.ts`. */
import { runNodeTests } from '../run-node-tests.ts';
import { BUNDLE_VARIABLE, daemonBundle } from './daemon-bundle.ts';
import { LABORATORY_ENVIRONMENT, missingForLaboratory } from './requirements.ts';

const missing = missingForLaboratory();
for (const line of missing) console.error(`netlab: ${line}`);
if (missing.length > 0) process.exitCode = 1;
else {
  const env = { ...LABORATORY_ENVIRONMENT, [BUNDLE_VARIABLE]: await daemonBundle() };
  process.exitCode = await runNodeTests({ folder: import.meta.dirname, suffix: '.lab.ts', env });
}
