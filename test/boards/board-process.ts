import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { commandFor } from '../../boards/executable/application-blob.ts';
import type { ElfMachine } from '../../boards/executable/elf-executable.ts';
import { type CommandResult, LineReader } from '../e2e/pipevine-process.ts';

/** A board's executable on this machine, emulated where it is for another one. */
export class BoardExecutable {
  readonly #machine: ElfMachine;
  readonly #path: string;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(machine: ElfMachine, path: string, environment: NodeJS.ProcessEnv = {}) {
    this.#machine = machine;
    this.#path = path;
    this.#environment = environment;
  }

  /** Runs a command to its end. */
  run(args: readonly string[]): Promise<CommandResult> {
    const { command, env } = this.#command(args);
    const [first = '', ...rest] = command;
    return new Promise((resolve) => {
      const child = execFile(first, rest, { env }, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, stderr }),
      );
    });
  }

  /** Starts a command that goes on. */
  start(args: readonly string[]): BoardProcess {
    const { command, env } = this.#command(args);
    return new BoardProcess(command, env);
  }

  #command(args: readonly string[]) {
    const { command, env } = commandFor(this.#machine, this.#path);
    return { command: [...command, ...args], env: { ...env, ...this.#environment } };
  }
}

export class BoardProcess {
  readonly stdout: LineReader;
  readonly stderr: LineReader;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  constructor([command = '', ...args]: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    if (this.#child.stdout === null || this.#child.stderr === null) throw new Error('no pipes to the process');
    this.stdout = new LineReader(this.#child.stdout);
    this.stderr = new LineReader(this.#child.stderr);
    this.#exited = once(this.#child, 'exit').then(([code]: (number | null)[]) => code ?? null);
  }

  /** The values of the first JSON line with this event. */
  event(name: string, deadlineMs: number): Promise<Record<string, unknown>> {
    return this.stdout.next((line) => {
      const value: unknown = line.startsWith('{') ? JSON.parse(line) : undefined;
      const fields: Record<string, unknown> = Object(value);
      return fields.event === name ? fields : undefined;
    }, deadlineMs);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    return this.#exited;
  }
}
