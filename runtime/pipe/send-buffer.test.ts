import { seededRandom } from '@pipevine/transports';
import { expect, test } from 'vitest';
import { SendBuffer } from './send-buffer.ts';

/** The frames that a buffer should hold, kept in the plain way. */
class Model {
  frames: { payload: Uint8Array; more: boolean }[] = [];
  first = 0;

  push(payload: Uint8Array, maxFrameBytes: number): void {
    const parts = Math.max(1, Math.ceil(payload.length / maxFrameBytes));
    for (let i = 0; i < parts; i++) {
      this.frames.push({ payload: payload.slice(i * maxFrameBytes, (i + 1) * maxFrameBytes), more: i < parts - 1 });
    }
  }

  cost(from: number, to: number): number {
    return this.frames.slice(from, to).reduce((sum, frame) => sum + frame.payload.length + 16, 0);
  }

  messages(from: number): number[][] {
    const messages: number[][] = [];
    let open: number[] = [];
    for (const { payload, more } of this.frames.slice(from)) {
      open = [...open, ...payload];
      if (!more) {
        messages.push(open);
        open = [];
      }
    }
    return messages;
  }
}

function expectSame(buffer: SendBuffer, model: Model): void {
  expect(buffer.next).toBe(model.frames.length);
  expect(buffer.totalCost).toBe(model.cost(0, model.frames.length));
  expect(buffer.keptCost).toBe(model.cost(model.first, model.frames.length));
  for (let sequence = model.first; sequence < buffer.next; sequence++) {
    expect(Buffer.compare(buffer.payload(sequence), model.frames[sequence]?.payload ?? new Uint8Array(0))).toBe(0);
    expect(buffer.more(sequence)).toBe(model.frames[sequence]?.more);
    expect(buffer.costBefore(sequence)).toBe(model.cost(0, sequence));
  }
}

test.each([1, 2, 3, 4])('keeps every frame until it is released, whatever comes (seed %i)', (seed) => {
  const random = seededRandom(seed);
  const buffer = new SendBuffer();
  const model = new Model();
  for (let round = 0; round < 60; round++) {
    for (let i = random.integer(40); i > 0; i--) {
      const payload = random.bytes(random.fraction() < 0.05 ? random.integer(60_000) : random.integer(60));
      const maxFrameBytes = random.fraction() < 0.5 ? 1_100 : 65_000;
      const before = payload.slice();
      buffer.append(payload, maxFrameBytes);
      model.push(before, maxFrameBytes);
      // The caller may use its bytes again.
      payload.fill(0);
    }
    model.first += random.integer(buffer.next - model.first + 1);
    buffer.release(model.first);
    expectSame(buffer, model);
  }
});

test('may be cut into smaller frames, which make the same messages', () => {
  const random = seededRandom(7);
  const buffer = new SendBuffer();
  const model = new Model();
  for (let i = 0; i < 30; i++) {
    const payload = random.bytes(i % 4 === 0 ? 20_000 : 50);
    buffer.append(payload, 9_000);
    model.push(payload, 9_000);
  }
  // In the middle of a message, too.
  buffer.release(11);
  const expected = model.messages(11);
  buffer.resplit(1_000);
  const recut = new Model();
  let cost = buffer.costBefore(11);
  for (let sequence = 11; sequence < buffer.next; sequence++) {
    const payload = buffer.payload(sequence);
    expect(payload.length).toBeLessThanOrEqual(1_000);
    expect(buffer.costBefore(sequence)).toBe(cost);
    cost += payload.length + 16;
    recut.frames.push({ payload, more: buffer.more(sequence) });
  }
  expect(buffer.totalCost).toBe(cost);
  expect(recut.messages(0)).toEqual(expected);
});
