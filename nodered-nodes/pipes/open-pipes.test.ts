import { type NamedPipe, type OpenPipeInit, type PathReport, type PeerGroup, PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { OpenPipes } from './open-pipes.ts';

const TARGET = { pipe: 'news', kind: 'secure', peer: undefined } as const;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A pipe that takes all, and is acknowledged, broken and bound anew by hand. */
function pipeByHand() {
  let path: object | undefined = {};
  let notice: NonNullable<OpenPipeInit['onNotice']> = () => {};
  let back = 0;
  const sent: number[] = [];
  const flushes: PromiseWithResolvers<void>[] = [];
  const pipe = {
    name: 'news',
    peer: 'reader',
    send: async ([number = 0]: Uint8Array) => void sent.push(number),
    flush: () => {
      const flush = Promise.withResolvers<void>();
      flushes.push(flush);
      return flush.promise;
    },
    closed: new Promise<undefined>(() => {}),
    close: async () => {},
  };
  const open = async ({ onNotice = () => {} }: OpenPipeInit) => {
    notice = onNotice;
    bind();
    // Only these members are used.
    return pipe as unknown as NamedPipe;
  };
  const bind = () => notice({ type: 'bound', peer: pipe.peer as never, kind: 'secure' });
  const pipes = new OpenPipes({
    // Only these members are used.
    group: { id: 'home', namedPipes: { open } } as unknown as PeerGroup,
    peer: { explain: () => ({ pipes: [{ group: 'home', name: 'news', path }] }) as unknown as PathReport },
    onBack: () => {
      back++;
    },
  });
  const send = (number: number) => {
    const outcome = pipes.send(TARGET, new Uint8Array([number]), new AbortController().signal);
    return outcome.then(
      () => 'acknowledged',
      ({ code }: { readonly code: string }) => code,
    );
  };
  return {
    send,
    sent,
    flushes,
    bind,
    lose: () => notice({ type: 'interrupted', peer: pipe.peer as never, error: undefined, unacknowledgedBytes: 1 }),
    path: (there: boolean) => {
      path = there ? {} : undefined;
    },
    back: () => back,
  };
}

it('what one binding has not acknowledged is not taken for acknowledged by the next', async () => {
  const { send, sent, flushes, bind, lose } = pipeByHand();
  const first = send(1);
  await vi.waitFor(() => expect(flushes.length).toBe(1));
  // It waits for the first acknowledgement, and then for one of its own.
  const second = send(2);
  await vi.waitFor(() => expect(sent).toEqual([1, 2]));
  lose();
  flushes[0]?.reject(new PipevineError('closed', 'the pipe broke'));
  expect(await first).toBe('closed');
  bind();
  await vi.waitFor(() => expect(flushes.length).toBe(2));
  flushes[1]?.resolve();
  expect(await second).toBe('closed');
  const third = send(3);
  await vi.waitFor(() => expect(flushes.length).toBe(3));
  flushes[2]?.resolve();
  expect(await third).toBe('acknowledged');
});

it('a pipe without a path takes nothing after a while, keeps what it has taken, and goes on when it is back', async () => {
  const { send, sent, flushes, path, back } = pipeByHand();
  const first = send(1);
  await vi.waitFor(() => expect(sent).toEqual([1]));
  path(false);
  vi.advanceTimersByTime(1_000);
  const second = send(2);
  await vi.waitFor(() => expect(sent).toEqual([1, 2]));
  vi.advanceTimersByTime(2_000);
  expect(await send(3)).toBe('unreachable');
  expect(sent).toEqual([1, 2]);
  path(true);
  vi.advanceTimersByTime(500);
  expect(back()).toBe(1);
  const fourth = send(4);
  const outcomes = Promise.all([first, second, fourth]);
  let settled = false;
  outcomes.finally(() => {
    settled = true;
  });
  await vi.waitFor(() => {
    for (const flush of flushes) flush.resolve();
    expect(settled).toBe(true);
  });
  expect(await outcomes).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
  expect(sent).toEqual([1, 2, 4]);
});
