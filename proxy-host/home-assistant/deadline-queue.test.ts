import { expect, it } from 'vitest';
import { type Deadline, DeadlineQueue } from './deadline-queue.ts';

const deadline = (): Deadline => ({ atMs: undefined, queuedMs: undefined });

it('gives deadlines in the order of their times', () => {
  const queue = new DeadlineQueue();
  const times = [50, 10, 40, 10, 30, 20, 60, 5];
  const deadlines = times.map((atMs) => {
    const one = deadline();
    queue.schedule(one, atMs);
    return one;
  });
  const order: (number | undefined)[] = [];
  for (let due = queue.due(100); due !== undefined; due = queue.due(100)) order.push(times[deadlines.indexOf(due)]);
  expect(order).toEqual([5, 10, 10, 20, 30, 40, 50, 60]);
});

it('holds a deadline that is moved later a thousand times once, and gives it at its last time', () => {
  const queue = new DeadlineQueue();
  const one = deadline();
  for (let atMs = 1; atMs <= 1_000; atMs += 1) queue.schedule(one, atMs);
  expect(queue.size).toBe(1);
  expect(queue.due(999)).toBeUndefined();
  expect(queue.nextMs).toBe(1_000);
  expect(queue.due(1_000)).toBe(one);
  expect(queue.due(5_000)).toBeUndefined();
});

it('follows a deadline that moves earlier, or is called off', () => {
  const queue = new DeadlineQueue();
  const [early, off] = [deadline(), deadline()];
  queue.schedule(early, 100);
  queue.schedule(off, 20);
  queue.schedule(early, 10);
  queue.schedule(off, undefined);
  expect(queue.due(10)).toBe(early);
  expect(queue.due(1_000)).toBeUndefined();
  expect(queue.nextMs).toBeUndefined();
});
