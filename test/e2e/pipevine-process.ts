import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../cli/bin/pipevine.cjs', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line that a process printed, and a way to wait for the next that matters. */
export class LineReader {
  readonly lines: string[] = [];
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(stream: NodeJS.ReadableStream) {
    const reader = createInterface({ input: stream });
    reader.on('line', (line) => {
      this.lines.push(line);
      this.#wake();
    });
    reader.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** The first line from `from` on that `accept` takes; fails with all that was printed at the end or the deadline. */
  async next<T>(accept: (line: string) => T | undefined, deadlineMs: number, from = 0): Promise<T> {
    const deadline = Date.now() + deadlineMs;
    for (let index = from; ; ) {
      for (; index < this.lines.length; index++) {
        const accepted = accept(this.lines[index] ?? '');
        if (accepted !== undefined) return accepted;
      }
      const leftMs = deadline - Date.now();
      if (this.#ended || leftMs <= 0) {
        throw new Error(`The awaited line did not come in ${deadlineMs} ms. Printed:\n${this.lines.join('\n')}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** A pipevine command that goes on until it is ended: `up`, `observe`. */
export class PipevineProcess {
  readonly stdout: LineReader;
  readonly stderr: LineReader;
  readonly #child: ChildProcess;
  readonly exited: Promise<number | null>;

  constructor(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [LAUNCHER, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    if (this.#child.stdout === null || this.#child.stderr === null) throw new Error('no pipes to the process');
    this.stdout = new LineReader(this.#child.stdout);
    this.stderr = new LineReader(this.#child.stderr);
    this.exited = once(this.#child, 'exit').then(([code]: (number | null)[]) => code ?? null);
  }

  /** The next JSON line that `accept` takes. */
  json<T>(accept: (value: Record<string, unknown>) => T | undefined, deadlineMs: number, from = 0): Promise<T> {
    return this.stdout.next((line) => (line.startsWith('{') ? accept(JSON.parse(line)) : undefined), deadlineMs, from);
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null) this.#child.kill(signal);
    return this.exited;
  }
}

/** Runs a pipevine command to its end. */
export async function pipevine(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code]: (number | null)[] = await once(child, 'close');
  return { code: code ?? null, stdout, stderr };
}

/** The JSON lines of a command that must succeed. */
export async function pipevineJson(
  args: readonly string[],
  environment?: NodeJS.ProcessEnv,
): Promise<Record<string, unknown>[]> {
  const result = await pipevine([...args, '--json'], environment);
  if (result.code !== 0) throw new Error(`pipevine ${args.join(' ')} exited ${result.code}: ${result.stderr}`);
  return result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** An empty folder, and its removal. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'pipevine-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
