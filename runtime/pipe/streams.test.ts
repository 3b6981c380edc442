import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Pipe } from './pipe.ts';
import { receiveStream } from './receive-stream.ts';
import { STREAM_CHUNK_BYTES, sendStream } from './send-stream.ts';
import { decodeStreamMessage, encodeStreamMessage } from './stream-codec.ts';
import { bindPair, codeOf, cutLinks, Overlay } from './testing/overlay.ts';

const MESSAGE_BYTES = 1_000_003;

/** Bytes that tell by their value where in the stream they belong. */
function byteAt(position: number): number {
  return (position * 2_654_435_761) >>> 24;
}

/** Chunks of many sizes, so many bytes in all. */
function* chunks(totalBytes: number): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < totalBytes; i++) {
    const size = Math.min([0, 1, 700, 65_000, 65_001, 200_000][i % 6] ?? 0, totalBytes - at);
    const from = at;
    yield Uint8Array.from({ length: size }, (_, j) => byteAt(from + j));
    at += size;
  }
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<{ bytes: number; wrong: number }> {
  let bytes = 0;
  let wrong = 0;
  for await (const chunk of stream) for (const byte of chunk) if (byte !== byteAt(bytes++)) wrong++;
  return { bytes, wrong };
}

async function pair(kind: 'reliable' | 'secure' | 'bidirectional' = 'secure', priority: 'normal' | 'bulk' = 'bulk') {
  const overlay = new Overlay(1, { delayMs: 5, bytesPerSecond: 1_000_000 });
  const [a, b] = [await overlay.peer('a'), await overlay.peer('b')];
  const [from, to] = await bindPair(overlay, a, b, kind);
  from.priority = priority;
  return { overlay, a, b, from, to };
}

