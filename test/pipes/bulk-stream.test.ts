import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { ReceiverReady, StreamOutcome } from './stream-process.ts';

const PROGRAM = fileURLToPath(new URL('stream-process.ts', import.meta.url));
const STREAM_BYTES = 1_000_000_000;
const MAX_GROWTH_BYTES = 64 * 1_048_576;

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(...args: string[]): ChildProcess {
  const child = fork(PROGRAM, args, { execArgv: ['--disable-warning=ExperimentalWarning'] });
  children.push(child);
  return child;
}

/** The next thing that a process tells. */
async function told<T>(child: ChildProcess): Promise<T> {
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`The process ended with ${code ?? signal} before it told anything.`);
  });
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return message as T; // The caller knows which program this is, and at what it is.
}

test('a stream of 1 GB between two processes comes byte for byte, and neither grows by 64 MB', async () => {
  const receiver = start('receive', String(STREAM_BYTES));
  const ready = await told<ReceiverReady>(receiver);
  const received = told<StreamOutcome>(receiver);
  const sender = start('send', String(STREAM_BYTES), JSON.stringify(ready));
  const [sent, got] = await Promise.all([told<StreamOutcome>(sender), received]);
  expect(sent.bytes).toBe(STREAM_BYTES);
  expect(got.bytes).toBe(STREAM_BYTES);
  expect(got.sha256).toBe(sent.sha256);
  for (const { settledBytes, peakBytes } of [sent, got]) {
    expect(settledBytes).toBeGreaterThan(0);
    expect(peakBytes - settledBytes).toBeLessThan(MAX_GROWTH_BYTES);
  }
}, 240_000);
