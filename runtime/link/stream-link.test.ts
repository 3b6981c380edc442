import { nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { shortPeerId } from '../id/peer-id.ts';
import { encodeControlFrame } from '../wire/control-frame.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type BindFrame, FrameType } from '../wire/frame.ts';
import { CipherState } from './cipher-state.ts';
import { HandshakeGate } from './handshake-gate.ts';
import { resolveLinkLimits } from './link-limits.ts';
import { StreamRecords } from './stream-records.ts';
import { failure, LinkTesting, Recorder } from './testing/link-pair.ts';

const testing = new LinkTesting({ crypto: nodeCrypto, random: seededRandom, clock: () => new VirtualClock() });
const { alice: ALICE, bob: BOB, carol: CAROL } = testing;
const ends = testing.ends.bind(testing);
const linkPair = testing.linkPair.bind(testing);
const linkToRawPeer = testing.linkToRawPeer.bind(testing);
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

const bytes = (...values: number[]) => Uint8Array.from(values);
const ik = { remoteStaticKey: BOB.agreement.publicKey };

describe('a handshake over a stream', () => {
  it.each([
    ['XX', {}, 3],
    ['IK', ik, 2],
  ])('by %s proves both peers to each other', async (_, dial, messages) => {
    const { a, b, dialler, acceptor } = await linkPair('stream', { expectedPeer: BOB.id, ...dial });
    expect([a.localPeer, a.remotePeer, a.dialled]).toEqual([ALICE.id, BOB.id, true]);
    expect([b.localPeer, b.remotePeer, b.dialled]).toEqual([BOB.id, ALICE.id, false]);
    expect(a.remoteStaticKey).toEqual(BOB.agreement.publicKey);
    expect([a.ordered, a.maxPayloadBytes]).toEqual([true, 65_498]);
    expect(dialler.written[0]?.[2]).toBe(messages === 3 ? 0 : 1);
    expect(acceptor.paused).toBe(false);
  });

  it('works however the stream is cut', async () => {
    const pair = ends('stream');
    for (const end of [pair.dialler, pair.acceptor]) {
      end.pass = (all) => Array.from(all, (byte) => bytes(byte));
    }
    const accepted = pair.accept();
    const a = await pair.clock.run(pair.dial());
    expect(a.remotePeer).toBe(BOB.id);
    expect((await pair.clock.run(accepted)).remotePeer).toBe(ALICE.id);
  });

  it('is refused by the dialler when another peer answers, naming both', async () => {
    const pair = ends('stream', { expectedPeer: CAROL.id });
    const accepted = failure(pair.accept());
    const names = new RegExp(`${shortPeerId(CAROL.id)}.*${shortPeerId(BOB.id)}`);
    await expect(pair.clock.run(pair.dial())).rejects.toMatchObject({
      code: 'wrong-peer',
      message: expect.stringMatching(names),
    });
    expect(pair.dialler.state).toBe('aborted');
    expect(await pair.clock.run(accepted)).toBe('unreachable');
    expect(pair.acceptor.state).toBe('aborted');
  });

  it.each([
    ['the deadline passes in silence', 5_000],
    ['an own deadline passes', 700],
  ])('ends when %s', async (_, timeoutMs) => {
    const pair = ends('stream', timeoutMs === 5_000 ? {} : { timeoutMs });
    const dialled = failure(pair.dial());
    expect(await pair.clock.run(dialled)).toBe('timeout');
    expect(pair.clock.monotonicMs()).toBe(timeoutMs);
    expect(pair.dialler.state).toBe('aborted');
  });

  it('ends when its caller aborts it, before or meanwhile', async () => {
    const aborted = ends('stream', { signal: AbortSignal.abort() });
    expect(await aborted.clock.run(failure(aborted.dial()))).toBe('aborted');
    expect(aborted.dialler.state).toBe('aborted');

    const controller = new AbortController();
    const pair = ends('stream', { signal: controller.signal });
    const dialled = failure(pair.dial());
    controller.abort();
    expect(await pair.clock.run(dialled)).toBe('aborted');
  });

  it('says `unreachable` when the other side goes away', async () => {
    const pair = ends('stream');
    const dialled = failure(pair.dial());
    pair.dialler.end();
    expect(await pair.clock.run(dialled)).toBe('unreachable');
  });

  it('says `protocol` when IK cannot be completed, to try XX', async () => {
    const outdated = ends('stream', { remoteStaticKey: CAROL.agreement.publicKey });
    const accepted = failure(outdated.accept());
    expect(await outdated.clock.run(failure(outdated.dial()))).toBe('protocol');
    expect(await outdated.clock.run(accepted)).toBe('protocol');
  });

  it('does not accept a replay of IK: only a record that answers proves that the dialler is there', async () => {
    const first = ends('stream', ik);
    void first.accept();
    await first.clock.run(first.dial());
    const replay = ends('stream', {}, { random: seededRandom('bob on another day') });
    const accepted = failure(replay.accept());
    for (const message of first.dialler.written) replay.acceptor.deliver(message);
    expect(await replay.clock.run(accepted)).toBe('forged');
  });

  it.each<[string, Uint8Array, string]>([
    ['garbage', new Uint8Array(100).fill(0x47), 'too-large'],
    ['an HTTP request', new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'), 'too-large'],
    ['an empty message', bytes(0, 0), 'unsupported'],
    ['an unknown pattern', bytes(0, 1, 7), 'unsupported'],
    ['a short message', bytes(0, 5, 0, 1, 2, 3, 4), 'forged'],
    ['a longer message than allowed', bytes(0x08, 0x02), 'too-large'],
    ['a message by IK that is noise', Uint8Array.from([0, 201, 1, ...Array(200).fill(9)]), 'protocol'],
    ['a message by XX with a key of small order', Uint8Array.from([0, 33, 0, ...Array(32).fill(0)]), 'forged'],
  ])('is refused when it starts with %s', async (_, message, expected) => {
    const pair = ends('stream');
    const accepted = failure(pair.accept());
    pair.acceptor.deliver(message);
    expect(await pair.clock.run(accepted)).toBe(expected);
    expect(pair.acceptor.state).toBe('aborted');
    expect(pair.acceptor.written).toEqual([]);
  });

  it('fails cleanly on both sides for each byte of it that is changed', async () => {
    const probe = ends('stream');
    void probe.accept();
    await probe.clock.run(probe.dial());
    const sizes = [probe.dialler, probe.acceptor].map((end) => end.written.map((message) => message.length));
    for (const [side, messages] of sizes.entries()) {
      for (const [index, size] of messages.entries()) {
        for (let at = 0; at < size; at += 7) {
          const pair = ends('stream');
          const end = side === 0 ? pair.dialler : pair.acceptor;
          end.pass = (message, i) => {
            if (i !== index) return [message];
            const changed = message.slice();
            changed[at] = (changed[at] ?? 0) ^ 0x10;
            return [changed];
          };
          const results = Promise.all([failure(pair.accept()), failure(pair.dial())]);
          const codes = await pair.clock.run(results);
          // The dialler of XX is done when it has sent the last message; the acceptor then refuses it.
          expect(codes[0]).toMatch(/^(forged|malformed|too-large|unsupported|unreachable|timeout|protocol)$/);
          if (side === 1 || index === 0) expect(codes[1]).not.toBe('none');
        }
      }
    }
  });

  it('is given up for a newer one when too many are under way', async () => {
    const pair = ends('stream');
    const init = { crypto: nodeCrypto, random: seededRandom('gate'), clock: pair.clock };
    const gate = new HandshakeGate({ ...init, maxHalfOpen: 1 });
    const first = ends('stream', {}, { gate });
    const second = ends('stream', {}, { gate });
    const accepted = failure(first.accept());
    const newer = failure(second.accept());
    expect(await first.clock.run(accepted)).toBe('overloaded');
    expect([gate.halfOpen, gate.refused]).toEqual([1, 1]);
    expect(await second.clock.run(newer)).toBe('timeout');
    expect(gate.halfOpen).toBe(0);
  });

  it('agrees on the smaller of the two largest records', async () => {
    const { a, b } = await linkPair('stream', {}, { limits: { maxRecordBytes: 1_000 } });
    expect([a.maxPayloadBytes, b.maxPayloadBytes]).toEqual([979, 979]);
  });
});

describe('a stream link', () => {
  it('delivers frames in order, both ways', async () => {
    const { a, b, atA, atB, clock } = await linkPair('stream');
    a.queueData(5, bytes(1, 2, 3), undefined, false);
    a.queueData(6, bytes(4), 7, true);
    a.queueFrame({ type: FrameType.confirm, channel: 1, session: bytes(9) });
    b.queueFrame({ type: FrameType.ack, channel: 5, next: 1, limit: 100, ranges: [] });
    await clock.runFor(1);
    expect(atB.data).toEqual([
      { channel: 5, payload: bytes(1, 2, 3), sequence: undefined, more: false },
      { channel: 6, payload: bytes(4), sequence: 7, more: true },
    ]);
    expect(atB.frames).toEqual([{ type: FrameType.confirm, channel: 1, session: bytes(9) }]);
    expect(atA.frames).toEqual([{ type: FrameType.ack, channel: 5, next: 1, limit: 100, ranges: [] }]);
  });

  it('makes one record of what turns right after one another queue, and sends at once what comes later', async () => {
    const { a, clock } = await linkPair('stream');
    await clock.runFor(1);
    const queue = () => void a.queueFrame({ type: FrameType.ping, token: 1 });
    const records = a.traffic.recordsOut;
    // Each timer is a turn of its own; all are due at the same time.
    for (let turn = 0; turn < 5; turn++) clock.setTimer(10, queue);
    await clock.runFor(10);
    expect(a.traffic.recordsOut - records).toBe(2);
    clock.setTimer(10, queue);
    await clock.runFor(10);
    expect(a.traffic.recordsOut - records).toBe(3);
  });

  it('makes one record and one write of all that is queued in a turn', async () => {
    const { a, atB, clock, dialler } = await linkPair('stream');
    const [writes, records, handled] = [dialler.written.length, a.traffic.recordsOut, atB.records];
    for (let i = 0; i < 500; i++) a.queueData(1, bytes(i), undefined, false);
    await Promise.resolve();
    a.queueData(1, bytes(255), undefined, false);
    await clock.runFor(1);
    expect(atB.data).toHaveLength(501);
    expect([dialler.written.length - writes, a.traffic.recordsOut - records, atB.records - handled]).toEqual([1, 1, 1]);
    // 5 bytes a frame, a length and a tag: the whole cost of 500 messages.
    expect(dialler.written.at(-1)?.length).toBe(501 * 5 + 2 + 16);
  });

  it('spreads what does not fit over several records, still in one write', async () => {
    const { a, atB, clock, dialler } = await linkPair('stream');
    const writes = dialler.written.length;
    const payload = new Uint8Array(a.maxPayloadBytes).fill(3);
    for (let i = 0; i < 4; i++) a.queueData(1, payload, undefined, false);
    await clock.runFor(1);
    expect(atB.data.map((data) => data.payload.length)).toEqual(Array(4).fill(65_498));
    expect(dialler.written.length - writes).toBe(1);
  });

  it('copies the payload at once', async () => {
    const { a, atB, clock } = await linkPair('stream');
    const payload = bytes(1);
    a.queueData(1, payload, undefined, false);
    payload[0] = 99;
    await clock.runFor(1);
    expect(atB.data[0]?.payload).toEqual(bytes(1));
  });

  it('refuses a frame that is larger than a record, and goes on', async () => {
    const { a, atB, clock } = await linkPair('stream');
    const tooLarge = expect.objectContaining({ code: 'too-large' });
    expect(() => a.queueData(1, new Uint8Array(a.maxPayloadBytes + 1), undefined, false)).toThrowError(tooLarge);
    a.queueData(1, bytes(1), undefined, false);
    await clock.runFor(1);
    expect(atB.data).toHaveLength(1);
  });

  it('delivers the same however the stream is cut', async () => {
    const { a, atB, clock, dialler, acceptor } = await linkPair('stream');
    const sent: Uint8Array[] = [];
    dialler.pass = (chunk) => {
      sent.push(chunk);
      return [];
    };
    for (let i = 0; i < 3; i++) {
      a.queueData(i, new Uint8Array(40).fill(i), i, false);
      await clock.runFor(1);
    }
    const stream = Uint8Array.from(Buffer.concat(sent));
    for (let cut = 1; cut < stream.length; cut++) acceptor.deliver(stream.subarray(cut - 1, cut));
    acceptor.deliver(stream.subarray(stream.length - 1));
    expect(atB.data.map((data) => data.sequence)).toEqual([0, 1, 2]);
  });

  it('fails cleanly for each byte of a sequence of records that is changed, and hands over nothing of that record', async () => {
    const { a, clock, dialler } = await linkPair('stream');
    const sent: Uint8Array[] = [];
    dialler.pass = (chunk) => {
      sent.push(chunk);
      return [];
    };
    for (let i = 0; i < 3; i++) {
      a.queueData(i, bytes(1, 2, 3), i, false);
      await clock.runFor(1);
    }
    const stream = Uint8Array.from(Buffer.concat(sent));
    const recordBytes = stream.length / 3;
    for (let at = 0; at < stream.length; at++) {
      // The same seeds give the same keys, so that what was recorded fits another pair.
      const fresh = await linkPair('stream');
      const changed = stream.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      fresh.acceptor.deliver(changed);
      const intact = Math.floor(at / recordBytes);
      expect(fresh.atB.data.map((data) => data.sequence)).toEqual([0, 1, 2].slice(0, intact));
      const inLength = at % recordBytes < 2;
      // A length that grew waits for more; everything else is seen at once.
      if (!inLength || fresh.atB.closed.length > 0) expect(fresh.atB.closed).toEqual(['forged']);
    }
  });

  it('says `unreachable`, and hands over whole records only, when the stream ends at any byte', async () => {
    const { a, clock, dialler } = await linkPair('stream');
    const sent: Uint8Array[] = [];
    dialler.pass = (chunk) => {
      sent.push(chunk);
      return [];
    };
    for (let i = 0; i < 2; i++) {
      a.queueData(i, bytes(1, 2, 3), i, false);
      await clock.runFor(1);
    }
    const stream = Uint8Array.from(Buffer.concat(sent));
    for (let length = 0; length <= stream.length; length += 3) {
      const fresh = await linkPair('stream');
      fresh.acceptor.deliver(stream.subarray(0, length));
      fresh.acceptor.end();
      expect(fresh.atB.data).toHaveLength(Math.floor((length * 2) / stream.length));
      expect(fresh.atB.closed).toEqual(['unreachable']);
    }
  });

  it('refuses a record that is repeated, and one that was left out', async () => {
    for (const indices of [
      [0, 0],
      [1, 0],
    ]) {
      const { a, atB, clock, dialler, acceptor } = await linkPair('stream');
      const sent: Uint8Array[] = [];
      dialler.pass = (chunk) => {
        sent.push(chunk);
        return [];
      };
      for (let i = 0; i < 2; i++) {
        a.queueData(i, bytes(1), i, false);
        await clock.runFor(1);
      }
      for (const index of indices) acceptor.deliver(sent[index] ?? bytes());
      expect(atB.closed).toEqual(['forged']);
    }
  });

  it('keeps what comes before it is started, and is paused meanwhile', async () => {
    const pair = ends('stream', ik);
    const accepted = pair.accept();
    const a = await pair.clock.run(pair.dial());
    a.start(new Recorder());
    const b = await pair.clock.run(accepted);
    a.queueData(1, bytes(1), undefined, false);
    await pair.clock.runFor(5);
    expect(pair.acceptor.paused).toBe(true);
    const atB = new Recorder();
    b.start(atB);
    expect(atB.data).toHaveLength(1);
    expect(pair.acceptor.paused).toBe(false);
  });

  it('tells a late owner how it ended', async () => {
    const pair = ends('stream');
    const accepted = pair.accept();
    const a = await pair.clock.run(pair.dial());
    const b = await pair.clock.run(accepted);
    pair.acceptor.end();
    const atB = new Recorder();
    b.start(atB);
    expect(atB.closed).toEqual(['unreachable']);
    expect(() => b.start(atB)).toThrowError(expect.objectContaining({ code: 'invalid-argument' }));
    a.close('done', '');
  });

  it('skips and counts frames of later versions', async () => {
    const { link, recorder, say } = await linkToRawPeer();
    await say(Uint8Array.from([...encodeCanonical([42, 'from the future']), 0x82, 0x08, 0x01, 0x83, 0x00, 0x05, 0x40]));
    expect(recorder.data).toHaveLength(1);
    expect([link.traffic.unknownFrames, recorder.closed]).toEqual([1, []]);
  });

  it('answers a BIND of a later kind with `unsupported`, and goes on', async () => {
    const { recorder, say, acceptor } = await linkToRawPeer();
    const frame: BindFrame = {
      type: FrameType.bind,
      channel: 7,
      pipe: new Uint8Array(16),
      target: new Uint8Array(32),
      source: new Uint8Array(32),
      group: new Uint8Array(32),
      name: '',
      kind: 2,
      security: 1,
      next: 0,
      limit: 0,
      credential: bytes(),
      session: bytes(),
    };
    const bind = encodeControlFrame(frame);
    bind[Buffer.from(bind).indexOf(bytes(6, 2, 7, 1)) + 1] = 9;
    const writes = acceptor.written.length;
    await say(bind);
    expect(acceptor.written.length).toBe(writes + 1);
    expect([recorder.frames, recorder.closed]).toEqual([[], []]);
  });

  it.each<[string, string, string]>([
    ['a frame that is malformed', '83 00 05', 'malformed'],
    ['text as a frame', '61 61', 'malformed'],
    ['a BIND without members', '83 03 07 a0', 'malformed'],
    ['a frame after REKEY', '81 09 82 07 01', 'protocol'],
    ['more control frames than allowed', '82 07 01'.repeat(2_049), 'too-large'],
  ])('ends, saying why, when a record holds %s', async (_, plaintext, code) => {
    const { recorder, say, link, acceptor } = await linkToRawPeer();
    await say(hex(plaintext));
    expect(recorder.closed).toEqual([code]);
    expect(acceptor.state).toBe('closed');
    expect(link.traffic.dropped).toBe(1);
  });

  it('answers only the last PING of a record', async () => {
    const { say, acceptor } = await linkToRawPeer();
    const writes = acceptor.written.length;
    await say(hex('82 07 01'.repeat(2_000)));
    expect(acceptor.written.length).toBe(writes + 1);
    expect(acceptor.written.at(-1)?.length).toBe(2 + 3 + 16);
  });

  it('goes on with the next key after REKEY, and refuses the key before', async () => {
    const { say, send, recorder } = await linkToRawPeer();
    await say(hex('83 00 05 40 81 09'));
    send.rekey();
    await say(hex('83 00 05 40'));
    expect([recorder.data.length, recorder.closed]).toEqual([2, []]);
    await say(hex('81 09'));
    await say(hex('83 00 05 40'));
    expect([recorder.data.length, recorder.closed]).toEqual([2, ['forged']]);
  });
});

describe('closing a stream link', () => {
  it('in good order tells both owners so, after all that was queued', async () => {
    const { a, atA, atB, clock } = await linkPair('stream');
    a.queueData(1, bytes(1), undefined, false);
    a.close('done', '');
    a.close('done', 'again');
    await clock.runFor(10);
    expect(atB.data).toHaveLength(1);
    expect([atA.closed, atB.closed]).toEqual([['done'], ['done']]);
    expect(a.queueData(1, bytes(1), undefined, false)).toBe(false);
  });

  it('for a reason gives the other owner that reason', async () => {
    const { a, atA, atB, clock } = await linkPair('stream');
    a.close('revoked', 'The credential was revoked.');
    await clock.runFor(10);
    expect(atB.closed).toEqual(['revoked']);
    expect(atB.reason).toBe('The credential was revoked.');
    expect(atA.closed).toEqual(['done']);
  });

  it('with a code of a later version reads as `refused`', async () => {
    const { a, atB, clock } = await linkPair('stream');
    a.close('out-of-cheese', 'x');
    await clock.runFor(10);
    expect(atB.closed).toEqual(['refused']);
  });

  it('does not wait for ever for a peer that reads nothing', async () => {
    const { a, atA, clock, dialler } = await linkPair('stream');
    dialler.pass = () => [];
    dialler.close = () => {};
    a.close('done', '');
    await clock.runFor(3_001);
    expect(dialler.state).toBe('aborted');
    expect(atA.closed).toEqual(['done']);
  });

  it('passes on why the connection broke', async () => {
    const { atA, dialler } = await linkPair('stream');
    dialler.end(new PipevineError('unreachable', 'connection reset'));
    expect(atA.closed).toEqual(['unreachable']);
    expect(atA.reason).toBe('connection reset');
  });

  it('is what a handler that throws leads to, and nothing worse', async () => {
    const { a, b, atA, atB, clock } = await linkPair('stream');
    atB.onData = () => {
      throw new Error('a bug');
    };
    a.queueData(1, bytes(1), undefined, false);
    await clock.runFor(10);
    expect(atB.closed).toEqual(['internal']);
    expect(atA.closed).toEqual(['internal']);
    expect(b.traffic.dropped).toBe(1);
  });

  it('stops handing over frames at once when the handler closes the link', async () => {
    const { a, b, atB, clock } = await linkPair('stream');
    atB.onData = (channel, payload, sequence, more) => {
      atB.data.push({ channel, payload, sequence, more });
      b.close('done', '');
    };
    for (let i = 0; i < 3; i++) a.queueData(1, bytes(i), undefined, false);
    await clock.runFor(10);
    expect(atB.data).toHaveLength(1);
  });
});

describe('back-pressure', () => {
  it('is told above the high-water mark, and lifted after the flush', async () => {
    const { a, atA, clock } = await linkPair('stream', { limits: { highWaterBytes: 1_000 } });
    expect(a.queueData(1, new Uint8Array(500), undefined, false)).toBe(true);
    expect(a.queueData(1, new Uint8Array(500), undefined, false)).toBe(false);
    expect(atA.writable).toBe(0);
    await clock.runFor(1);
    expect(atA.writable).toBe(1);
    expect(a.queueData(1, new Uint8Array(500), undefined, false)).toBe(true);
  });

  it('is passed on from the connection, which gets nothing until it is writable', async () => {
    const { a, atA, atB, clock, dialler } = await linkPair('stream');
    dialler.writable = false;
    a.queueData(1, bytes(1), undefined, false);
    await clock.runFor(1);
    const writes = dialler.written.length;
    expect(a.queueData(1, bytes(2), undefined, false)).toBe(false);
    await clock.runFor(1);
    expect(dialler.written.length).toBe(writes);
    dialler.drained();
    await clock.runFor(1);
    expect(atA.writable).toBe(1);
    expect(atB.data.map((data) => data.payload[0])).toEqual([1, 2]);
  });

  it('ends the link with `overloaded` when it is ignored', async () => {
    const { a, atA, clock, dialler } = await linkPair('stream');
    dialler.writable = false;
    a.queueData(1, bytes(1), undefined, false);
    await clock.runFor(1);
    for (let i = 0; i < 100 && atA.closed.length === 0; i++) a.queueData(1, new Uint8Array(65_000), undefined, false);
    expect(atA.closed).toEqual(['overloaded']);
    expect(dialler.state).toBe('aborted');
  });

  it('does not let a peer that floods with PING and reads nothing fill the memory', async () => {
    const { a, atB, clock, acceptor } = await linkPair('stream');
    acceptor.writable = false;
    const writes = () => acceptor.written.length;
    a.queueFrame({ type: FrameType.ping, token: 1 });
    await clock.runFor(1);
    const before = writes();
    for (let i = 0; i < 5_000; i++) a.queueFrame({ type: FrameType.ping, token: i });
    await clock.runFor(1);
    expect(writes()).toBe(before);
    acceptor.drained();
    await clock.runFor(1);
    expect(writes()).toBe(before + 1);
    expect(acceptor.written.at(-1)?.length).toBeLessThan(40);
    expect(atB.closed).toEqual([]);
  });
});

describe('keep-alive', () => {
  it('measures the round trip at the start', async () => {
    const pair = ends('stream');
    pair.dialler.pass = (chunk) => {
      pair.clock.setTimer(20, () => pair.acceptor.deliver(chunk));
      return [];
    };
    const accepted = pair.accept();
    const a = await pair.clock.run(pair.dial());
    a.start(new Recorder());
    (await pair.clock.run(accepted)).start(new Recorder());
    expect(a.rttMs).toBeUndefined();
    await pair.clock.runFor(100);
    expect(a.rttMs).toBe(20);
  });

  it('keeps a silent link up', async () => {
    const { atA, atB, clock, a } = await linkPair('stream');
    const records = a.traffic.recordsOut;
    await clock.runFor(600_000);
    expect([atA.closed, atB.closed]).toEqual([[], []]);
    // Asking costs little: at most one record each 12 s from either side, and its answer.
    expect(a.traffic.recordsOut - records).toBeLessThanOrEqual(100);
    expect(a.traffic.recordsOut - records).toBeGreaterThan(30);
  });

  it('ends with `timeout` after three intervals without a sign of life', async () => {
    const { atA, clock, dialler, acceptor } = await linkPair('stream');
    const startMs = clock.monotonicMs();
    acceptor.pass = () => [];
    acceptor.abort = () => {};
    await clock.runUntil(() => atA.closed.length > 0, 120_000);
    expect(atA.closed).toEqual(['timeout']);
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(44_000);
    expect(clock.monotonicMs() - startMs).toBeLessThanOrEqual(61_000);
    expect(dialler.state).toBe('aborted');
  });
});

describe('rekeying a stream link', () => {
  it('happens by count, by bytes and by age, and nobody notices', async () => {
    for (const limits of [{ rekeyRecords: 3 }, { rekeyBytes: 100 }, { rekeyAgeMs: 1_000 }]) {
      const { a, b, atA, atB, clock } = await linkPair('stream', { limits }, { limits });
      for (let i = 0; i < 50; i++) {
        a.queueData(1, new Uint8Array(60).fill(i), i, false);
        b.queueData(1, new Uint8Array(60).fill(i), i, false);
        await clock.runFor(100);
      }
      expect(atA.data.map((data) => data.sequence)).toEqual(atB.data.map((data) => data.sequence));
      expect(atB.data).toHaveLength(50);
      expect([...atA.closed, ...atB.closed]).toEqual([]);
    }
  });

  it('is demanded of the other side', async () => {
    const session = await stolenSession();
    const port = new StreamRecords(silentConnection(), session, resolveLinkLimits(), { records: 2, bytes: 1_000 });
    const sender = new CipherState(nodeCrypto, STOLEN);
    port.open(sender.seal(bytes()));
    port.open(sender.seal(bytes()));
    expect(() => port.open(sender.seal(bytes()))).toThrowError(expect.objectContaining({ code: 'protocol' }));
    const bySize = new StreamRecords(silentConnection(), await stolenSession(), resolveLinkLimits(), {
      records: 100,
      bytes: 1_000,
    });
    const large = new CipherState(nodeCrypto, STOLEN).seal(new Uint8Array(1_000));
    expect(() => bySize.open(large)).toThrowError(expect.objectContaining({ code: 'protocol' }));
  });
});

const STOLEN = new Uint8Array(32).fill(0x77);

/** A session whose keys the test knows. */
async function stolenSession() {
  return {
    send: new CipherState(nodeCrypto, STOLEN),
    receive: new CipherState(nodeCrypto, STOLEN),
    remotePeer: BOB.id,
    remoteStaticKey: BOB.agreement.publicKey,
    maxRecordBytes: 65_519,
  };
}

function silentConnection() {
  return ends('stream').dialler;
}
