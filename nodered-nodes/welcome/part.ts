import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a part prints is kept for the message about its end. */
const LINES_KEPT = 30;
const STOP_TIMEOUT_MS = 20_000;

/** One of the programs that make up the demonstration. */
export interface Part {
  readonly name: string;
  /** Settles when it ends, wanted or not; with what to say about it. */
  readonly ended: Promise<string>;
  /** The first line of its standard output that `accept` takes. Rejects when it ends before. */
  line<T>(accept: (line: string) => T | undefined): Promise<T>;
  /** Resolves with its first message. Rejects when it ends before. */
  message(): Promise<unknown>;
  /** In good order, and at last without. */
  stop(): Promise<void>;
}

/** Runs `node ARGS`. Ctrl-C at the terminal reaches the starter alone, which stops its parts in order. */
export function startPart(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Part {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
    detached: process.platform !== 'win32',
  });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      if (stream === child.stdout) for (const listener of listeners) listener(line);
    });
  }
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`${name} cannot be run: ${error.message}`));
    child.once('close', (code, signal) => resolve(`${name} ended (${code ?? signal}):\n${lines.join('\n')}`));
  });
  const orEnd = async <T>(work: Promise<T>): Promise<T> => {
    const failure = ended.then((reason) => {
      throw new Error(reason);
    });
    return Promise.race([work, failure]);
  };
  return {
    name,
    ended,
    line: (accept) =>
      orEnd(
        new Promise((resolve) => {
          const listener = (line: string) => {
            const accepted = accept(line);
            if (accepted === undefined) return;
            listeners.delete(listener);
            resolve(accepted);
          };
          listeners.add(listener);
        }),
      ),
    message: () => orEnd(new Promise((resolve) => child.once('message', resolve))),
    stop: () => stop(child, ended),
  };
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
