import { PipevineError } from '../error/pipevine-error.ts';
import type { Pipe, WaitOptions } from './pipe.ts';
import { SEND_TIMEOUT_MS } from './pipe-defaults.ts';
import { encodeStreamMessage } from './stream-codec.ts';

/** Bytes of one message: with their head they just fit into a frame of a stream link. */
export const STREAM_CHUNK_BYTES = 65_000;

export interface SendStreamOptions extends WaitOptions {
  /**
   * Longest wait for room for one chunk, and for the last acknowledgement; default 30 s. A receiver that is slower than that
   * for one window of bytes needs a longer one.
   */
  readonly timeoutMs?: number;
  /** After each chunk of the source: bytes queued so far. */
  readonly onProgress?: (sentBytes: number) => void;
}

/**
 * Sends a sequence of bytes of any length, in bounded memory: the next chunk is asked for when the pipe has room for it. Resolves
 * with the number of bytes once the other side has acknowledged them all. Rejects with what the source threw, which the
 * other side is told, with `aborted`, or as Pipe.send does. Give the pipe the priority `bulk` where others share its link.
 */
export async function sendStream(
  pipe: Pipe,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: SendStreamOptions = {},
): Promise<number> {
  if (pipe.kind === 'unicast' || pipe.kind === 'request') {
    throw new PipevineError('invalid-argument', `A stream needs a reliable pipe, not one of kind ${pipe.kind}.`);
  }
  const { onProgress, timeoutMs = SEND_TIMEOUT_MS, signal } = options;
  const wait: WaitOptions = { timeoutMs, ...(signal && { signal }) };
  let totalBytes = 0;
  try {
    for await (const bytes of source) {
      if (signal?.aborted === true) throw new PipevineError('aborted', 'The sender of the stream gave up.');
      for (let at = 0; at < bytes.length; at += STREAM_CHUNK_BYTES) {
        const chunk = encodeStreamMessage({ type: 'chunk', bytes: bytes.subarray(at, at + STREAM_CHUNK_BYTES) });
        if (!pipe.trySend(chunk)) await pipe.send(chunk, wait);
      }
      totalBytes += bytes.length;
      onProgress?.(totalBytes);
    }
  } catch (error) {
    await tell(pipe, error, timeoutMs);
    throw error;
  }
  await pipe.send(encodeStreamMessage({ type: 'end', totalBytes }), wait);
  await pipe.flush(wait);
  return totalBytes;
}

/** Says that the stream is not whole; where the pipe itself is at fault, its end says so. */
async function tell(pipe: Pipe, error: unknown, timeoutMs: number): Promise<void> {
  const isOurs = error instanceof PipevineError;
  const message = isOurs ? error.message : 'Reading what was to be sent failed.';
  const failure = encodeStreamMessage({ type: 'failure', code: isOurs ? error.code : 'internal', message });
  try {
    await pipe.send(failure, { timeoutMs });
  } catch (cause) {
    if (!(cause instanceof PipevineError)) throw cause;
    // A receiver that waits for more must not take the end of the pipe for the end of the stream: it does not, without a total.
    await pipe.close({ timeoutMs: 0 });
  }
}
