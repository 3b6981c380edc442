import { spawn } from 'node:child_process';
import { PipevineError } from '@pipevine/runtime';
import type { BoardCommands, RunOptions } from './board-platform.ts';

/** How long a command may take to end after SIGTERM. */
const STOP_MS = 2_000;
const MAX_LINE = 1_024;
const MAX_REASON = 300;

/** Commands of this machine, found by `PATH`. */
export function nodeBoardCommands(env: Readonly<Record<string, string | undefined>> = process.env): BoardCommands {
  const options = { env: { ...env, LC_ALL: 'C' } };
  return {
    run: (command, runOptions) => run(command, options.env, runOptions),

    start([name = '', ...args], { onLine, onExit }) {
      const child = spawn(name, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
      let waiting = '';
      let complaint = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const lines = (waiting + text).split('\n');
        waiting = lines.pop() ?? '';
        for (const line of lines) onLine(line);
        for (; waiting.length > MAX_LINE; waiting = waiting.slice(MAX_LINE)) onLine(waiting.slice(0, MAX_LINE));
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        complaint = (complaint + text).slice(0, MAX_REASON);
      });
      child.stdin.on('error', () => undefined); // it has ended; `close` tells
      let ended: string | undefined;
      const { promise: end, resolve } = Promise.withResolvers<void>();
      const finish = (reason: string) => {
        if (ended !== undefined) return;
        ended = reason;
        resolve();
        onExit(reason);
      };
      child.on('error', (error) => finish(startFailure(name, error).message));
      child.on('close', (code, signal) => finish(`${name}: ${oneLine(complaint) || `ended by ${signal ?? code}`}`));
      return {
        write: (text) => {
          if (ended === undefined) child.stdin.write(text);
        },
        stop: async () => {
          if (ended !== undefined) return;
          child.kill('SIGTERM');
          const insist = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
          await end;
          clearTimeout(insist);
        },
      };
    },
  };
}

function run(
  [name = '', ...args]: readonly string[],
  env: Record<string, string | undefined>,
  { timeoutMs, maxBytes, signal }: RunOptions,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(new PipevineError('aborted', `${name} was not started: aborted`));
    const child = spawn(name, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    let size = 0;
    let complaint = '';
    let fault: PipevineError | undefined;
    const fail = (error: PipevineError) => {
      fault ??= error;
      child.kill('SIGKILL');
    };
    const onAbort = () => fail(new PipevineError('aborted', `${name} was aborted`));
    const deadline = setTimeout(
      () => fail(new PipevineError('timeout', `${name} did not end within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const settled = () => {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort);
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) fail(new PipevineError('too-large', `${name} gave more than ${maxBytes} bytes`));
      else chunks.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-MAX_REASON);
    });
    child.on('error', (error) => {
      settled();
      reject(startFailure(name, error));
    });
    child.on('close', (code, killer) => {
      settled();
      if (fault !== undefined) reject(fault);
      else if (code === 0) resolve(new Uint8Array(Buffer.concat(chunks)));
      else {
        reject(
          new PipevineError(
            'unreachable',
            `${name} failed (${killer ?? code}): ${oneLine(complaint) || 'no reason given'}`,
          ),
        );
      }
    });
  });
}

function startFailure(name: string, cause: Error): PipevineError {
  const missing = 'code' in cause && cause.code === 'ENOENT';
  return missing
    ? new PipevineError('unsupported', `the command ${name} is not installed`, { cause })
    : new PipevineError('unreachable', `the command ${name} cannot be started: ${cause.message}`, { cause });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
