import { PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_INPUT } from '../input/input.ts';
import { toFrame } from '../input/message-splitter.ts';
import { FakePeer } from '../testing/fake-peer.ts';
import { FakePipes } from '../testing/fake-pipes.ts';
import { RunningDaemon, runAt } from '../testing/running-daemon.ts';

let daemon: RunningDaemon;
let pipes: FakePipes;

beforeEach(async () => {
  const peer = new FakePeer();
  pipes = new FakePipes(peer.id);
  daemon = await RunningDaemon.start(peer, {}, () => pipes);
});
afterEach(() => daemon.stop());

/** Standard input that comes by and by. */
class Typed {
  readonly #waiting: (string | Uint8Array | undefined)[] = [];
  #wake = () => {};

  type(chunk: string | Uint8Array | undefined): void {
    this.#waiting.push(chunk);
    this.#wake();
  }

  async *chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    signal.addEventListener('abort', () => this.type(undefined));
    for (;;) {
      if (this.#waiting.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else {
        const chunk = this.#waiting.shift();
        if (chunk === undefined) return;
        yield Buffer.from(chunk);
      }
    }
  }
}

/** A command under way: what it has printed, and its end. */
function start(args: readonly string[], stdin = new Typed(), interactive = false) {
  const abort = new AbortController();
  const printed = { out: '' };
  const waiting: { readonly needle: string; readonly resolve: () => void }[] = [];
  const result = runAt(daemon.home, args, {
    signal: abort.signal,
    input: { ...NO_INPUT, interactive, chunks: (signal) => stdin.chunks(signal) },
    onOut: (text) => {
      printed.out += text;
      for (const { needle, resolve } of waiting) if (printed.out.includes(needle)) resolve();
    },
  });
  const shows = (needle: string) =>
    new Promise<void>((resolve) => {
      if (printed.out.includes(needle)) resolve();
      else waiting.push({ needle, resolve });
    });
  return { stdin, result, shows, printed, interrupt: () => abort.abort() };
}

async function listening(...args: string[]) {
  const listener = start(['pipe', 'listen', ...args, '--group', 'home of cellar', '--json']);
  await listener.shows('"listening"');
  return listener;
}

function send(input: string | Uint8Array, ...args: string[]) {
  const stdin = new Typed();
  stdin.type(input);
  stdin.type(undefined);
  return start(['pipe', 'send', ...args], stdin).result;
}

