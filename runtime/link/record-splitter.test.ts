import { expect, it } from 'vitest';
import { RecordSplitter } from './record-splitter.ts';

const stream = Uint8Array.from([0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 1, 0, ...Array(256).fill(7)]);
const records = [[1, 2, 3], [], [9], Array(256).fill(7)];

function split(chunks: Uint8Array[]): number[][] {
  const splitter = new RecordSplitter(1_000);
  const found: number[][] = [];
  for (const chunk of chunks) splitter.push(chunk, { onRecord: (record) => found.push([...record]) });
  return found;
}

it('finds the same records wherever the stream is cut in two', () => {
  for (let cut = 0; cut <= stream.length; cut++) {
    expect(split([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(records);
  }
});

it('finds the same records when every byte comes alone', () => {
  expect(split(Array.from(stream, (byte) => Uint8Array.from([byte])))).toEqual(records);
});

it('does not copy a record that came in one piece', () => {
  new RecordSplitter(1_000).push(stream, { onRecord: (record) => expect(record.buffer).toBe(stream.buffer) });
});

it('refuses a record as soon as its length is too large', () => {
  const push = () => new RecordSplitter(255).push(Uint8Array.from([1, 0]), { onRecord: () => {} });
  expect(push).toThrowError(expect.objectContaining({ code: 'too-large' }));
});
