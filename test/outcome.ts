export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/**
 * Counts what vitest's JSON report says. A file that failed before it had any test counts as one failed test; so does a
 * missing or unreadable report.
 */
export function outcomeOf(text: string | undefined): Outcome {
  const nothing = { passed: 0, failed: 1, skipped: 0 };
  if (text === undefined) return nothing;
  let report: Report;
  try {
    report = JSON.parse(text);
  } catch {
    return nothing;
  }
  const broken = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
