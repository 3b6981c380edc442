import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { RequestContext, RequestHandler } from './pipe.ts';
import { codeOf, Overlay } from './testing/overlay.ts';
import { RawPeer } from './testing/raw-peer.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);

async function serving(handler: RequestHandler, seed = 1) {
  const overlay = new Overlay(seed);
  const a = await overlay.peer('a');
  const b = await overlay.peer('b');
  b.pipes.serve({ group: WORLD_GROUP, name: 'service' }, handler);
  const client = await overlay.clock.run(
    a.pipes.requester({ peer: b.identity.id, group: WORLD_GROUP, name: 'service' }),
  );
  return { overlay, a, b, client };
}

describe('a request', () => {
  test('gets its own reply, however many are under way and in whatever order they end', async () => {
    const { overlay, client } = await serving(async (body) => {
      const number = Number(text(body));
      await new Promise<void>((resolve) => void overlay.clock.setTimer(200 - number, resolve));
      return bytes(`reply ${number}`);
    });
    const replies = Promise.all(Array.from({ length: 200 }, (_, i) => client.request(bytes(String(i)))));
    expect((await overlay.clock.run(replies)).map(text)).toEqual(Array.from({ length: 200 }, (_, i) => `reply ${i}`));
  });

  test('fails with what the handler threw, and with neutral words for what it did not mean to', async () => {
    const { overlay, b, client } = await serving((body) => {
      if (text(body) === 'sync') throw new PipevineError('not-found', 'No such lamp.');
      if (text(body) === 'async') return Promise.reject(new PipevineError('busy', 'The lamp is busy.'));
      return Promise.reject(new Error('password 1234 did not work'));
    });
    const ask = (body: string) => overlay.clock.run(client.request(bytes(body)).catch((error) => error));
    expect(await ask('sync')).toMatchObject({ code: 'not-found', message: 'No such lamp.' });
    expect(await ask('async')).toMatchObject({ code: 'busy', message: 'The lamp is busy.' });
    expect(await ask('defect')).toMatchObject({ code: 'internal', message: expect.not.stringContaining('1234') });
    expect(b.errors).toMatchObject([{ message: 'password 1234 did not work' }]);
  });

  test('has a deadline and a signal, and the handler hears of both', async () => {
    const contexts: RequestContext[] = [];
    const { overlay, a, b, client } = await serving((_, context) => {
      contexts.push(context);
      return new Promise(() => {});
    });
    const late = codeOf(client.request(bytes('x')));
    const abort = new AbortController();
    const aborted = codeOf(client.request(bytes('x'), { signal: abort.signal }));
    await overlay.clock.runFor(1_000);
    expect(contexts.map((context) => context.signal.aborted)).toEqual([false, false]);
    abort.abort();
    await overlay.clock.runFor(100);
    expect(contexts.map((context) => context.signal.aborted)).toEqual([false, true]);
    expect(await overlay.clock.run(Promise.all([late, aborted]))).toEqual(['timeout', 'aborted']);
    expect(overlay.clock.monotonicMs()).toBeGreaterThan(10_000);
    await overlay.clock.runFor(100);
    expect(contexts[0]?.signal.aborted).toBe(true);
    expect(contexts[0]).toMatchObject({
      localPeer: b.identity.id,
      remotePeer: a.identity.id,
      group: WORLD_GROUP,
      credential: undefined,
    });
    expect(await codeOf(client.request(bytes('x'), { signal: AbortSignal.abort() }))).toBe('aborted');
  });

  test('ends with the pipe', async () => {
    const contexts: RequestContext[] = [];
    const { overlay, client } = await serving((_, context) => {
      contexts.push(context);
      return new Promise(() => {});
    });
    const waiting = codeOf(client.request(bytes('x')));
    await overlay.clock.runFor(100);
    const { signal } = contexts[0] as RequestContext; // One request came.
    await overlay.clock.run(client.close());
    expect(await overlay.clock.run(waiting)).toBe('closed');
    await overlay.clock.runFor(100);
    expect(signal.aborted).toBe(true);
    expect(await overlay.clock.run(codeOf(client.request(bytes('x'))))).toBe('closed');
  });

  test('is refused beyond the bound, at the client first and at the server too', async () => {
    const { overlay, b, client } = await serving(() => new Promise(() => {}));
    for (let i = 0; i < 256; i++) client.request(bytes('x'), { timeoutMs: Infinity }).catch(() => {});
    expect(await codeOf(client.request(bytes('x')))).toBe('overloaded');
    // A client that does not count.
    const raw = await RawPeer.dial(overlay, 'raw', b);
    raw.link.queueFrame(raw.bindFrame({ pipe: new Uint8Array(16), target: b.identity.id, name: 'service', kind: 3 }));
    await overlay.clock.runFor(10);
    for (let i = 0; i < 300; i++) {
      const message =
        i < 24 ? [0x83, 0, i, 0x41, 1] : i < 256 ? [0x83, 0, 24, i, 0x41, 1] : [0x83, 0, 25, i >> 8, i & 255, 0x41, 1];
      const channel = raw.frames.find((frame) => frame.type === 4);
      if (channel?.type === 4)
        raw.link.queueData(channel.ownChannel, new Uint8Array(message), i === 0 ? 0 : undefined, false);
    }
    await overlay.clock.runFor(100);
    expect(raw.data.length).toBe(300 - 256);
    expect(text(raw.data[0]?.payload ?? new Uint8Array(0))).toContain('overloaded');
  });

  test.each([
    ['no CBOR', [0xff]],
    ['a map', [0xa0]],
    ['an unknown type', [0x82, 9, 0]],
    ['a reply from the client', [0x83, 1, 0, 0x40]],
    ['a request without a body', [0x82, 0, 0]],
    ['text for a body', [0x83, 0, 0, 0x60]],
    ['bytes after it', [0x82, 5, 0, 0]],
    ['a negative id', [0x83, 0, 0x20, 0x40]],
  ])('that is malformed ends the pipe: %s', async (_, message) => {
    const { overlay, b } = await serving(() => Promise.resolve(new Uint8Array(0)));
    const raw = await RawPeer.dial(overlay, 'raw', b);
    raw.link.queueFrame(raw.bindFrame({ pipe: new Uint8Array(16), target: b.identity.id, name: 'service', kind: 3 }));
    await overlay.clock.runFor(10);
    const bound = raw.frames.find((frame) => frame.type === 4);
    if (bound?.type === 4) raw.link.queueData(bound.ownChannel, new Uint8Array(message), 0, false);
    await overlay.clock.runFor(50);
    expect(raw.frames.at(-1)).toMatchObject({ type: 6, code: 'malformed' });
  });
});

