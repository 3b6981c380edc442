import { type CommandLineInit, runCommandLine } from './command-line.ts';
import { processInput } from './input/process-input.ts';
import { EXIT } from './output/exit-code.ts';

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** Runs the command line of this process, with its environment, streams and signals. */
export async function runProcess(
  init: Pick<CommandLineInit, 'loadGateway' | 'loadBoard' | 'loadReach' | 'moreCommands' | 'drawQrCode'>,
): Promise<void> {
  const controller = new AbortController();
  for (const [signal, number] of Object.entries(SIGNAL_NUMBERS)) {
    process.on(signal, () => {
      // The first asks, the second ends at once.
      if (controller.signal.aborted) process.exit(128 + number);
      controller.abort();
    });
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // `pipevine observe ... | head`: who no longer reads wants no error message.
      if (error.code === 'EPIPE') process.exit(EXIT.done);
      throw error;
    });
  }
  const { env, stdout: out, stderr: err } = process;
  const input = processInput(() => process.stdin, err);
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    env,
    out,
    err,
    signal: controller.signal,
    input,
    ...init,
  });
}
