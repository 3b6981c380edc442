import { PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Node, NodeAPI } from './red.ts';
import { nodeStatus } from './status.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function shown() {
  const sent: { text?: string }[] = [];
  // All that the status uses of them.
  const node = { status: (status: object) => void sent.push(status) } as unknown as Node;
  const RED = {
    _: (key: string, values: object) => `${key.split('.').pop()} ${Object.values(values)}`,
  } as unknown as NodeAPI;
  return { status: nodeStatus(RED, node), sent, last: () => sent.at(-1)?.text };
}

it('is sent five times a second at most, and the last one always', () => {
  const { status, sent, last } = shown();
  for (let i = 0; i < 1_000; i++) {
    status.text('green', 'dot', `${i}`);
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(1_000);
  expect(sent.length).toBeLessThanOrEqual(6);
  expect(last()).toBe('999');
});

it('shows an error until something succeeds, then what was there before', () => {
  const { status, last } = shown();
  status.text('green', 'dot', '21.5');
  status.failed(new PipevineError('refused', 'no'));
  vi.advanceTimersByTime(1_000);
  expect(last()).toBe('refused');
  status.succeeded();
  vi.advanceTimersByTime(1_000);
  expect(last()).toBe('21.5');
});

it('shows the state of the peer unless that is online', () => {
  const { status, last } = shown();
  status.text('green', 'dot', '21.5');
  status.session({ phase: 'alone', links: 0 });
  vi.advanceTimersByTime(1_000);
  expect(last()).toMatch(/alone$/);
  status.session({ phase: 'online', links: 1 });
  vi.advanceTimersByTime(1_000);
  expect(last()).toBe('21.5');
});

it('is shorter than 20 characters, and of one line', () => {
  const { status, last } = shown();
  status.text('green', 'dot', 'a very long text that nobody can read\nand more');
  expect(last()?.length).toBeLessThan(20);
  expect(last()).not.toContain('\n');
});

it('is not sent any more when the node is closed', () => {
  const { status, sent } = shown();
  status.text('green', 'dot', '1');
  status.text('green', 'dot', '2');
  status.close();
  vi.advanceTimersByTime(1_000);
  expect(sent).toHaveLength(1);
});
