import { Writable } from 'node:stream';
import { PipevineError } from '@pipevine/runtime';
import type { Input } from './input.ts';

const MAX_LINE_BYTES = 4_096;

/**
 * Asks at a terminal: questions go to standard error, so that results can be piped on. `open` gives standard input, which
 * Node sets up when it is first touched: most commands never need it.
 */
export function processInput(open: () => NodeJS.ReadStream, err: NodeJS.WriteStream): Input {
  return {
    get interactive() {
      return open().isTTY === true && err.isTTY === true;
    },
    ask: (question, options) => ask(open(), err, question, options?.secret === true),
    firstLine: () => firstLine(open()),
    chunks: (signal) => chunks(open(), signal),
  };
}

/** Ends the stream with the signal: nothing else would let the process end while nobody types. */
async function* chunks(input: NodeJS.ReadStream, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const end = (): void => void input.destroy();
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  try {
    for await (const chunk of input) yield Buffer.from(chunk);
  } catch (error) {
    // That is how a stream says that it was destroyed.
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

async function ask(
  input: NodeJS.ReadStream,
  err: NodeJS.WriteStream,
  question: string,
  secret: boolean,
): Promise<string> {
  const { createInterface } = await import('node:readline');
  // The line editor echoes what is typed to its output: for a secret to nowhere.
  const output = secret ? new Writable({ write: (_chunk, _encoding, done) => done() }) : err;
  const lines = createInterface({ input, output, terminal: true, historySize: 0 });
  try {
    return await new Promise<string>((resolve, reject) => {
      const give = (): void => reject(new PipevineError('aborted', 'nothing was done'));
      lines.once('SIGINT', give).once('close', give);
      if (secret) err.write(question);
      lines.question(secret ? '' : question, resolve);
    });
  } finally {
    if (secret) err.write('\n');
    lines.close();
  }
}

async function firstLine(input: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (bytes.includes(10) || length > MAX_LINE_BYTES) break;
  }
  const [line = ''] = Buffer.concat(chunks).toString('utf8').split(/\r?\n/, 1);
  if (Buffer.byteLength(line) > MAX_LINE_BYTES) {
    throw new PipevineError('too-large', `the first line of standard input has more than ${MAX_LINE_BYTES} bytes`);
  }
  return line;
}
