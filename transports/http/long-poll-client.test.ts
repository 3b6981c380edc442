import { Socket } from 'node:net';
import { type Clock, type ConnectionHandler, PipevineError } from '@pipevine/runtime';
import { expect, it } from 'vitest';
import { nodeClock } from '../node/node-clock.ts';
import { LongPollClient } from './long-poll-client.ts';
import type { LongPollAnswer, Verb } from './long-poll-wire.ts';

const NOTHING: LongPollAnswer = {
  end: false,
  reset: false,
  unknown: false,
  busy: false,
  offset: 0,
  bytes: new Uint8Array(0),
};

interface Asked {
  readonly verb: Verb;
  readonly offset: number;
  readonly body: Uint8Array | undefined;
}

/** A client whose requests and time are in the test's hand. */
function client(respond: (asked: Asked) => LongPollAnswer | PipevineError | undefined, maxWaitingBytes = 1000) {
  let nowMs = 0;
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  const clock: Clock = {
    ...nodeClock,
    monotonicMs: () => nowMs,
    setTimer: (delayMs, callback) => {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
  };
  const asked: Asked[] = [];
  const { connection } = new LongPollClient({
    exchange: {
      ask: (verb, offset, body, signal) => {
        asked.push({ verb, offset, body });
        const answer = respond({ verb, offset, body });
        if (answer instanceof PipevineError) return Promise.reject(answer);
        if (answer !== undefined) return Promise.resolve({ answer, socket: new Socket() });
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      },
      close: () => undefined,
    },
    localAddress: 'http://127.0.0.1:1',
    remoteAddress: 'http://127.0.0.1:2',
    highWaterBytes: 1000,
    maxWaitingBytes,
    clock,
    random: { bytes: (length) => new Uint8Array(length), fraction: () => 1 },
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    connection,
    asked,
    turn,
    async passTime(ms: number): Promise<void> {
      for (let i = 0; i < ms; i += 100) {
        await turn();
        nowMs += 100;
        for (const timer of [...timers]) if (timer.dueMs <= nowMs && timers.delete(timer)) timer.callback();
      }
      await turn();
    },
  };
}

function recorder(): ConnectionHandler & { readonly got: number[]; readonly closed: (PipevineError | undefined)[] } {
  const got: number[] = [];
  const closed: (PipevineError | undefined)[] = [];
  return {
    got,
    closed,
    onBytes: (bytes) => got.push(...bytes),
    onWritable: () => undefined,
    onClosed: (error) => closed.push(error),
  };
}

it('gives up when nothing but failures came for half a minute, and not before', async () => {
  const { connection, asked, passTime } = client(() => new PipevineError('unreachable', 'no'));
  const events = recorder();
  connection.start(events);
  await passTime(29_000);
  expect(events.closed).toEqual([]);
  await passTime(6000);
  expect(events.closed).toMatchObject([{ code: 'unreachable' }]);
  // Pauses that double up to 5 s.
  expect(asked.length).toBeLessThan(15);
});

it('forgives failures when an answer came in between', async () => {
  let count = 0;
  const { connection, passTime } = client(() => {
    count++;
    return count % 4 === 0 ? { ...NOTHING, bytes: new Uint8Array(0) } : new PipevineError('unreachable', 'no');
  });
  const events = recorder();
  connection.start(events);
  await passTime(120_000);
  expect(events.closed).toEqual([]);
});

it('does not hammer a server that answers every poll with nothing', async () => {
  const { connection, asked, passTime } = client(() => NOTHING);
  connection.start(recorder());
  await passTime(60_000);
  expect(asked.length).toBeLessThan(30);
});

it('does not hammer a server that takes none of its bytes', async () => {
  const { connection, asked, passTime } = client(({ verb }) => (verb === 'up' ? NOTHING : undefined));
  connection.start(recorder());
  connection.write([Uint8Array.of(1)]);
  await passTime(60_000);
  expect(asked.filter(({ verb }) => verb === 'up').length).toBeLessThan(30);
});

it('takes no bytes that belong elsewhere, as an old answer from a cache does', async () => {
  let count = 0;
  const { connection, passTime } = client(({ offset }) => {
    count++;
    if (count === 1) return { ...NOTHING, bytes: Uint8Array.of(1, 2) };
    if (count === 2) return { ...NOTHING, bytes: Uint8Array.of(1, 2) };
    if (count === 3) return { ...NOTHING, offset, bytes: Uint8Array.of(3) };
    return undefined;
  });
  const events = recorder();
  connection.start(events);
  await passTime(5000);
  expect(events.got).toEqual([1, 2, 3]);
});

it('stops polling when its owner does not read, and says that it is still there', async () => {
  const { connection, asked, passTime } = client(({ verb, offset }) => {
    if (verb !== 'down') return NOTHING;
    return offset < 1800 ? { ...NOTHING, offset, bytes: new Uint8Array(600) } : undefined;
  });
  await passTime(45_000);
  expect(asked.map(({ verb }) => verb)).toEqual(['down', 'down', 'up', 'up']);
  const events = recorder();
  connection.start(events);
  connection.pause();
  await passTime(100);
  expect(events.got).toHaveLength(0);
  connection.resume();
  await passTime(100);
  expect(events.got).toHaveLength(1800);
});

it('sends what was written in one turn as one request, and the end after it', async () => {
  const { connection, asked, turn } = client(({ verb, offset, body }) =>
    verb === 'down' ? undefined : { ...NOTHING, offset: offset + (body?.length ?? 0) },
  );
  const events = recorder();
  connection.start(events);
  connection.write([Uint8Array.of(1)]);
  connection.write([Uint8Array.of(2), Uint8Array.of(3)]);
  connection.close();
  for (let i = 0; i < 10; i++) await turn();
  expect(asked.filter(({ verb }) => verb !== 'down')).toEqual([
    { verb: 'up', offset: 0, body: Uint8Array.of(1, 2, 3) },
    { verb: 'end', offset: 3, body: undefined },
  ]);
  expect(events.closed).toEqual([undefined]);
});
