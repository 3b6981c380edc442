import { expect, it } from 'vitest';
import { outcomeOf } from './outcome.ts';

const report = (files: object[], counts: object = {}) =>
  JSON.stringify({
    numPassedTests: 5,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: files,
    ...counts,
  });

it('counts passed, failed and skipped tests', () => {
  const files = [{ status: 'failed', assertionResults: [{}] }];
  expect(outcomeOf(report(files, { numFailedTests: 2, numPendingTests: 1, numTodoTests: 1 }))).toEqual({
    passed: 5,
    failed: 2,
    skipped: 2,
  });
});

it('counts a file that could not be loaded as one failed test', () => {
  expect(outcomeOf(report([{ status: 'failed', assertionResults: [] }]))).toMatchObject({ failed: 1 });
});

it.each([undefined, '', '{'])('counts a missing report as a failure: %j', (text) => {
  expect(outcomeOf(text)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
