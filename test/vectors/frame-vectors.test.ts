import {
  encodeControlFrame,
  type FrameSink,
  MAX_DATA_OVERHEAD_BYTES,
  readFrames,
  writeDataFrame,
} from '@pipevine/runtime/protocol';
import { describe, expect, it } from 'vitest';
import { CONTROL_VECTORS, DATA_VECTORS } from './frame-vectors.ts';

/** What a reader hands over, one entry a frame. */
function read(record: Uint8Array): unknown[] {
  const seen: unknown[] = [];
  const sink: FrameSink = {
    stopped: false,
    onData: (channel, payload, sequence, more) => seen.push({ channel, payload, sequence, more }),
    onFrame: (frame) => seen.push(frame),
    onUnsupportedBind: () => seen.push('unsupported'),
    onUnknownFrame: () => seen.push('unknown'),
  };
  readFrames(record, sink);
  return seen;
}

const malformed = expect.objectContaining({ name: 'PipevineError', code: 'malformed' });

describe.each(DATA_VECTORS)('$name', ({ channel, payload, sequence, more, bytes }) => {
  it('is written as the vector has it', () => {
    const target = new Uint8Array(payload.length + MAX_DATA_OVERHEAD_BYTES + 3);
    const end = writeDataFrame(target, 3, channel, payload, sequence, more);
    expect(target.slice(3, end)).toEqual(bytes);
    // The bytes that the caller was told to keep free are enough.
    expect(end).toBeLessThanOrEqual(target.length);
  });

  it('is read from the vector', () => {
    expect(read(bytes)).toEqual([{ channel, payload, sequence, more }]);
  });

  it('is refused when it is cut anywhere', () => {
    for (let length = 1; length < bytes.length; length++) {
      expect(() => read(bytes.subarray(0, length))).toThrowError(malformed);
    }
  });
});

describe.each(CONTROL_VECTORS)('$name', ({ frame, bytes }) => {
  it('is written as the vector has it', () => {
    expect(encodeControlFrame(frame)).toEqual(bytes);
  });

  it('is read from the vector', () => {
    expect(read(bytes)).toEqual([frame]);
  });

  it('is refused when it is cut anywhere', () => {
    for (let length = 1; length < bytes.length; length++) {
      expect(() => read(bytes.subarray(0, length))).toThrowError(malformed);
    }
  });
});

it('all frames of one record come in order', () => {
  const all = [...DATA_VECTORS, ...CONTROL_VECTORS];
  const seen = read(Uint8Array.from(all.flatMap((vector) => [...vector.bytes])));
  expect(seen).toHaveLength(all.length);
  expect(seen.slice(DATA_VECTORS.length)).toEqual(CONTROL_VECTORS.map((vector) => vector.frame));
});
