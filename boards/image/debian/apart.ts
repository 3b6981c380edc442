import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BoardsError } from '../../boards-error.ts';

export interface ApartInit {
  /** What it is called when it fails. Default: its first word. */
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  /** Each line of both outputs as it comes. */
  readonly onLine?: (line: string) => void;
}

/** A program that ended with another code than 0; null: by a signal. */
export class ProgramFailure extends BoardsError {
  readonly exitCode: number | null;

  constructor(name: string, exitCode: number | null, output: string) {
    super('environment', `${name} failed (${exitCode ?? 'by a signal'}):\n${output}`);
    this.exitCode = exitCode;
  }
}

/** What a failure quotes of the output, from its end. */
const QUOTED_LINES = 6;
const QUOTED_CHARACTERS = 300;
/** What is kept of the output, from its end. */
const MAX_LINES = 2_000;
/** Debian keeps some programs where not everybody's PATH looks. */
export const SYSTEM_PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

/**
 * Runs a command as root in mount and process namespaces of its own: whatever it mounts and starts is gone when it ends, and also
 * when the signal ends it. A session of its own keeps Ctrl-C of the terminal from it. Gives the end of its output. Throws `ProgramFailure`.
 */
export async function runApart(command: readonly string[], init: ApartInit = {}): Promise<string> {
  const { signal, env, stdin, onLine } = init;
  throwIfAborted(signal);
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'];
  const child = spawn('unshare', [...namespaces, ...command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC', ...env, PATH: SYSTEM_PATH },
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (lines.push(line) > MAX_LINES) lines.shift();
      onLine?.(line);
    });
  }
  child.stdin.on('error', () => {
    // It ended before it had read all: its exit code says why.
  });
  child.stdin.end(stdin);
  // unshare blocks the gentler signals as long as its child runs.
  const end = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', end, { once: true });
  try {
    const [code]: (number | null)[] = await once(child, 'close');
    throwIfAborted(signal);
    if (code !== 0) {
      const last = lines.filter((line) => line.trim() !== '').slice(-QUOTED_LINES);
      const quoted = last.map((line) => line.slice(0, QUOTED_CHARACTERS)).join('\n');
      throw new ProgramFailure(init.name ?? command[0] ?? '', code ?? null, quoted);
    }
    return lines.join('\n');
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

/** Throws `environment` when the person has stopped the work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new BoardsError('environment', 'stopped; no image was made');
}
