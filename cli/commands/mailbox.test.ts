import { PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_INPUT } from '../input/input.ts';
import { toFrame } from '../input/message-splitter.ts';
import { FakePeer } from '../testing/fake-peer.ts';
import { RunningDaemon, runAt } from '../testing/running-daemon.ts';

const AT_MS = Date.UTC(2026, 10, 21, 8);

let daemon: RunningDaemon;
let peer: FakePeer;

beforeEach(async () => {
  peer = new FakePeer();
  daemon = await RunningDaemon.start(peer);
});
afterEach(() => daemon.stop());

const send = (...args: string[]) => daemon.run('mailbox', 'send', ...args);

async function sendInput(input: string, ...args: string[]) {
  const chunks = async function* () {
    yield Buffer.from(input, 'latin1');
  };
  return runAt(daemon.home, ['mailbox', 'send', ...args], { input: { ...NO_INPUT, chunks } });
}

/** A receiving command, when it receives. */
async function receiving(...args: string[]) {
  const abort = new AbortController();
  const result = runAt(daemon.home, ['mailbox', 'receive', ...args], { signal: abort.signal });
  while (!peer.mailbox.isReceiving) await new Promise((resolve) => setImmediate(resolve));
  return {
    end: async () => {
      abort.abort();
      const ended = await result;
      while (peer.mailbox.isReceiving) await new Promise((resolve) => setImmediate(resolve));
      return ended;
    },
  };
}

describe('pipevine mailbox send', () => {
  it('leaves a text for a member, and says where it is', async () => {
    const { code, out } = await send('attic', 'the kettle is on', '--lifetime', '2h', '--timeout', '7');
    expect([code, out]).toEqual([0, expect.stringMatching(/^Stored for attic at relay \w{8}\.\n$/)]);
    const options = { receipt: false, lifetimeMs: 7_200_000, timeoutMs: 7_000 };
    expect(peer.mailbox.sent).toEqual([{ to: peer.path.peer, text: 'the kettle is on', options }]);
  });

  it('takes all of standard input without a text: the last end of line only with --binary', async () => {
    await sendInput('a\nb\r\n', 'attic');
    await sendInput('a\n\xff\n', 'attic', '--binary');
    expect(peer.mailbox.sent.map(({ text }) => text)).toEqual(['a\nb', 'a\n\xff\n']);
  });

  it('refuses what no message can hold before anything is sent', async () => {
    const { code, err } = await sendInput('x'.repeat(70_000), 'attic');
    expect([code, err]).toEqual([1, expect.stringContaining('48 KiB')]);
    expect(await send('attic', 'x', '--lifetime', 'soon')).toMatchObject({ code: 2 });
    expect(peer.mailbox.sent).toEqual([]);
  });

  it('is no failure when the message waits here, and says why it does', async () => {
    peer.mailbox.next = { state: 'waiting', reason: new PipevineError('unreachable', 'no relay is near') };
    expect(await send('attic', 'x')).toMatchObject({
      code: 0,
      out: 'Kept here until attic or a relay can be reached (no relay is near).\n',
    });
  });

  it('waits for the receipt when it is asked for one', async () => {
    peer.mailbox.onSent = (events, message) => events.onDelivered?.(message);
    expect(await send('attic', 'x', '--receipt')).toMatchObject({ code: 0, out: 'Delivered to attic.\n' });
    peer.mailbox.onSent = (events, message) =>
      events.onFailed?.({ ...message, error: new PipevineError('refused', 'not from you') });
    expect(await send('attic', 'x', '--receipt')).toMatchObject({
      code: 5,
      err: expect.stringContaining('not from you'),
    });
    peer.mailbox.onSent = () => {};
    const late = await send('attic', 'x', '--receipt', '--timeout', '0.01');
    expect(late.out).toMatch(/^Stored for attic at relay \w{8}; attic has not confirmed it yet\.\n$/);
  });

  it('tells the outcome in JSON', async () => {
    expect(JSON.parse((await send('attic', 'x', '--json')).out)).toMatchObject({
      state: 'stored',
      id: '01'.repeat(16),
      peerName: 'attic',
      relay: expect.stringContaining('urn:pipevine:peer:'),
      reason: null,
      groupName: 'home of cellar',
    });
  });
});

describe('pipevine mailbox receive', () => {
  it('prints who sent what and when; what is printed is taken', async () => {
    const command = await receiving();
    await peer.mailbox.offer(peer.path.peer, Buffer.from('the \u001b[2Jkettle'), AT_MS);
    const { code, out } = await command.end();
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^2026-11-21T08:00:00\.000Z attic \(\w{8}\): the \ufffd\[2Jkettle\n$/),
    ]);
  });

  it('prints JSON, and frames with --binary', async () => {
    const json = await receiving('--json');
    await peer.mailbox.offer(peer.path.peer, Uint8Array.of(0xff), AT_MS);
    const [, shown = ''] = (await json.end()).out.split('\n');
    expect(JSON.parse(shown)).toMatchObject({
      type: 'message',
      id: '07'.repeat(16),
      senderName: 'attic',
      sentAt: '2026-11-21T08:00:00.000Z',
      text: null,
      data: '/w==',
    });
    const binary = await receiving('--binary');
    await peer.mailbox.offer(peer.path.peer, Uint8Array.of(0xff), AT_MS);
    expect((await binary.end()).out).toBe(Buffer.from(toFrame(Uint8Array.of(0xff))).toString('latin1'));
  });

  it('leaves a message untaken that a command was given when it ended', async () => {
    const abort = new AbortController();
    // As the command does it, but for saying that the message was taken.
    const { ControlClient } = await import('../control/control-client.ts');
    const { controlSocketOf } = await import('../home/control-socket.ts');
    const client = await ControlClient.connect(controlSocketOf(daemon.home));
    const items = client?.stream('mailbox.receive', {}, { signal: abort.signal });
    await items?.next();
    const offered = peer.mailbox.offer(peer.path.peer, Buffer.from('x'), AT_MS);
    await items?.next();
    client?.close();
    await expect(offered).rejects.toMatchObject({ code: 'closed' });
  });

  it('is refused while another command receives', async () => {
    const first = await receiving();
    const { code, err } = await daemon.run('mailbox', 'receive');
    expect([code, err]).toEqual([1, expect.stringContaining('received here already')]);
    expect(peer.mailbox.isReceiving).toBe(true);
    await first.end();
  });
});

it('pipevine mailbox status tells what waits here, at relays, and here for others', async () => {
  const bound = (used: number) => ({ used, limit: 100, dropped: 0 });
  peer.queues = {
    'mailbox outbox messages': bound(1),
    'mailbox outbox bytes': bound(900),
    'mailbox receipts awaited': bound(2),
    'mailbox messages taken': bound(3),
    'mailbox messages': bound(4),
    'mailbox bytes': bound(20_000),
  };
  const { code, out } = await daemon.run('mailbox', 'status');
  expect(code).toBe(0);
  expect(out).toContain('waiting   1 message (900 B), ');
  expect(out).toContain('stored    2 at relays');
  expect(out).toContain('received  3 since');
  expect(out).toContain('held      4 messages (20 kB) for others');
  expect(JSON.parse((await daemon.run('mailbox', 'status', '--json')).out)).toMatchObject({
    waiting: { messages: 1, bytes: 900 },
    receiptsAwaited: 2,
    held: { messages: 4, bytes: 20_000 },
  });
});
