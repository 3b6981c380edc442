import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BoardsError } from '../boards-error.ts';

export interface CommandOutcome {
  readonly code: number | null;
  readonly output: string;
}

/** What a service is installed on: where its files go, and what runs its commands. */
export interface ServiceHost {
  /** Before each path: `/`, or the folder of another system. */
  readonly root: string;
  /** Runs a command to its end; `output` has both of its streams. */
  run(command: string, args: readonly string[]): Promise<CommandOutcome>;
  /** Runs a command that prints by itself, until it ends or the signal. */
  show(command: string, args: readonly string[], signal: AbortSignal): Promise<number | null>;
}

/** This machine. */
export const serviceHost: ServiceHost = {
  root: '/',
  async run(command, args) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return { code: await exitOf(child, command), output };
  },
  async show(command, args, signal) {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    const end = () => child.kill('SIGTERM');
    signal.addEventListener('abort', end, { once: true });
    try {
      return await exitOf(child, command);
    } finally {
      signal.removeEventListener('abort', end);
    }
  },
};

async function exitOf(child: ReturnType<typeof spawn>, command: string): Promise<number | null> {
  const failed = once(child, 'error').then(([error]: Error[]) => {
    throw new BoardsError(
      'environment',
      `${command} cannot be run (${error?.message}): a service needs a Linux with systemd`,
      {
        cause: error,
      },
    );
  });
  const [code]: (number | null)[] = await Promise.race([once(child, 'close'), failed]);
  return code ?? null;
}
