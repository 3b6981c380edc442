import { PipevineError } from '../error/pipevine-error.ts';
import { errorFromWire } from '../link/wire-error.ts';
import type { Pipe } from './pipe.ts';
import { decodeStreamMessage } from './stream-codec.ts';

export interface ReceiveStreamOptions {
  /** Ends the iteration with `aborted`, and the pipe. */
  readonly signal?: AbortSignal;
  /** After each chunk: bytes received so far. */
  readonly onProgress?: (receivedBytes: number) => void;
}

/**
 * One stream of `sendStream`, chunk by chunk; the sender waits while nobody asks for more. Ends when the sender has ended it; throws
 * the sender's error when it gave up, `closed` or the pipe's error when the pipe ended before, `protocol` when bytes are
 * missing, `malformed`. The pipe is free for the next stream then. Leaving the iteration earlier closes the pipe: the
 * sender must not go on for nobody.
 */
export async function* receiveStream(pipe: Pipe, options: ReceiveStreamOptions = {}): AsyncGenerator<Uint8Array, void> {
  const { signal, onProgress } = options;
  const onAbort = (): void => void pipe.close({ timeoutMs: 0 });
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const messages = pipe[Symbol.asyncIterator]();
  let receivedBytes = 0;
  let isOver = false;
  try {
    for (;;) {
      const next = await messages.next().catch((error: unknown) => {
        throw signal?.aborted === true ? aborted(signal) : error;
      });
      if (signal?.aborted === true) throw aborted(signal);
      if (next.done === true) {
        throw new PipevineError('closed', `The pipe was closed after ${receivedBytes} bytes, before the stream's end.`);
      }
      const message = decodeStreamMessage(next.value);
      if (message.type === 'chunk') {
        receivedBytes += message.bytes.length;
        onProgress?.(receivedBytes);
        yield message.bytes;
        continue;
      }
      isOver = true;
      if (message.type === 'failure') {
        throw (
          errorFromWire(message.code, message.message) ??
          new PipevineError('closed', 'The sender ended the stream before it was whole.')
        );
      }
      if (message.totalBytes !== receivedBytes) {
        throw new PipevineError('protocol', `The stream has ${message.totalBytes} bytes; ${receivedBytes} came.`);
      }
      return;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (!isOver) onAbort();
  }
}

function aborted(signal: AbortSignal): PipevineError {
  return new PipevineError('aborted', 'The receiver of the stream gave up.', { cause: signal.reason });
}
