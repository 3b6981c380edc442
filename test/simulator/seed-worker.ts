/** A process of `run.ts`: runs the scenarios that it is told, one at a time, and reports each outcome. */
import { nodeCrypto } from '@pipevine/transports';
import { scenarioNamed } from './all-scenarios.ts';
import { runScenario } from './scenarios.ts';
import type { SeedOutcome, SeedTask } from './seed-pool.ts';
import { simulatedCrypto } from './simulated-crypto.ts';

/** What the parent process says in `argv`. */
export interface WorkerOptions {
  readonly realCrypto: boolean;
  /** Runs each seed a second time and compares the traces. */
  readonly twice: boolean;
}

const options: WorkerOptions = JSON.parse(process.argv[2] ?? '{}');
const crypto = options.realCrypto ? nodeCrypto : simulatedCrypto;

let rejected: unknown;
process.on('unhandledRejection', (reason) => {
  rejected ??= reason;
});

async function outcomeOf({ scenario: name, seed }: SeedTask): Promise<SeedOutcome> {
  const startedAt = performance.now();
  const elapsed = (): number => performance.now() - startedAt;
  rejected = undefined;
  try {
    const scenario = scenarioNamed(name);
    const result = await runScenario(scenario, seed, { crypto });
    if (options.twice) {
      const { trace } = await runScenario(scenario, seed, { crypto });
      if (trace !== result.trace) throw new Error(`A second run gave another trace: ${trace}, not ${result.trace}.`);
    }
    // Rejections that nobody handles are reported when the turn of the event loop is over.
    await new Promise(setImmediate);
    if (rejected !== undefined) throw new Error('A rejection was not handled.', { cause: rejected });
    return { scenario: name, seed, realMs: elapsed(), result };
  } catch (error) {
    return { scenario: name, seed, realMs: elapsed(), failure: textOf(error) };
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.stack ?? error.message;
  return error.cause === undefined ? text : `${text}\ncaused by ${textOf(error.cause)}`;
}

process.on('message', (task: SeedTask) => {
  outcomeOf(task).then((outcome) => process.send?.(outcome));
});
// The parent is gone: nobody wants the outcome.
process.on('disconnect', () => process.exit(0));
