import { defineConfig } from 'vitest/config';

/** Tests that start processes of their own: after the others, one file at a time, with longer deadlines. */
const PROCESS_TESTS = [
  'test/e2e/**/*.test.ts',
  'test/interop/**/*.test.ts',
  'test/docs/**/*.test.ts',
  'test/pipes/**/*.test.ts',
  'test/nodered/**/*.test.ts',
];
/** Whole executables and packages: some minutes, and Debian packages that little else needs. `npm run test:boards`. */
const BOARD_TESTS = ['test/boards/**/*.test.ts'];
/** What test/run.ts leaves out on this machine, separated by commas. Exclusions of the command line do not reach projects. */
const LEFT_OUT = (process.env.PIPEVINE_TEST_EXCLUDE ?? '').split(',').filter((pattern) => pattern !== '');
const IGNORED = ['**/node_modules/**', '**/dist/**', ...LEFT_OUT];

export default defineConfig({
  test: {
    environment: 'node',
    globals: false,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Nothing of ours keeps state in a module, so that files can share those that are loaded.
          isolate: false,
          include: ['**/*.test.ts'],
          exclude: [...IGNORED, ...PROCESS_TESTS, ...BOARD_TESTS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: PROCESS_TESTS,
          exclude: IGNORED,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'boards',
          include: BOARD_TESTS,
          exclude: IGNORED,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
