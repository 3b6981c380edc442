import { seededRandom } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { Inbox } from './inbox.ts';
import { ReceiveBudget } from './receive-budget.ts';

function inbox(windowBytes = 100_000, maxPayloadBytes = 1_000_000) {
  const delivered: { text: string; cost: number }[] = [];
  const box = new Inbox({
    windowBytes,
    maxPayloadBytes,
    deliver: (payload, cost) => delivered.push({ text: Buffer.from(payload).toString(), cost }),
  });
  return { box, delivered, texts: () => delivered.map(({ text }) => text) };
}

const frame = (text: string) => new Uint8Array(Buffer.from(text));

describe('an inbox', () => {
  test('delivers in order and once what comes in any order and often', () => {
    const { box, texts } = inbox();
    const random = seededRandom(3);
    const frames = Array.from({ length: 200 }, (_, i) => i).flatMap((i) => [i, i]);
    while (frames.length > 0) {
      const [sequence = 0] = frames.splice(random.integer(Math.min(30, frames.length)), 1);
      // Two of three belong together.
      box.accept(sequence, frame(`${sequence} `), sequence % 3 < 1, false);
    }
    const expected: string[] = [];
    for (let i = 0; i < 200; i++) {
      if (i % 3 === 0 && i < 199) expected.push(`${i} ${++i} `);
      else expected.push(`${i} `);
    }
    expect(texts()).toEqual(expected);
    expect(box.next).toBe(200);
    expect(box.duplicates).toBe(200);
    expect(box.ranges()).toEqual([]);
  });

  test('tells what it has beyond the next, in 32 ranges at most', () => {
    const { box } = inbox();
    for (const sequence of [2, 3, 4, 7, 9, 10]) box.accept(sequence, frame('x'), false, false);
    expect(box.ranges()).toEqual([
      [2, 4],
      [7, 7],
      [9, 10],
    ]);
    for (let i = 20; i < 200; i += 2) box.accept(i, frame('x'), false, false);
    expect(box.ranges().length).toBe(32);
  });

  test('acknowledges a lone frame soon, many now, and a duplicate now', () => {
    const { box } = inbox();
    expect(box.ackDue()).toBe('none');
    box.accept(0, frame('x'), false, true);
    expect(box.ackDue()).toBe('soon');
    for (let i = 1; i < 64; i++) box.accept(i, frame('x'), false, true);
    expect(box.ackDue()).toBe('now');
    box.grant();
    expect(box.ackDue()).toBe('none');
    box.accept(5, frame('x'), false, true);
    expect(box.ackDue()).toBe('now');
  });

  test('grants more only as the application consumes', () => {
    const { box, delivered } = inbox(1_000);
    for (let i = 0; i < 8; i++) box.accept(i, new Uint8Array(100), false, true);
    expect(box.grant()).toBe(1_000);
    expect(() => box.accept(8, new Uint8Array(100), false, true)).toThrow(
      expect.objectContaining({ code: 'protocol' }),
    );
    for (const { cost } of delivered) box.consumed(cost);
    expect(box.grant()).toBe(1_000 + 8 * 116);
  });

  test('counts what came out of order against the limit', () => {
    const { box } = inbox(1_000);
    for (let i = 1; i < 9; i++) box.accept(i, new Uint8Array(100), false, false);
    expect(() => box.accept(9, new Uint8Array(100), false, false)).toThrow(
      expect.objectContaining({ code: 'protocol' }),
    );
  });

  test('grants what a large message needs, out of the budget of its link, and gives it back', () => {
    const budget = new ReceiveBudget(9_000);
    const { box, delivered } = inbox(1_000);
    box.moveTo(budget);
    expect([budget.windowBytes, budget.usedBytes]).toEqual([1_000, 0]);
    let sequence = 0;
    for (let i = 0; i < 40; i++) {
      box.accept(sequence++, new Uint8Array(84), true, true);
      box.grant();
    }
    expect(box.limit).toBe(5_000);
    expect(budget.usedBytes).toBe(4_000);
    box.accept(sequence++, new Uint8Array(84), false, true);
    for (const { cost } of delivered) box.consumed(cost);
    box.grant();
    expect(budget.usedBytes).toBe(0);
    expect(() => {
      for (let i = 0; i < 200; i++) {
        box.accept(sequence++, new Uint8Array(84), true, true);
        box.grant();
      }
    }).toThrow(expect.objectContaining({ code: 'overloaded' }));
    box.release();
    expect([budget.windowBytes, budget.usedBytes]).toEqual([0, 0]);
  });

  test('refuses a message that is too large before it takes memory for it', () => {
    const { box } = inbox(100_000, 500);
    box.accept(0, new Uint8Array(400), true, true);
    expect(() => box.accept(1, new Uint8Array(101), true, true)).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });
});

test('the more pipes a link has, the smaller the windows of new ones', () => {
  const budget = new ReceiveBudget(1_000_000);
  const windows = Array.from({ length: 60 }, () => {
    const window = budget.windowFor(100_000, 10_000);
    budget.enter(window, 0);
    return window;
  });
  expect(windows[0]).toBe(100_000);
  expect(windows.at(-1)).toBe(10_000);
  expect([...windows].sort((a, b) => b - a)).toEqual(windows);
  expect(budget.windowFor(5_000, 10_000)).toBe(5_000);
});
