import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { promisify } from 'node:util';
import { BoardsError } from '../boards-error.ts';
import { messageOf } from '../message-of.ts';
import { damaged } from './damaged.ts';
import { type OnRead, READ_BYTES } from './image-chunks.ts';

/** Of what xz complains about. */
const MAX_MESSAGE_LENGTH = 500;

/** By the xz command: Node knows all formats but this. */
export async function* unxz(path: string, onRead: OnRead): AsyncGenerator<Uint8Array> {
  const child = spawn('xz', ['--decompress', '--stdout', '--format=xz'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const input = createReadStream(path, { highWaterMark: READ_BYTES });
  let message = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    message = (message + text).slice(0, MAX_MESSAGE_LENGTH);
  });
  child.stdin.on('error', () => {
    // xz ended early; its exit code says so below.
  });
  let failure: Error | undefined;
  input.on('error', (error) => {
    failure = error;
    child.kill();
  });
  input.pipe(child.stdin);
  try {
    for await (const chunk of child.stdout) {
      onRead(input.bytesRead);
      yield chunk;
    }
    const [code]: (number | null)[] = await ended;
    if (failure !== undefined) throw failure;
    if (code !== 0) throw damaged(path, oneLine(message));
  } catch (error) {
    throw error instanceof BoardsError ? error : unusable(error);
  } finally {
    input.destroy();
    child.kill();
    await ended.catch(() => {});
  }
}

/** Of the image, by the index at the end of the file. Throws `environment` for one that is not whole. */
export async function xzBytes(path: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('xz', ['--robot', '--list', '--', path]);
    const bytes = Number(/^totals\t\d+\t\d+\t\d+\t(\d+)/m.exec(stdout)?.[1]);
    return Number.isSafeInteger(bytes) ? bytes : undefined;
  } catch (error) {
    if (Object(error).code === 'ENOENT') throw unusable(error);
    throw damaged(path, oneLine(String(Object(error).stderr ?? '')));
  }
}

function oneLine(message: string): string {
  return message.trim().slice(0, MAX_MESSAGE_LENGTH).replaceAll('\n', '; ');
}

function unusable(error: unknown): BoardsError {
  return new BoardsError(
    'environment',
    `xz cannot be run (${messageOf(error)}); on Debian: sudo apt-get install xz-utils`,
    {
      cause: error,
    },
  );
}