const lines = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('pipevine pipe listen and pipe send', () => {
  it('take lines from one standard input to the other standard output, in order', async () => {
    const listener = await listening('log');
    const { code, out, err } = await send('one\r\ntwo\n\nlast', 'log', '--json');
    expect([code, err]).toEqual([0, '']);
    expect(lines(out)).toMatchObject([
      { type: 'bound', kind: 'secure' },
      { messages: 4, bytes: 10 },
    ]);
    await listener.shows('"last"');
    listener.interrupt();
    const heard = await listener.result;
    const shown = lines(heard.out).filter(({ type }) => type === 'message');
    expect([heard.code, shown.map(({ text }) => text)]).toEqual([0, ['one', 'two', '', 'last']]);
    // The daemon hears of it by its socket.
    while (pipes.listeners.size > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('print nothing but the messages for a person, in which nothing rewrites the screen', async () => {
    const listener = start(['pipe', 'listen', 'log']);
    const ready = listener.result.then(({ err }) => err);
    while (!pipes.listeners.has('log')) await new Promise((resolve) => setImmediate(resolve));
    await send('a\u001b[2Jb\n', 'log');
    await listener.shows('\n');
    listener.interrupt();
    expect((await listener.result).out).toBe('a\ufffd[2Jb\n');
    expect(await ready).toContain('listening under "log" (secure)');
  });

  it('carry frames byte by byte, longer than a line of the control socket', async () => {
    const listener = start(['pipe', 'listen', 'log', '--binary', '--kind', 'reliable']);
    while (!pipes.listeners.has('log')) await new Promise((resolve) => setImmediate(resolve));
    const frames = Buffer.concat([
      toFrame(Buffer.from('abc')),
      toFrame(Buffer.alloc(0)),
      toFrame(Buffer.alloc(5_000_000, 7)),
      toFrame(Buffer.from('end')),
    ]);
    expect((await send(frames, 'log', '--binary')).code).toBe(0);
    await listener.shows('end');
    listener.interrupt();
    expect(Buffer.from((await listener.result).out, 'latin1').equals(frames)).toBe(true);
  });

  it('refuse half a frame', async () => {
    await listening('log');
    const { code, err } = await send(Buffer.from([0, 0, 0, 9, 1]), 'log', '--binary');
    expect(code).toBe(1);
    expect(err).toContain('ended inside a frame');
  });

  it('send the next message when the pipe has taken the one before', async () => {
    const listener = await listening('log');
    await send(Array.from({ length: 5_000 }, (_, i) => `${i}\n`).join(''), 'log');
    expect(pipes.mostUnderWay).toBe(1);
    await listener.shows('"4999"');
  });

  it('answer requests from standard input, each once', async () => {
    const listener = await listening('ask', '--kind', 'request');
    listener.stdin.type('42\n');
    const { code, out } = await send('question\n', 'ask');
    expect([code, out]).toEqual([0, '42\n']);
    listener.stdin.type(undefined);
    const unanswered = await send('again\n', 'ask');
    expect([unanswered.code, unanswered.err]).toEqual([1, 'pipevine: who listens has no more answers\n']);
  });

  it('reach all with a propagate pipe, without being told that it is one', async () => {
    const listener = await listening('news', '--kind', 'propagate');
    expect((await send('hello\n', 'news')).code).toBe(0);
    await listener.shows('"hello"');
    expect(pipes.opened).toEqual([]);
    const { code, err } = await send('x', 'news', '--kind', 'propagate', '--to', 'cellar');
    expect(code).toBe(2);
    expect(err).toContain('--to');
  });

  it('say at a terminal that the listener is gone, and go on', async () => {
    await listening('log');
    const sender = start(['pipe', 'send', 'log', '--json'], undefined, true);
    await sender.shows('"bound"');
    pipes.break(new PipevineError('unreachable', 'The link broke.'));
    await sender.shows('"interrupted"');
    sender.stdin.type('on\n');
    sender.stdin.type(undefined);
    const { code, out } = await sender.result;
    expect(code).toBe(0);
    expect(lines(out).map(({ type, reason }) => reason ?? type)).toEqual([
      'bound',
      'The link broke.',
      'bound',
      undefined,
    ]);
    expect(pipes.opened[0]).toMatchObject({ keep: true });
  });

  it('end with the listener elsewhere, with what happened', async () => {
    await listening('log');
    const sender = start(['pipe', 'send', 'log', '--json']);
    await sender.shows('"bound"');
    pipes.break(new PipevineError('unreachable', 'The link broke.'));
    const { code, err } = await sender.result;
    expect([code, JSON.parse(err).error.code]).toEqual([1, 'unreachable']);
    expect(pipes.opened[0]).toMatchObject({ keep: false });
  });

  it('end with 0 on Ctrl-C, and send what was read before', async () => {
    const listener = await listening('log');
    const sender = start(['pipe', 'send', 'log', '--json']);
    await sender.shows('"bound"');
    sender.stdin.type('last words\n');
    await listener.shows('last words');
    sender.interrupt();
    expect((await sender.result).code).toBe(0);
  });

  it('exit by what is wrong: nobody listens, no such kind', async () => {
    expect((await send('x', 'log')).code).toBe(3);
    expect((await send('x', 'log', '--kind', 'tube')).code).toBe(2);
    expect((await daemon.run('pipe', 'listen')).code).toBe(2);
  });
});

describe('pipevine pipe ls', () => {
  it('shows how the own pipe to who listens goes, if there is one', async () => {
    await listening('log', '--kind', 'bidirectional');
    const { peer } = daemon;
    const group = peer.path.groups[0]?.id;
    if (group === undefined) throw new Error('no group');
    const via = peer.path.peer;
    const pipe = { name: 'log', kind: 'bidirectional', group } as const;
    peer.path = { ...peer.path, pipes: [{ ...pipe, path: { type: 'relayed', via, relays: [via, peer.id] } }] };
    expect((await daemon.run('pipe', 'ls')).out).toMatch(/ over relay "attic" \(\w{8}\) and 1 more\n$/);
    expect(lines((await daemon.run('pipe', 'ls', '--json')).out)).toMatchObject([
      { path: { type: 'relayed', via, viaName: 'attic', relays: [via, peer.id] } },
    ]);
  });

  it('lists who listens under which name', async () => {
    expect((await daemon.run('pipe', 'ls')).out).toContain('pipevine pipe listen NAME');
    await listening('log', '--kind', 'reliable');
    const { out } = await daemon.run('pipe', 'ls', '--json');
    expect(lines(out)).toMatchObject([
      { name: 'log', kind: 'reliable', peer: daemon.peer.id, peerName: 'cellar', groupName: 'home of cellar' },
    ]);
    expect((await daemon.run('pipe', 'ls')).out).toMatch(
      /^NAME +KIND +PEER +ID +GROUP +OWN PIPE\nlog +reliable +cellar.* -\n$/,
    );
  });

  it('says so where the peer has no such names', async () => {
    const bare = await RunningDaemon.start();
    const { code, err } = await bare.run('pipe', 'ls');
    expect([code, err]).toEqual([1, 'pipevine: this peer was assembled without names for pipes\n']);
    await bare.stop();
  });
});
