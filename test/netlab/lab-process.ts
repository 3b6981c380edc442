import { type ChildProcess, spawn } from 'node:child_process';
import { LABORATORY_ENVIRONMENT } from './requirements.ts';

export interface LabProcessResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is kept of each output. */
const MAX_OUTPUT_CHARACTERS = 4 * 1024 * 1024;

/** A program in one of the laboratory's namespaces. */
export class LabProcess {
  /** Resolves when it has ended and all its output is here; never rejects. */
  readonly ended: Promise<LabProcessResult>;
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #result: LabProcessResult | undefined;

  constructor(namespace: string, command: readonly string[], env: NodeJS.ProcessEnv = {}) {
    // `ip` becomes the command itself, so that signals reach it.
    this.#child = spawn('ip', ['netns', 'exec', namespace, ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...LABORATORY_ENVIRONMENT, ...env },
    });
    this.#child.stdout?.on('data', (text: Buffer) => {
      this.#stdout = (this.#stdout + text.toString()).slice(-MAX_OUTPUT_CHARACTERS);
      this.#tell();
    });
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString()).slice(-MAX_OUTPUT_CHARACTERS);
      this.#tell();
    });
    this.#child.stdin?.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#result ??= { code, signal, stdout: this.#stdout, stderr: this.#stderr };
        resolve(this.#result);
        this.#tell();
      };
      this.#child.on('error', (error) => {
        this.#stderr += error.message;
        end(null, null);
      });
      this.#child.on('close', end);
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  writeLine(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resolves with what `find` makes of the output so far, as soon as that is not undefined. */
  waitFor<T>(find: (stdout: string, stderr: string) => T | undefined, what: string, timeoutMs = 10_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const fail = (why: string): void => {
        settle();
        reject(
          new Error(`${why} before ${what}. Its output: ${this.#stdout.slice(-2000)}${this.#stderr.slice(-2000)}`),
        );
      };
      const look = (): void => {
        const found = find(this.#stdout, this.#stderr);
        if (found !== undefined) {
          settle();
          resolve(found);
        } else if (this.#result !== undefined) {
          fail(`the program ended with ${this.#result.code ?? this.#result.signal}`);
        }
      };
      const timer = setTimeout(() => fail(`${timeoutMs} ms went by`), timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