describe('a sequence', () => {
  test('arrives in order, and ends', async () => {
    const { overlay, client } = await serving(async function* (body) {
      for (let i = 0; i < Number(text(body)); i++) yield bytes(String(i));
    });
    const read = async (count: number) => {
      const got: string[] = [];
      for await (const item of client.stream(bytes(String(count)))) got.push(text(item));
      return got;
    };
    expect(await overlay.clock.run(read(1_000))).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i)));
    expect(await overlay.clock.run(read(0))).toEqual([]);
    expect(await overlay.clock.run(codeOf(client.request(bytes('3'))))).toBe('protocol');
  });

  test('may be silent for ever after its first item, but not before it', async () => {
    const { overlay, client } = await serving(async function* (body) {
      if (text(body) === 'begin') yield bytes('first');
      await new Promise(() => {});
    });
    const got: string[] = [];
    const observing = (async () => {
      for await (const item of client.stream(bytes('begin'))) got.push(text(item));
    })();
    let over = false;
    observing
      .finally(() => {
        over = true;
      })
      .catch(() => {});
    await overlay.clock.runFor(3_000_000);
    expect([got, over]).toEqual([['first'], false]);
    const silent = (async () => {
      for await (const _ of client.stream(bytes('')));
    })();
    expect(await overlay.clock.run(codeOf(silent))).toBe('timeout');
  });

  test('is cancelled at the server when the client leaves, even if the server is waiting', async () => {
    let returned = 0;
    const contexts: RequestContext[] = [];
    const { overlay, client } = await serving((_, context) => {
      contexts.push(context);
      return {
        [Symbol.asyncIterator]: () => {
          let first = true;
          return {
            next: () => {
              if (!first) return new Promise<IteratorResult<Uint8Array>>(() => {});
              first = false;
              return Promise.resolve({ done: false, value: bytes('item') });
            },
            return: () => {
              returned++;
              return Promise.resolve({ done: true, value: undefined });
            },
          };
        },
      };
    });
    const leaving = (async () => {
      for await (const _ of client.stream(bytes(''))) break;
    })();
    await overlay.clock.run(leaving);
    await overlay.clock.runFor(100);
    expect(returned).toBe(1);
    expect(contexts[0]?.signal.aborted).toBe(true);
    const abort = new AbortController();
    const aborting = (async () => {
      for await (const _ of client.stream(bytes(''), { signal: abort.signal })) abort.abort();
    })();
    expect(await overlay.clock.run(codeOf(aborting))).toBe('aborted');
    await overlay.clock.runFor(100);
    expect(returned).toBe(2);
  });

  test('that fails in the middle hands over what came before, then the error', async () => {
    const { overlay, client } = await serving(async function* () {
      yield bytes('one');
      yield bytes('two');
      throw new PipevineError('expired', 'The sensor went to sleep.');
    });
    const got: string[] = [];
    const reading = (async () => {
      for await (const item of client.stream(bytes(''))) got.push(text(item));
    })();
    expect(await overlay.clock.run(codeOf(reading))).toBe('expired');
    expect(got).toEqual(['one', 'two']);
  });

  test('is held back by a slow client, who keeps others waiting only when the window is full', async () => {
    let produced = 0;
    const { overlay, client } = await serving((body) => {
      if (text(body) === 'quick') return Promise.resolve(bytes('reply'));
      return (async function* () {
        for (;;) {
          produced++;
          yield new Uint8Array(1_000);
        }
      })();
    });
    const iterator = client.stream(bytes('endless'))[Symbol.asyncIterator]();
    await overlay.clock.run(iterator.next());
    await overlay.clock.runFor(5_000);
    // What the two buffers hold, and no more.
    expect(produced).toBeLessThan(2_200);
    const before = produced;
    await overlay.clock.runFor(5_000);
    expect(produced).toBe(before);
    await overlay.clock.run(Promise.resolve(iterator.return?.()));
    expect(text(await overlay.clock.run(client.request(bytes('quick'))))).toBe('reply');
  });

  test('goes on when its link dies', async () => {
    const { overlay, a, client } = await serving(async function* () {
      for (let i = 0; ; i++) {
        await new Promise<void>((resolve) => void overlay.clock.setTimer(100, resolve));
        yield bytes(String(i));
      }
    });
    const got: number[] = [];
    const reading = (async () => {
      for await (const item of client.stream(bytes(''))) if (got.push(Number(text(item))) === 100) break;
    })();
    for (let i = 0; i < 3; i++) {
      await overlay.clock.runFor(1_250);
      for (const stream of [...a.process.streams]) stream.abort();
    }
    await overlay.clock.run(reading);
    expect(got).toEqual([...Array(100).keys()]);
  });
});