describe('a stream over a pipe', () => {
  test.each([
    ['reliable', 'normal'],
    ['secure', 'bulk'],
    ['bidirectional', 'bulk'],
  ] as const)('comes byte for byte, with its end, and another after it (%s, %s)', async (kind, priority) => {
    const { overlay, from, to } = await pair(kind, priority);
    for (const length of [MESSAGE_BYTES, 0, 1]) {
      const progress: number[] = [];
      const receiving = collect(receiveStream(to, { onProgress: (bytes) => progress.push(bytes) }));
      const sent: number[] = [];
      const sending = sendStream(from, chunks(length), { onProgress: (bytes) => sent.push(bytes) });
      expect(await overlay.clock.run(receiving)).toEqual({ bytes: length, wrong: 0 });
      expect(await overlay.clock.run(sending)).toBe(length);
      expect(sent.at(-1) ?? 0).toBe(length);
      expect(progress.at(-1) ?? 0).toBe(length);
      expect(progress).toEqual([...progress].sort((x, y) => x - y));
    }
  });

  test('survives the death of its link', async () => {
    const { overlay, a, from, to } = await pair();
    const receiving = collect(receiveStream(to));
    const sending = sendStream(from, chunks(3 * MESSAGE_BYTES), { timeoutMs: 60_000 });
    for (let i = 0; i < 3; i++) {
      await overlay.clock.runFor(700);
      cutLinks(a);
    }
    expect(await overlay.clock.run(receiving)).toEqual({ bytes: 3 * MESSAGE_BYTES, wrong: 0 });
    await overlay.clock.run(sending);
  });

  test('takes no more from its source than the pipe holds while the receiver does not read', async () => {
    const { overlay, from, to } = await pair();
    let taken = 0;
    const sending = sendStream(from, chunks(50_000_000), { onProgress: (bytes) => (taken = bytes), timeoutMs: 5_000 });
    const failing = codeOf(sending);
    await overlay.clock.runFor(4_000);
    // What the two buffers hold: one at each end, 1 MiB by default, and a chunk on its way in.
    expect(taken).toBeLessThan(2 * 1_048_576 + 300_000);
    expect(taken).toBeGreaterThan(1_000_000);
    expect(await overlay.clock.run(failing)).toBe('timeout');
    const received = receiveStream(to);
    expect(await overlay.clock.run(codeOf(collect(received)))).not.toBe('none');
  });

  test('that its source cannot finish ends with an error at the receiver, and the pipe goes on', async () => {
    const { overlay, from, to } = await pair();
    async function* failing(error: Error): AsyncGenerator<Uint8Array> {
      yield* chunks(100_000);
      throw error;
    }
    const defect = new TypeError('disk on fire');
    const first = codeOf(collect(receiveStream(to)));
    await expect(overlay.clock.run(sendStream(from, failing(defect)))).rejects.toBe(defect);
    expect(await overlay.clock.run(first)).toBe('internal');
    const second = codeOf(collect(receiveStream(to)));
    const known = new PipevineError('storage-failed', 'The disk has gone.');
    await expect(overlay.clock.run(sendStream(from, failing(known)))).rejects.toBe(known);
    expect(await overlay.clock.run(second)).toBe('storage-failed');
    const third = collect(receiveStream(to));
    await overlay.clock.run(sendStream(from, chunks(1_000)));
    expect(await overlay.clock.run(third)).toEqual({ bytes: 1_000, wrong: 0 });
  });

  test('is given up by its sender', async () => {
    const { overlay, from, to } = await pair();
    const controller = new AbortController();
    const receiving = codeOf(collect(receiveStream(to)));
    const sending = codeOf(sendStream(from, chunks(50_000_000), { signal: controller.signal }));
    await overlay.clock.runFor(300);
    controller.abort();
    expect(await overlay.clock.run(sending)).toBe('aborted');
    expect(await overlay.clock.run(receiving)).toBe('aborted');
  });

  test.each(['leaving', 'aborting'] as const)('is given up by its receiver (%s)', async (how) => {
    const { overlay, from, to } = await pair();
    const controller = new AbortController();
    const receive = async (): Promise<void> => {
      for await (const chunk of receiveStream(to, { signal: controller.signal })) {
        if (chunk.length === 0) continue;
        if (how === 'leaving') return;
        controller.abort();
      }
    };
    const receiving = codeOf(receive());
    const sending = codeOf(sendStream(from, chunks(50_000_000)));
    expect(await overlay.clock.run(receiving)).toBe(how === 'leaving' ? 'none' : 'aborted');
    expect(await overlay.clock.run(sending)).not.toBe('none');
    await overlay.clock.run(to.closed);
  });

  test('that ends with its pipe is not taken for a whole one', async () => {
    const { overlay, from, to } = await pair();
    const receiving = codeOf(collect(receiveStream(to)));
    await overlay.clock.run(from.send(encodeStreamMessage({ type: 'chunk', bytes: new Uint8Array(10) })));
    await overlay.clock.run(from.close());
    expect(await overlay.clock.run(receiving)).toBe('closed');
  });

  test('with bytes missing, or messages of another kind, is refused', async () => {
    const cases: [code: string, send: (pipe: Pipe) => Promise<void>][] = [
      ['protocol', (pipe) => pipe.send(encodeStreamMessage({ type: 'end', totalBytes: 5 }))],
      ['malformed', (pipe) => pipe.send(new Uint8Array([0x82, 9, 0]))],
      ['malformed', (pipe) => pipe.send(new Uint8Array(0))],
    ];
    for (const [code, send] of cases) {
      const { overlay, from, to } = await pair();
      const receiving = codeOf(collect(receiveStream(to)));
      await overlay.clock.run(send(from));
      expect(await overlay.clock.run(receiving)).toBe(code);
    }
  });

  test('needs a reliable pipe', async () => {
    const overlay = new Overlay();
    const [a, b] = [await overlay.peer('a'), await overlay.peer('b')];
    const [from] = await bindPair(overlay, a, b, 'unicast');
    expect(await codeOf(sendStream(from, []))).toBe('invalid-argument');
  });
});

test('messages of a stream are what they were after a round trip', () => {
  for (const message of [
    { type: 'chunk', bytes: new Uint8Array(STREAM_CHUNK_BYTES).fill(7) },
    { type: 'chunk', bytes: new Uint8Array(0) },
    { type: 'end', totalBytes: 2 ** 40 },
    { type: 'failure', code: 'storage-failed', message: 'ä' },
  ] as const) {
    expect(decodeStreamMessage(encodeStreamMessage(message))).toEqual(message);
  }
});
