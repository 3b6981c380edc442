import { expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { mergeStreams } from './merge-streams.ts';

async function* of(...items: number[]): AsyncGenerator<number> {
  yield* items;
}
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
const open = new AbortController().signal;

test('gives what all sources give, then ends', async () => {
  expect((await all(mergeStreams([of(1, 2), of(), of(3)], open))).sort()).toEqual([1, 2, 3]);
  expect(await all(mergeStreams([], open))).toEqual([]);
});

test('no source starves another, and none runs far ahead of the reader', async () => {
  let made = 0;
  const endless = async function* () {
    for (;;) yield ++made;
  };
  const found: number[] = [];
  for await (const item of mergeStreams<number>([endless(), of(-1, -2, -3)], open)) {
    found.push(item);
    if (found.length === 8) break;
  }
  expect(found).toEqual(expect.arrayContaining([-1, -2, -3]));
  expect(made).toBeLessThan(12);
});

test('a source that fails ends alone; a defect is thrown when the others are through', async () => {
  const failing = async function* (error: Error) {
    yield 0;
    throw error;
  };
  expect((await all(mergeStreams([failing(new PipevineError('unreachable', 'x')), of(1, 2)], open))).length).toBe(3);
  const found: number[] = [];
  const read = async () => {
    for await (const item of mergeStreams([failing(new TypeError('defect')), of(1, 2)], open)) found.push(item);
  };
  await expect(read()).rejects.toThrow('defect');
  expect(found.length).toBe(3);
});

test('a source that gives something only after the reader has left is closed, too', async () => {
  let give = () => {};
  let closed = false;
  const late = async function* () {
    try {
      await new Promise<void>((resolve) => {
        give = resolve;
      });
      for (;;) yield 1;
    } finally {
      closed = true;
    }
  };
  for await (const _ of mergeStreams<number>([late(), of(2)], open)) break;
  give();
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  expect(closed).toBe(true);
});

test('sources are closed when the reader leaves, and the signal ends it though a source is silent', async () => {
  let closed = false;
  const watched = async function* () {
    try {
      for (;;) yield 1;
    } finally {
      closed = true;
    }
  };
  for await (const _ of mergeStreams([watched()], open)) break;
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();
  expect(closed).toBe(true);
  const abort = new AbortController();
  const silent = async function* (): AsyncGenerator<number> {
    await new Promise(() => undefined);
  };
  const reading = all(mergeStreams([silent()], abort.signal));
  abort.abort();
  expect(await reading).toEqual([]);
});
