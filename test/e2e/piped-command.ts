import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LineReader } from './pipevine-process.ts';

const LAUNCHER = fileURLToPath(new URL('../../cli/bin/pipevine.cjs', import.meta.url));

/** A pipevine command with a standard input that the test writes, and a standard output of any bytes. */
export class PipedCommand {
  readonly stderr: LineReader;
  /** Settles however long it takes. */
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #waiting: (() => void)[] = [];

  constructor(args: readonly string[], environment: NodeJS.ProcessEnv) {
    this.#child = spawn(process.execPath, [LAUNCHER, ...args], { env: { ...process.env, ...environment } });
    this.stderr = new LineReader(this.#child.stderr);
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      this.#wake();
    });
    // A command that has ended reads no more; its exit code says why.
    this.#child.stdin.on('error', () => {});
    this.exited = once(this.#child, 'close').then(([code]: (number | null)[]) => {
      this.#ended = true;
      this.#wake();
      return code ?? null;
    });
  }

  /** What was printed up to now. */
  get stdout(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** The values of `--json` that were printed up to now. */
  get values(): Record<string, unknown>[] {
    const lines = this.stdout.toString().split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  type(input: string | Uint8Array): void {
    this.#child.stdin.write(input);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code, null after a signal, once all that was printed has been read; fails if it does not end by the deadline. */
  async exit(deadlineMs: number): Promise<number | null> {
    await this.#until(() => this.#ended, 'its end', deadlineMs);
    return this.exited;
  }

  /** Resolves when so many bytes were printed, to all that were; fails with what was printed at the end or the deadline. */
  async printed(bytes: number, deadlineMs: number): Promise<Buffer> {
    await this.#until(() => this.#bytes >= bytes, `${bytes} bytes`, deadlineMs);
    return this.stdout;
  }

  /** The first value of `--json`, from that at `from` on, that is accepted. */
  async value(
    accept: (value: Record<string, unknown>) => boolean,
    deadlineMs: number,
    from = 0,
  ): Promise<Record<string, unknown>> {
    const find = () => this.values.slice(from).find(accept);
    await this.#until(() => find() !== undefined, 'the awaited value', deadlineMs);
    return find() ?? {};
  }

  async #until(isThere: () => boolean, what: string, deadlineMs: number): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while (!isThere()) {
      const leftMs = deadline - Date.now();
      if (this.#ended || leftMs <= 0) {
        const shown = [this.stdout.subarray(0, 2_000).toString(), ...this.stderr.lines].join('\n');
        throw new Error(`${what} did not come; ${this.#bytes} bytes were printed:\n${shown}`);
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
