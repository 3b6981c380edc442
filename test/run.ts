/**
 * Runs all tests but those of `test:boards` and `test:netlab`: `npm test`, or `npm test -- FILTER...` with any argument of vitest. Tests that need a Debian package are
 * left out, visibly, where it is missing; in CI (CI=true) that is a failure. Then the simulator runs: each
 * command counts as one test. The last line is `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Outcome, outcomeOf } from './outcome.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SIMULATOR = join(ROOT, 'test/simulator/run.ts');
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');
/** Debian packages that some tests need: by convention these have its name in their own. */
const PACKAGES = [
  { name: 'mosquitto', isThere: ['mosquitto', '-h'] },
  { name: 'chromium', isThere: ['chromium', '--version'] },
] as const;

/** Debian puts mosquitto into /usr/sbin, which is not on everybody's PATH. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` };

const isContinuousIntegration = process.env.CI === 'true' || process.env.CI === '1';
const folder = mkdtempSync(join(tmpdir(), 'pipevine-test-run-'));
const report = join(folder, 'report.json');

function missingPackages(): readonly string[] {
  const isMissing = ([command, ...args]: readonly [string, ...string[]]) =>
    spawnSync(command, args, { stdio: 'ignore', env: ENVIRONMENT }).error !== undefined;
  return PACKAGES.filter(({ isThere }) => isMissing(isThere)).map(({ name }) => name);
}

function runVitest(excluded: readonly string[]): { outcome: Outcome; status: number } {
  const child = spawnSync(
    process.execPath,
    [
      VITEST,
      'run',
      '--project',
      'unit',
      '--project',
      'processes',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...process.argv.slice(2),
    ],
    { cwd: ROOT, stdio: 'inherit', env: { ...ENVIRONMENT, PIPEVINE_TEST_EXCLUDE: excluded.join(',') } },
  );
  let text: string | undefined;
  try {
    text = readFileSync(report, 'utf8');
  } catch {
    // vitest ended before it could write one: its own output says why.
  }
  return { outcome: outcomeOf(text), status: child.status ?? 1 };
}

const missing = missingPackages();
const { outcome, status } = runVitest(missing.map((name) => `test/**/*${name}*.test.ts`));
rmSync(folder, { recursive: true, force: true });

/** The control plane and pipes under many seeds, a million messages, a thousand peers: all where every change is checked, a taste elsewhere. */
const SIMULATIONS: readonly (readonly string[])[] = isContinuousIntegration
  ? [
      ['--seeds', '1000', '--scenario', 'control'],
      ['--seeds', '1000', '--scenario', 'changing routes'],
      ['--seeds', '1', '--scenario', 'a million messages'],
      ['--seeds', '1', '--scenario', 'a thousand peers'],
    ]
  : [
      ['--seeds', '50', '--scenario', 'control'],
      ['--seeds', '50', '--scenario', 'changing routes'],
    ];

function simulate(options: readonly string[]): boolean {
  return spawnSync(process.execPath, [SIMULATOR, ...options], { stdio: 'inherit' }).status === 0;
}

// Arguments choose tests of vitest; then there is no simulation.
const simulated = process.argv.length === 2 ? SIMULATIONS.map(simulate) : [];
const simulation = {
  passed: simulated.filter((good) => good).length,
  failed: simulated.filter((good) => !good).length,
};

let failed = status !== 0 || outcome.failed > 0 || simulation.failed > 0;
if (outcome.skipped > 0) {
  console.log(`${outcome.skipped} tests are marked as skipped${isContinuousIntegration ? ': not allowed in CI' : ''}.`);
  failed ||= isContinuousIntegration;
}
if (missing.length > 0) {
  const names = missing.join(' and ');
  console.log(`Left out: the tests that need ${names}. To run them too: apt-get install ${missing.join(' ')}`);
  if (isContinuousIntegration) console.log('In CI nothing may be left out, so this run has failed.');
  failed ||= isContinuousIntegration;
}
// A run that fails without a failed test (vitest itself broke, or an error was thrown outside of tests) counts as one.
const failures = (outcome.failed === 0 && status !== 0 ? 1 : outcome.failed) + simulation.failed;
console.log(`${outcome.passed + simulation.passed} passed, ${failures} failed`);
process.exitCode = failed ? 1 : 0;
