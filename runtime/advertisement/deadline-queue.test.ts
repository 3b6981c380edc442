import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { DeadlineQueue, type Scheduled } from './deadline-queue.ts';

describe('DeadlineQueue', () => {
  it('gives items in the order of their deadlines, however often they were moved or cancelled', () => {
    const random = seededRandom(1);
    const queue = new DeadlineQueue<Scheduled & { id: number }>();
    const items = Array.from({ length: 500 }, (_, id) => ({ id, wakeAtMs: undefined as number | undefined }));
    const expected = new Map<number, number>();
    for (let i = 0; i < 20_000; i++) {
      const item = items[random.integer(items.length)];
      if (item === undefined) continue;
      if (random.fraction() < 0.2) {
        queue.cancel(item);
        expected.delete(item.id);
      } else {
        const at = random.integer(1_000);
        queue.schedule(item, at);
        expected.set(item.id, at);
      }
    }
    expect(queue.size).toBe(expected.size);
    expect(queue.nextDeadline()).toBe(Math.min(...expected.values()));
    const times: number[] = [];
    for (;;) {
      const at = queue.nextDeadline();
      const item = queue.takeDue(1_000);
      if (item === undefined) break;
      expect(at).toBe(expected.get(item.id));
      expect(item.wakeAtMs).toBeUndefined();
      times.push(at ?? -1);
      expected.delete(item.id);
    }
    expect(expected.size).toBe(0);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('keeps what is not yet due', () => {
    const queue = new DeadlineQueue<Scheduled>();
    queue.schedule({ wakeAtMs: undefined }, 10);
    expect(queue.takeDue(9)).toBeUndefined();
    expect(queue.takeDue(10)).toBeDefined();
    expect(queue.nextDeadline()).toBeUndefined();
  });
});
