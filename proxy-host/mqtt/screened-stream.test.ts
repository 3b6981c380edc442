import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { ScreenedStream } from './screened-stream.ts';

const opened: ScreenedStream[] = [];
afterEach(() => {
  for (const stream of opened.splice(0)) stream.abort();
});

/** A screen that passes each byte as a chunk of its own. */
function bytewise(): { stream: ScreenedStream; far: Duplex } {
  const [near, far] = duplexPair();
  const inbound = (bytes: Uint8Array) => Array.from(bytes, (byte) => Uint8Array.of(byte));
  const stream = new ScreenedStream(near, { inbound });
  opened.push(stream);
  return { stream, far };
}

describe('reading', () => {
  test.each([[undefined], [null]])('without a size (%s) takes all that waits at once', async (size) => {
    const { stream, far } = bytewise();
    const reads: (string | undefined)[] = [];
    stream.on('readable', () => {
      const first = stream.read(size);
      if (first !== null) reads.push(first.toString(), stream.read(size)?.toString());
    });
    far.write('abc');
    await turn();
    far.write('de');
    await turn();
    expect(reads).toEqual(['abc', undefined, 'de', undefined]);
  });

  test('with a size takes that much', async () => {
    const { stream, far } = bytewise();
    stream.on('readable', () => {});
    far.write('abcde');
    await turn();
    expect([stream.read(2), stream.read(), stream.read()].map(String)).toEqual(['ab', 'cde', 'null']);
  });

  test('more than the high water mark at once does not raise it', async () => {
    const { stream, far } = bytewise();
    const before = stream.readableHighWaterMark;
    stream.on('readable', () => {});
    far.write(Buffer.alloc(before + 1));
    await turn();
    expect(stream.read()?.length).toBe(before + 1);
    expect(stream.readableHighWaterMark).toBe(before);
  });

  test('in flowing mode gives each byte once, in order, and then the end', async () => {
    const { stream, far } = bytewise();
    const got: Buffer[] = [];
    const ended = new Promise((resolve) => stream.once('end', resolve));
    stream.on('data', (chunk: Buffer) => got.push(chunk));
    far.write('abc');
    far.end('de');
    await ended;
    expect(Buffer.concat(got).toString()).toBe('abcde');
  });
});
